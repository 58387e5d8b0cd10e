"""Gaps: wanted time without footage, by one function, and the rows that keep it with its cause.

A row is only written for a hole that has ended; the one that is still open is computed. Holes shorter than
TOLERANCE_MS (100 ms: under three frames at 25 a second, and rounding of the time mapping) are none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import delete, select

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, clip, intersect, subtract, union
from cctv.models import Camera, Gap, Run, Segment, SegmentState, Stream, StreamKind, StreamState
from cctv.services.footage import elsewhere, gap_causes
from cctv.services.footage.elsewhere import Growing
from cctv.services.footage.finding import TOLERANCE_MS, covered_by_camera, stream_id_of
from cctv.services.footage.gap_causes import ExplainedGap
from cctv.services.recording.wanted import lock_cameras, wanted_by_camera
from cctv.storage import paths

LOOK_BACK_MS = 15 * 60_000  # how far back a tick looks for holes that ended; reconcile looks further
SETTLE_AFTER_MS = 10_000  # a file that ended has its row by then (fsync, then the row)
OPEN_AFTER_MS = 5_000  # the newest fragment is up to a second old; a hole at the live edge counts from here

_PRODUCING = frozenset({StreamState.LIVE, StreamState.FROZEN, StreamState.CONNECTING})

__all__ = [
    "LOOK_BACK_MS",
    "SETTLE_AFTER_MS",
    "TOLERANCE_MS",
    "ExplainedGap",
    "add",
    "fill",
    "find_holes",
    "list_gaps",
    "open_gap",
    "settle",
    "settle_all",
]


class Holes(NamedTuple):
    """What is wanted, what of it exists, and what does not, of one camera."""

    wanted: list[Interval]
    covered: list[Interval]
    missing: list[Interval]


def find_holes(
    camera_ids: Iterable[int], start_ms: int, end_ms: int, *, open_file: bool = True
) -> Mapping[int, Holes]:
    """THE definition of a gap: wanted minus covered inside [start_ms, end_ms), tiny holes left out.

    With `open_file` what other machines are writing just now is not missing, though it cannot be read here.
    """
    ids = list(camera_ids)
    wanted = wanted_by_camera(ids, start_ms, end_ms)
    covered = covered_by_camera(ids, start_ms, end_ms, open_file=open_file)
    missing = {camera_id: _drop_tiny(subtract(wanted[camera_id], covered[camera_id])) for camera_id in ids}
    if open_file:
        at_edge = [
            camera_id for camera_id in ids if missing[camera_id] and missing[camera_id][-1][1] >= end_ms
        ]
        for camera_id, there in _growing_elsewhere(at_edge, end_ms).items():
            missing[camera_id] = _drop_tiny(subtract(missing[camera_id], [there.span]))
    return {camera_id: Holes(wanted[camera_id], covered[camera_id], missing[camera_id]) for camera_id in ids}


def _growing_elsewhere(camera_ids: list[int], end_ms: int) -> dict[int, Growing]:
    """Asked only for the live edge: what ended long ago has its rows."""
    at_ms = now_ms()
    is_old = end_ms < at_ms - elsewhere.ROW_WITHIN_MS
    return {} if is_old or not camera_ids else elsewhere.growing(camera_ids, at_ms=at_ms)


def list_gaps(camera_id: int, start_ms: int, end_ms: int, *, at_ms: int | None = None) -> list[ExplainedGap]:
    """Every gap in [start_ms, end_ms) with its cause, also the open one and what is not settled yet."""
    at_ms = now_ms() if at_ms is None else at_ms
    holes = find_holes([camera_id], start_ms, min(end_ms, at_ms))[camera_id]
    return explain({camera_id: holes.missing}, start_ms, end_ms, at_ms=at_ms)[camera_id]


def explain(
    missing: Mapping[int, list[Interval]], start_ms: int, end_ms: int, *, at_ms: int
) -> dict[int, list[ExplainedGap]]:
    """The holes with their causes: from the rows where they are settled, else from the states of that time.

    A hole that reaches the live edge is left out until it is OPEN_AFTER_MS long. Three queries in all.
    """
    rows = _rows(missing, start_ms, end_ms)
    unsettled = {
        camera_id: _drop_tiny(subtract(holes, [(row.started_ms, row.ended_ms) for row in rows[camera_id]]))
        for camera_id, holes in missing.items()
    }
    unsettled = {
        camera_id: [(start, end) for start, end in holes if end < at_ms or end - start >= OPEN_AFTER_MS]
        for camera_id, holes in unsettled.items()
    }
    computed = gap_causes.causes_of(unsettled, at_ms=at_ms)
    return {
        camera_id: sorted(computed[camera_id] + _shown(rows[camera_id], holes))
        for camera_id, holes in missing.items()
    }


def open_gap(camera_id: int, *, at_ms: int | None = None) -> ExplainedGap | None:
    """The gap that goes on at this moment, or None; computed, never stored.

    It begins where footage ended, and its cause is the one of this moment.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    start = _last_end(camera_id, at_ms) or 0
    missing = find_holes([camera_id], start, at_ms)[camera_id].missing
    rows = _rows([camera_id], start, at_ms)[camera_id]
    missing = subtract(missing[-1:], [(row.started_ms, row.ended_ms) for row in rows])
    if not missing or missing[-1][1] < at_ms or at_ms - missing[-1][0] < OPEN_AFTER_MS:
        return None
    causes = gap_causes.causes_of({camera_id: missing[-1:]}, at_ms=at_ms)[camera_id]
    return ExplainedGap(missing[-1][0], at_ms, causes[-1].cause, causes[-1].detail)


