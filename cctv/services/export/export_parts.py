"""What an export is made of: which bytes of which files, and what is told of each file that came out.

Only reads rows. Footage that nobody wanted kept is never part of it; a part begins at the key frame before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cctv.intervals import Interval, overlaps, subtract, union
from cctv.models.segment import TICKS_PER_MS
from cctv.services.footage import timeline
from cctv.services.footage.finding import TOLERANCE_MS, FoundSegment, find_segments
from cctv.services.recording.wanted import wanted

STANDING_PICTURE_MS = 5_000  # over a shorter hole the last picture stays; a longer one is left out and told


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes [offset, end_offset) of one file, whole groups of pictures.

    `stop_ticks`: content time at which it ends earlier; None: with its last byte.
    """

    found: FoundSegment
    offset: int
    end_offset: int
    start_ticks: int
    stop_ticks: int | None
    started_ms: int
    ended_ms: int

    @property
    def end_ticks(self) -> int:
        """Content time of its end."""
        return self.found.ticks_at(self.ended_ms)

    @property
    def size_bytes(self) -> int:
        """What it takes in the file, at most."""
        return self.end_offset - self.offset

    def follows(self, before: Part) -> bool:
        """Whether it plays through from there: the same run, without a jump of time."""
        step_ticks = self.start_ticks - before.end_ticks
        is_same_run = self.found.run_key == before.found.run_key
        return is_same_run and abs(step_ticks) <= TOLERANCE_MS * TICKS_PER_MS


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes of a stored file as they lie, unchanged, in a file of an export."""

    segment_id: int | None  # None: it has no row yet
    run_key: str
    number: int
    offset: int  # in the stored file
    size_bytes: int
    position: int  # in the file of the export
    sha256: str | None  # of the whole stored file, when it is known


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A video file of an export. Times are wall times; `missing` are (from, to, why) of what was asked."""

    name: str
    camera_id: int
    camera_name: str
    started_ms: int
    ended_ms: int
    duration_ms: int
    size_bytes: int
    sha256: str
    missing: list[tuple[int, int, str]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)


def parts_of(camera_id: int, start_ms: int, end_ms: int) -> list[Part]:
    """What there is of a camera in [start_ms, end_ms), in order of time."""
    shown = wanted(camera_id, start_ms, end_ms)
    if not shown:
        return []
    return [part for entry in find_segments(camera_id, start_ms, end_ms) for part in _of_file(entry, shown)]


def covered(parts: list[Part]) -> list[Interval]:
    """The wall time that the parts show."""
    return union([(part.started_ms, part.ended_ms) for part in parts], join_ms=TOLERANCE_MS)


def missing(camera_id: int, parts: list[Part], start_ms: int, end_ms: int) -> list[tuple[int, int, str]]:
    """(from, to, why) of what is not there of [start_ms, end_ms)."""
    holes = [
        (start, end)
        for start, end in subtract([(start_ms, end_ms)], covered(parts))
        if end - start > TOLERANCE_MS
    ]
    if not holes:
        return []
    (lane,) = timeline.lanes([camera_id], start_ms, end_ms)
    return [(start, end, _why(lane.gaps, start, end)) for start, end in holes]


def _why(gaps: list[timeline.LaneGap], start_ms: int, end_ms: int) -> str:
    found = [gap for gap in gaps if gap.started_ms < end_ms and gap.ended_ms > start_ms]
    longest = max(found, key=lambda gap: gap.ended_ms - gap.started_ms, default=None)
    return longest.sentence if longest else "not asked to record"


def _of_file(entry: FoundSegment, shown: list[Interval]) -> Iterator[Part]:
    """The shown groups of pictures of a file, neighbours joined."""
    first: tuple[int, int] | None = None  # of the part so far: byte offset, ticks
    stop_ms = 0
    behind = (0, 0)  # where the last shown group ends: byte offset, ticks
    for offset, ticks, end_offset, end_ticks in _groups(entry):
        begin = max(entry.ms_at(entry.start_ticks + ticks), entry.from_ms)
        end = min(entry.ms_at(entry.start_ticks + end_ticks), entry.to_ms)
        if end > begin and overlaps(shown, begin, end):
            first = first or (offset, ticks)
            behind = (end_offset, end_ticks)
            stop_ms = max(min(end, stop) for start, stop in shown if start < end and stop > begin)
        elif first:
            yield _part(entry, first, behind, stop_ms)
            first = None
    if first:
        yield _part(entry, first, behind, stop_ms)


def _part(entry: FoundSegment, first: tuple[int, int], behind: tuple[int, int], stop_ms: int) -> Part:
    whole_ms = entry.ms_at(entry.start_ticks + behind[1])
    return Part(
        found=entry,
        offset=first[0],
        end_offset=behind[0],
        start_ticks=entry.start_ticks + first[1],
        stop_ticks=None if stop_ms >= whole_ms else entry.ticks_at(stop_ms),
        started_ms=entry.ms_at(entry.start_ticks + first[1]),
        ended_ms=min(whole_ms, stop_ms),
    )


def _groups(entry: FoundSegment) -> Iterator[tuple[int, int, int, int]]:
    """(offset, ticks, end offset, end ticks) of each group of pictures; of the last one as far as it is
    complete."""
    starts = entry.list_gops()
    ends = [*starts[1:], (entry.size_bytes, entry.duration_ticks)]
    for (offset, ticks), (end_offset, end_ticks) in zip(starts, ends, strict=True):
        if end_ticks > ticks and end_offset > offset:
            yield offset, ticks, end_offset, end_ticks
