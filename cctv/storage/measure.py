"""What of a media file counts: from its first video key frame to its last good fragment, with its wall times.

Used while a file grows and again when it is found on disk, so that both give the same row; it never writes.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cctv.media.boxes import TICKS_PER_SECOND, Fragment, Init, NotMedia, is_whole, read_init, scan
from cctv.storage import paths
from cctv.storage.mapping import wall_ms
from cctv.storage.runfile import RunFile

TICKS_PER_MS = TICKS_PER_SECOND // 1000
STEP_TICKS = TICKS_PER_SECOND  # fragments further apart than this do not belong to one timeline
LONG_TICKS = 2 * TICKS_PER_SECOND  # a fragment longer than this is either a stall of the camera or a jump
FAR_TICKS = 60 * TICKS_PER_SECOND  # no camera is waited for so long within a run (DECISIONS 5)
_FIRST_PICTURE_MS = 120_000  # no attempt waits longer for its first picture
AHEAD_MS = 2_000  # no content can be this much newer than the moment it was written (FAULTS 5)


@dataclass(frozen=True, slots=True)
class MeasuredSegment:
    """The facts of a file that its row holds. Ticks are 90 kHz content time, milliseconds are wall time."""

    number: int
    started_ms: int
    ended_ms: int
    start_ticks: int
    duration_ticks: int
    size_bytes: int  # up to the end of the last good fragment
    init_size: int
    gops: tuple[tuple[int, int], ...]  # (byte offset, ticks since start_ticks) of each key-frame fragment
    is_damaged: bool  # there are bytes behind size_bytes that do not count
    pictures: int = 0  # of the video


class ClosedFile(NamedTuple):
    """A file that ffmpeg has finished, with the run it belongs to."""

    run: RunFile
    segment: MeasuredSegment


@dataclass(slots=True)
class Tally:
    """Adds up the fragments of one file in order."""

    number: int
    start_ticks: int = -1
    end_ticks: int = -1
    end_offset: int = 0
    pictures: int = 0
    gops: list[tuple[int, int]] = field(default_factory=list)

    @property
    def has_content(self) -> bool:
        """Whether a key frame was seen."""
        return self.start_ticks >= 0

    def hole_ticks(self, fragment: Fragment) -> int:
        """Content time between what was added and this fragment; negative when it lies before."""
        return fragment.start_ticks - self.end_ticks if self.has_content and fragment.has_video else 0

    def is_step(self, fragment: Fragment) -> bool:
        """Whether this fragment's picture lies before what was added, or so far behind that nobody waited."""
        return not -STEP_TICKS <= self.hole_ticks(fragment) <= FAR_TICKS

    def add(self, fragment: Fragment) -> None:
        """Count one more fragment; those before the first key frame cannot be shown and do not count."""
        if self.start_ticks < 0:
            if not fragment.is_key:
                return
            self.start_ticks = fragment.start_ticks
        if fragment.has_video:
            self.end_ticks = fragment.end_ticks
            self.pictures += fragment.pictures
            if fragment.is_key:
                self.gops.append((fragment.offset, fragment.start_ticks - self.start_ticks))
        self.end_offset = fragment.end_offset

    def measured(self, run: RunFile, *, init_size: int, is_damaged: bool = False) -> MeasuredSegment | None:
        """The facts of the row; None when nothing in the file can be shown."""
        if not self.has_content or self.end_ticks <= self.start_ticks:
            return None
        return MeasuredSegment(
            number=self.number,
            started_ms=wall_ms(run.mapping, self.start_ticks // TICKS_PER_MS),
            ended_ms=wall_ms(run.mapping, self.end_ticks // TICKS_PER_MS),
            start_ticks=self.start_ticks,
            duration_ticks=self.end_ticks - self.start_ticks,
            size_bytes=self.end_offset,
            init_size=init_size,
            gops=tuple(self.gops),
            is_damaged=is_damaged,
            pictures=self.pictures,
        )


def measure(path: Path, run: RunFile, number: int) -> MeasuredSegment | None:
    """Scan a file that nobody writes any more; None when nothing in it can be shown.

    OSError when it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        init = read_init(descriptor)
        return _measure(descriptor, path, init, run, number)
    except NotMedia:
        return None
    finally:
        os.close(descriptor)


def _measure(descriptor: int, path: Path, init: Init, run: RunFile, number: int) -> MeasuredSegment | None:
    status = os.fstat(descriptor)
    fragments = scan(descriptor, init, init.size)
    is_damaged = False
    while fragments and not is_whole(descriptor, init, fragments[-1]):
        fragments.pop()  # a power cut left its length but not its bytes
        is_damaged = True
    tally = Tally(number)
    latest_ms = status.st_mtime_ns // 1_000_000 + AHEAD_MS
    if _is_out_of_time(path, init, run, number, fragments, latest_ms=latest_ms):
        return None
    for fragment in fragments:
        hole = tally.hole_ticks(fragment)
        is_long = hole > STEP_TICKS or fragment.duration_ticks > LONG_TICKS
        is_late = fragment.has_video and wall_ms(run.mapping, fragment.end_ms) > latest_ms
        if tally.is_step(fragment) or (is_long and is_late):
            is_damaged = True  # the camera's clock jumped
            break
        tally.add(fragment)
    else:
        end = fragments[-1].end_offset if fragments else init.size
        is_damaged = is_damaged or _is_foreign_tail(descriptor, end, status.st_size)
    return tally.measured(run, init_size=init.size, is_damaged=is_damaged)


def _is_out_of_time(
    path: Path, init: Init, run: RunFile, number: int, fragments: list[Fragment], *, latest_ms: int
) -> bool:
    """Whether a whole file came after the camera's clock had jumped: its times lie in the future and do not
    go on from the file before (or, in the first file, from the run's epoch). The second question is there
    because the clock of this machine may have been set back."""
    first = next((fragment for fragment in fragments if fragment.is_key), None)
    if first is None or wall_ms(run.mapping, first.start_ms) <= latest_ms:
        return False
    if number == 0:
        return abs(first.start_ms - run.epoch_ms) > _FIRST_PICTURE_MS
    try:
        descriptor = os.open(path.with_name(paths.segment_name(number - 1)), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        before = [fragment for fragment in scan(descriptor, init, init.size) if fragment.has_video]
    finally:
        os.close(descriptor)
    return not before or abs(first.start_ticks - before[-1].end_ticks) > STEP_TICKS


def _is_foreign_tail(descriptor: int, at: int, size: int) -> bool:
    """Whether what follows the last fragment is something else than the beginning of the next one."""
    head = os.pread(descriptor, 8, at)
    if len(head) < 8:
        return size > at and bool(head.strip(b"\x00"))
    length, kind = struct.unpack(">I4s", head)
    return kind != b"moof" and not (kind in (b"styp", b"sidx") and length >= 8)