def settle(camera_id: int, until_ms: int | None = None, *, since_ms: int | None = None) -> int:
    """Write the rows of the holes that ended between `since_ms` and `until_ms`; how many are new.

    A hole has ended when footage goes on after it, or nobody wants that time any more. What the running
    capture has no rows for yet is left to the next time. Two processes that settle at once do not disturb
    one another: the camera's row is locked, and what has a row is left alone.
    """
    at_ms = now_ms()
    until_ms = at_ms if until_ms is None else until_ms
    since_ms = until_ms - LOOK_BACK_MS if since_ms is None else since_ms
    begin_writing()
    lock_cameras([camera_id])
    until_ms = min(until_ms, _horizon(camera_id, until_ms))
    start = _previous_end(camera_id, since_ms)
    holes = find_holes([camera_id], start, until_ms, open_file=False)[camera_id].missing
    fresh = _fresh(holes, _rows([camera_id], start, until_ms)[camera_id], until_ms=until_ms)
    explained = gap_causes.causes_of({camera_id: fresh}, at_ms=at_ms)[camera_id] if fresh else []
    for gap in explained:
        _add_row(camera_id, gap)
    db.session.commit()
    return len(explained)


def settle_all(*, since_ms: int | None = None, at_ms: int | None = None) -> int:
    """`settle` the cameras that have something to settle; how many rows are new. Six queries if none has."""
    at_ms = now_ms() if at_ms is None else at_ms
    since_ms = at_ms - LOOK_BACK_MS if since_ms is None else since_ms
    until_ms = at_ms - SETTLE_AFTER_MS
    ids = list(db.session.scalars(select(Camera.id).where(Camera.deleted_at.is_(None)).order_by(Camera.id)))
    holes = find_holes(ids, since_ms, until_ms, open_file=False)
    rows = _rows(ids, since_ms, until_ms)
    db.session.commit()
    due = [
        camera_id for camera_id in ids if _fresh(holes[camera_id].missing, rows[camera_id], until_ms=until_ms)
    ]
    return sum(settle(camera_id, until_ms, since_ms=since_ms) for camera_id in due)


def add(camera_id: int, intervals: Iterable[Interval], *, cause: str, detail: str = "") -> None:
    """Write rows for wanted time that has just lost its footage. Part of the caller's transaction, which has
    locked the camera and taken the footage out of the index."""
    intervals = union(intervals)
    if not intervals:
        return
    start, end = intervals[0][0], intervals[-1][1]
    missing = find_holes([camera_id], start, end, open_file=False)[camera_id].missing
    rows = _rows([camera_id], start, end)[camera_id]
    lost = intersect(missing, intervals)
    for begin, stop in _drop_tiny(subtract(lost, [(row.started_ms, row.ended_ms) for row in rows])):
        _add_row(camera_id, ExplainedGap(begin, stop, cause, detail))


def fill(camera_id: int, intervals: Iterable[Interval]) -> None:
    """Footage of this time came to light: shrink or remove the rows that said otherwise. Part of the caller's
    transaction, which has locked the camera."""
    intervals = union(intervals, join_ms=TOLERANCE_MS)
    if not intervals:
        return
    for row in _rows([camera_id], intervals[0][0], intervals[-1][1])[camera_id]:
        rest = _drop_tiny(subtract([(row.started_ms, row.ended_ms)], intervals))
        if rest == [(row.started_ms, row.ended_ms)]:
            continue
        db.session.execute(delete(Gap).where(Gap.id == row.id))
        for begin, end in rest:
            db.session.add(
                Gap(camera_id=camera_id, started_ms=begin, ended_ms=end, cause=row.cause, detail=row.detail)
            )
    db.session.flush()


