"""What the running capture wrote since its last row: the file that grows and one closed a moment ago.

Knows only this node's disk; a run that lies on another node has no scanned files here. No database.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from cctv import config
from cctv.media.boxes import Init
from cctv.storage import paths
from cctv.storage.growing import GrowingRun
from cctv.storage.measure import MeasuredSegment, Tally
from cctv.storage.runfile import RunFile, read_run

_IDLE_SECONDS = 60.0  # a reader that nobody asked for this long is closed
_FRESH_SECONDS = 0.2  # several questions of one page are answered from one look


class ScannedFile(NamedTuple):
    """A file without a row, as far as it is complete now."""

    run: RunFile
    init: Init
    segment: MeasuredSegment
    is_open: bool


@dataclass(slots=True)
class _Reader:
    growing: GrowingRun
    tallies: dict[int, Tally] = field(default_factory=dict)
    is_broken: bool = False  # time stepped: what follows belongs to no timeline (DECISIONS 4)
    asked_at: float = 0.0
    looked_at: float = -1.0


_readers: dict[tuple[str, str], _Reader] = {}
_lock = Lock()


def scan(camera_id: int, run_key: str, *, first_number: int = 0) -> list[ScannedFile]:
    """The files of a run from `first_number` on, as far as they are complete now; cheap when repeated."""
    media_dir = config.current().media_dir
    directory = paths.run_dir(media_dir, camera_id, run_key)
    with _lock:
        _close_idle()
        reader = _reader(media_dir, camera_id, run_key, first_number)
        if reader is None:
            return []
        _look(reader, first_number)
        run, init = read_run(directory), reader.growing.init
        if run is None or init is None or not reader.tallies:
            return []
        newest = max(reader.tallies)
        found = [
            _measure(tally, run, init, is_open=number == newest)
            for number, tally in sorted(reader.tallies.items())
        ]
    return [entry for entry in found if entry is not None]


def forget() -> None:
    """Close every reader; for tests and before a fork."""
    with _lock:
        for reader in _readers.values():
            reader.growing.close()
        _readers.clear()


def _reader(media_dir: Path, camera_id: int, run_key: str, first_number: int) -> _Reader | None:
    key = (str(media_dir), run_key)
    reader = _readers.get(key)
    if reader is None:
        if not paths.run_dir(media_dir, camera_id, run_key).is_dir():
            return None
        reader = _Reader(GrowingRun(media_dir, camera_id, run_key, first_number=first_number))
        _readers[key] = reader
    reader.asked_at = time.monotonic()
    return reader


def _look(reader: _Reader, first_number: int) -> None:
    for number in [number for number in reader.tallies if number < first_number]:
        del reader.tallies[number]
    now = time.monotonic()
    if reader.is_broken or now - reader.looked_at < _FRESH_SECONDS:
        return
    reader.looked_at = now
    for number, fragment in reader.growing.refresh():
        if number < first_number:
            continue
        tally = reader.tallies.setdefault(number, Tally(number))
        if tally.is_step(fragment):
            reader.is_broken = True
            return
        tally.add(fragment)


def _close_idle() -> None:
    limit = time.monotonic() - _IDLE_SECONDS
    for key in [key for key, reader in _readers.items() if reader.asked_at < limit]:
        _readers.pop(key).growing.close()


def _measure(tally: Tally, run: RunFile, init: Init, *, is_open: bool) -> ScannedFile | None:
    segment = tally.measured(run, init_size=init.size)
    return ScannedFile(run, init, segment, is_open) if segment else None
