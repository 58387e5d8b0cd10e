"""Which files are looked at for activity, and of which stream: those closed since the last look, in order.

Reads the index only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from sqlalchemy import select

from cctv.extensions import db
from cctv.models import Camera, Run, Segment, SegmentState, Stream, StreamKind
from cctv.models.segment import unpack_gops
from cctv.services.footage.finding import LONGEST_FILE_MS

FILES_A_TURN = 20  # of one camera, then the others
_FILES_AT_ONCE = 5  # in one child, while catching up
_SUB_LATE_MS = (
    75_000  # a small stream whose newest file is older than the large one's by more is not captured
)
_HOLE_MS = 8_000  # a small stream that lacks more than this is not used


@dataclass(frozen=True, slots=True)
class LookedFile:
    """A closed file that may be looked at."""

    id: int
    stream_id: int
    kind: str  # main or sub
    run_key: str
    number: int
    started_ms: int
    ended_ms: int
    start_ticks: int
    duration_ticks: int
    gops: list[tuple[int, int]]

    def ms_at(self, ticks: int) -> int:
        """Wall time of a content time."""
        span = self.ended_ms - self.started_ms
        return self.started_ms + (ticks - self.start_ticks) * span // max(1, self.duration_ticks)


def find(camera: Camera, node_id: int, *, since_ms: int, seen_ms: int) -> list[LookedFile]:
    """The files that end after `since_ms`: of the small stream where it is there without a hole after
    `seen_ms`, else of the large one."""
    main = _files_of(camera.main, node_id, since_ms)
    sub = camera.stream(StreamKind.SUB)
    small = _files_of(sub, node_id, since_ms) if sub is not None else []
    news = [file for file in small if file.ended_ms > seen_ms]
    if not news or (main and main[-1].ended_ms - news[-1].ended_ms > _SUB_LATE_MS):
        return main
    small = small[: small.index(news[0])] + _unbroken(news)
    main_news = [file for file in main if file.ended_ms > seen_ms]
    begins_ms = max(seen_ms, main_news[0].started_ms) if main_news else seen_ms
    return small if news[0].started_ms <= begins_ms + _HOLE_MS else main


def _unbroken(files: list[LookedFile]) -> list[LookedFile]:
    """Up to the first hole."""
    for at, (before, after) in enumerate(pairwise(files), 1):
        if after.started_ms - before.ended_ms > _HOLE_MS:
            return files[:at]
    return files


def _files_of(stream: Stream, node_id: int, since_ms: int) -> list[LookedFile]:
    query = (
        select(
            Segment.id,
            Segment.stream_id,
            Run.key,
            Segment.number,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.start_ticks,
            Segment.duration_ticks,
            Segment.gops,
        )
        .join(Run, Run.id == Segment.run_id)
        .where(
            Segment.stream_id == stream.id,
            Segment.started_ms > since_ms - LONGEST_FILE_MS,
            Segment.ended_ms > since_ms,
            Segment.state.not_in([SegmentState.EXPIRING, SegmentState.CLOUD]),
            Run.node_id == node_id,
        )
        .order_by(Segment.started_ms, Segment.id)
        .limit(FILES_A_TURN + 2)
    )
    return [
        LookedFile(
            id=row.id,
            stream_id=row.stream_id,
            kind=stream.kind,
            run_key=row.key,
            number=row.number,
            started_ms=row.started_ms,
            ended_ms=row.ended_ms,
            start_ticks=row.start_ticks,
            duration_ticks=row.duration_ticks,
            gops=unpack_gops(row.gops),
        )
        for row in db.session.execute(query)
    ]


def batches(files: list[LookedFile]) -> Iterator[list[LookedFile]]:
    """Files of one run together, a few at a time."""
    for _run_key, of_run in groupby(files, key=lambda file: file.run_key):
        waiting = list(of_run)
        for at in range(0, len(waiting), _FILES_AT_ONCE):
            yield waiting[at : at + _FILES_AT_ONCE]