def _drop_tiny(holes: Iterable[Interval]) -> list[Interval]:
    return [(start, end) for start, end in holes if end - start >= TOLERANCE_MS]


def _fresh(holes: list[Interval], rows: list[_Row], *, until_ms: int) -> list[Interval]:
    """The holes that have ended and have no row."""
    ended = [(start, end) for start, end in holes if end < until_ms]
    return _drop_tiny(subtract(ended, [(row.started_ms, row.ended_ms) for row in rows]))


class _Row(NamedTuple):
    id: int
    started_ms: int
    ended_ms: int
    cause: str
    detail: str


def _rows(camera_ids: Iterable[int], start_ms: int, end_ms: int) -> dict[int, list[_Row]]:
    found: dict[int, list[_Row]] = {camera_id: [] for camera_id in camera_ids}
    query = select(Gap.camera_id, Gap.id, Gap.started_ms, Gap.ended_ms, Gap.cause, Gap.detail).where(
        Gap.camera_id.in_(found), Gap.started_ms <= end_ms, Gap.ended_ms >= start_ms
    )
    for camera_id, *values in db.session.execute(query.order_by(Gap.started_ms)):
        found[camera_id].append(_Row(*values))
    return found


def _shown(rows: list[_Row], holes: list[Interval]) -> list[ExplainedGap]:
    """The rows where they are still holes: a row never hides footage, nor tells of time nobody wants."""
    ends = [end for _start, end in holes]
    shown = []
    for row in rows:
        first = bisect_right(ends, row.started_ms)
        after = bisect_left(holes, (row.ended_ms,))
        for start, end in _drop_tiny(clip(holes[first:after], row.started_ms, row.ended_ms)):
            shown.append(ExplainedGap(start, end, row.cause, row.detail))
    return shown


def _add_row(camera_id: int, gap: ExplainedGap) -> None:
    """Insert, or lengthen the neighbour of the same cause: one outage stays one row."""
    touching = db.session.scalars(
        select(Gap).where(
            Gap.camera_id == camera_id,
            Gap.cause == gap.cause,
            Gap.detail == gap.detail,
            (Gap.ended_ms == gap.started_ms) | (Gap.started_ms == gap.ended_ms),
        )
    ).all()
    start = min([gap.started_ms, *(row.started_ms for row in touching)])
    end = max([gap.ended_ms, *(row.ended_ms for row in touching)])
    for row in touching:
        db.session.delete(row)
    db.session.add(
        Gap(camera_id=camera_id, started_ms=start, ended_ms=end, cause=gap.cause, detail=gap.detail)
    )
    db.session.flush()


def _horizon(camera_id: int, at_ms: int) -> int:
    """Up to where the index is complete: what the running capture wrote since may have no rows yet."""
    stream = db.session.execute(
        select(Stream.state, Stream.run_key).where(
            Stream.camera_id == camera_id, Stream.kind == StreamKind.MAIN
        )
    ).first()
    if stream is None or stream.run_key is None or stream.state not in _PRODUCING:
        return at_ms - SETTLE_AFTER_MS
    newest = db.session.scalar(
        select(Segment.ended_ms)
        .join(Run, Run.id == Segment.run_id)
        .where(Run.key == stream.run_key)
        .order_by(Segment.number.desc())
        .limit(1)
    )
    begun_ms = paths.parse_run_key(stream.run_key).epoch_s * 1000
    return min(at_ms, begun_ms if newest is None else newest)


def _previous_end(camera_id: int, at_ms: int) -> int:
    """Where a hole that holds `at_ms` began: the end of the file before it, at most `at_ms`."""
    return min(at_ms, _last_end(camera_id, at_ms) or 0)


def _last_end(camera_id: int, at_ms: int) -> int | None:
    return db.session.scalar(
        select(Segment.ended_ms)
        .where(
            Segment.stream_id == stream_id_of(camera_id),
            Segment.state != SegmentState.EXPIRING,
            Segment.started_ms <= at_ms,
        )
        .order_by(Segment.started_ms.desc())
        .limit(1)
    )
