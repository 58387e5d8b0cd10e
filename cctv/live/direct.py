"""The endless fMP4 stream for Media Source Extensions: the lowest delay and the lowest cost of a viewer.

A viewer that reads too slowly skips to the newest key frame; nobody ever waits for another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from cctv.errors import Unavailable
from cctv.live.recent import Entry, LiveRun, Recent
from cctv.live.tail import tails
from cctv.live.window import is_stale
from cctv.media.boxes import TICKS_PER_SECOND

FIRST_SECONDS = 10.0  # how long a viewer may wait for the first key frame: a camera that is just starting
SILENT_SECONDS = 15.0  # without any fragment the stream ends, and the player asks anew
BEHIND_SECONDS = 2.0  # from here on a slow viewer jumps
_LOOK_SECONDS = 1.0


def has_key_within(recent: Recent, seconds: float) -> bool:
    """Whether there is a key frame of the present, or comes in time."""

    def is_live() -> bool:
        return recent.newest_key() is not None and not is_stale(recent)

    return tails.wait(recent, is_live, timeout_seconds=seconds)


def wait_for_key(recent: Recent, *, timeout_seconds: float = FIRST_SECONDS) -> Entry:
    """Where a new viewer begins.

    Raises:
        Unavailable: there is no picture of the present within the time.
    """
    if not has_key_within(recent, timeout_seconds):
        raise Unavailable("There is no live picture now. Trying again.")
    entry = recent.newest_key()
    assert entry is not None
    return entry


def direct_stream(recent: Recent, first: Entry, *, each_second: Callable[[], None]) -> Iterator[bytes]:
    """The init, then the fragments from `first` on as they are written; ends cleanly with the run.

    The player then asks anew and gets the next run. `each_second` is called about once a second meanwhile.
    """
    with tails.following(recent):
        run = first.run
        yield run.growing.read_init_bytes()
        position, heard_at, called_at = first.position, time.monotonic(), time.monotonic()
        while True:
            entries = _next(recent, position)
            now = time.monotonic()
            if now - called_at >= _LOOK_SECONDS:
                called_at = now
                each_second()
            if not entries:
                if now - heard_at > SILENT_SECONDS:
                    return
                continue
            heard_at = now
            mine = _caught_up([entry for entry in entries if entry.run is run])
            try:
                if mine:
                    yield b"".join([recent.content(entry) for entry in mine])
            except (OSError, EOFError):
                return  # the file is gone: the next attempt finds what there is
            if len(mine) < len(entries) and _is_over(entries, run):
                return
            position = entries[-1].position + 1


def _next(recent: Recent, position: int) -> list[Entry]:
    recent.bell.sleep(lambda: recent.is_past(position), _LOOK_SECONDS)
    return recent.entries_from(position)


def _caught_up(entries: list[Entry]) -> list[Entry]:
    """What to send: everything, or from the newest key frame on when the viewer is too far behind."""
    if not entries:
        return []
    behind = entries[-1].part.fragment.end_ticks - entries[0].part.fragment.start_ticks
    if behind <= BEHIND_SECONDS * TICKS_PER_SECOND:
        return entries
    keys = [index for index, entry in enumerate(entries) if entry.part.is_key]
    return entries[keys[-1] :] if keys else entries


def _is_over(entries: list[Entry], run: LiveRun) -> bool:
    return entries[-1].run is not run
