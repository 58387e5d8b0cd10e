"""What is copied without anybody asking: all that is kept, or what schedules, people, activity or locks name.

Makes rows only, a little at a time; whether and when they are sent is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import or_, select

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, clip, intersect, overlaps, union
from cctv.models import (
    Activity,
    Camera,
    ModeChange,
    Recording,
    RecordingKind,
    Segment,
    SegmentState,
    Stream,
    StreamKind,
    Transfer,
)
from cctv.services.bucket import cloud, transfer_rows
from cctv.services.footage.finding import LONGEST_FILE_MS
from cctv.services.recording.wanted import FOREVER_MS, wanted_by_camera
from cctv.services.site import settings

RECENT_MS = 3 * 3_600_000  # looked at every minute: what was kept or wanted lately
_PAGE = 400  # files a transaction
_FOLLOWS_SCHEDULE = RecordingKind.SCHEDULE.value  # the recording mode has the same name


class Rule(StrEnum):
    """What a rule names."""

    ALL = "all"
    SCHEDULE = "schedule"
    RECORDING = "recording"
    ACTIVITY = "activity"
    LOCKED = "locked"


def plan(*, since_ms: int | None = None, at_ms: int | None = None) -> int:
    """Ask for the copies that the rules want, of footage from `since_ms` on (lately); how many are new.

    Locked footage is looked for however old it is.
    """
    rules = chosen()
    if not rules or cloud.access() is None:
        return 0
    at_ms = now_ms() if at_ms is None else at_ms
    oldest_ms = int(settings.get("cloud_rules_since_ms"))
    start_ms = max(oldest_ms, at_ms - RECENT_MS if since_ms is None else since_ms)
    cameras = list(
        db.session.scalars(select(Camera.id).where(Camera.is_demo.is_(False), Camera.deleted_at.is_(None)))
    )
    wanted = _wanted(rules - {Rule.LOCKED}, cameras, start_ms, at_ms)
    db.session.commit()
    count = sum(
        _plan_camera(camera_id, spans, priority=transfer_rows.BY_RULE)
        for camera_id, spans in wanted.items()
        if spans
    )
    if Rule.LOCKED in rules:
        count += sum(
            _plan_camera(camera_id, spans, priority=transfer_rows.HELD)
            for camera_id, spans in locked(at_ms).items()
        )
    return count


def plan_all() -> int:
    """The same for everything since the rules hold: after they were changed, and now and then."""
    return plan(since_ms=0)


def chosen() -> set[Rule]:
    """The rules that are set."""
    return {Rule(name) for name in cloud.rules() if name in set(Rule)}


def locked(at_ms: int) -> dict[int, list[Interval]]:
    """What is held as evidence, by camera; the test picture's never counts."""
    query = (
        select(Recording.camera_id, Recording.started_ms, Recording.ended_ms)
        .join(Camera, Camera.id == Recording.camera_id)
        .where(Recording.locked_by.is_not(None), Camera.is_demo.is_(False))
    )
    found: dict[int, list[Interval]] = {}
    for camera_id, started, ended in db.session.execute(query):
        found.setdefault(camera_id, []).append((started, at_ms if ended is None else ended))
    db.session.commit()
    return {camera_id: union(spans) for camera_id, spans in found.items()}


def _wanted(rules: set[Rule], cameras: list[int], start_ms: int, end_ms: int) -> dict[int, list[Interval]]:
    if not rules or not cameras or end_ms <= start_ms:
        return {}
    if Rule.ALL in rules:
        return {camera_id: [(start_ms, end_ms)] for camera_id in cameras}
    found: dict[int, list[Interval]] = {camera_id: [] for camera_id in cameras}
    if Rule.RECORDING in rules:
        _extend(found, _by_people(cameras, start_ms, end_ms))
    if Rule.SCHEDULE in rules:
        promised = wanted_by_camera(cameras, start_ms, end_ms)
        for camera_id, spans in _following(cameras, start_ms, end_ms).items():
            found[camera_id] += intersect(union(spans), promised[camera_id])
    if Rule.ACTIVITY in rules:
        _extend(found, _around_activity(cameras, start_ms, end_ms))
    return {camera_id: clip(spans, start_ms, end_ms) for camera_id, spans in found.items()}


def _extend(found: dict[int, list[Interval]], spans: Iterable[tuple[int, int, int]]) -> None:
    for camera_id, start, end in spans:
        found[camera_id].append((start, end))


def _by_people(cameras: list[int], start_ms: int, end_ms: int) -> Iterable[tuple[int, int, int]]:
    query = select(
        Recording.camera_id, Recording.started_ms, Recording.ended_ms, Recording.planned_end_ms
    ).where(
        Recording.camera_id.in_(cameras),
        Recording.kind == RecordingKind.MANUAL,
        Recording.started_ms < end_ms,
        or_(Recording.ended_ms.is_(None), Recording.ended_ms > start_ms),
    )
    for camera_id, started, ended, planned in db.session.execute(query):
        ends = [end for end in (ended, planned) if end is not None]
        yield camera_id, started, min(ends, default=FOREVER_MS)


def _following(cameras: list[int], start_ms: int, end_ms: int) -> dict[int, list[Interval]]:
    """When each camera followed a schedule."""
    query = select(ModeChange.camera_id, ModeChange.started_ms, ModeChange.ended_ms).where(
        ModeChange.camera_id.in_(cameras),
        ModeChange.mode == _FOLLOWS_SCHEDULE,
        ModeChange.started_ms < end_ms,
        or_(ModeChange.ended_ms.is_(None), ModeChange.ended_ms > start_ms),
    )
    found: dict[int, list[Interval]] = {}
    for camera_id, started, ended in db.session.execute(query):
        found.setdefault(camera_id, []).append((started, FOREVER_MS if ended is None else ended))
    return found


def _around_activity(cameras: list[int], start_ms: int, end_ms: int) -> Iterable[tuple[int, int, int]]:
    query = (
        select(
            Activity.camera_id,
            Activity.started_ms,
            Activity.ended_ms,
            Camera.pre_roll_seconds,
            Camera.post_roll_seconds,
        )
        .join(Camera, Camera.id == Activity.camera_id)
        .where(
            Activity.camera_id.in_(cameras),
            Activity.started_ms < end_ms,
            or_(Activity.ended_ms.is_(None), Activity.ended_ms > start_ms - LONGEST_FILE_MS),
        )
    )
    for camera_id, started, ended, before_s, after_s in db.session.execute(query):
        end = end_ms if ended is None else ended + after_s * 1000
        yield camera_id, started - before_s * 1000, end


def _plan_camera(camera_id: int, spans: list[Interval], *, priority: int) -> int:
    """Rows for the kept files of these times that have none yet, page by page."""
    count, after_ms = 0, spans[0][0] - LONGEST_FILE_MS
    end_ms = spans[-1][1]
    stream_id = db.session.scalar(
        select(Stream.id).where(Stream.camera_id == camera_id, Stream.kind == StreamKind.MAIN)
    )
    while True:
        rows = db.session.execute(
            select(Segment.id, Segment.started_ms, Segment.ended_ms)
            .outerjoin(Transfer, Transfer.segment_id == Segment.id)
            .where(
                Segment.stream_id == stream_id,
                Segment.started_ms > after_ms,
                Segment.started_ms < end_ms,
                # Not "is kept": SQLite would leave the index by time for the one by state.
                Segment.state.not_in([SegmentState.RING, SegmentState.EXPIRING, SegmentState.CLOUD]),
                Transfer.id.is_(None),
            )
            .order_by(Segment.started_ms)
            .limit(_PAGE)
        ).all()
        db.session.commit()
        if not rows:
            return count
        after_ms = rows[-1].started_ms
        ids = [row.id for row in rows if overlaps(spans, row.started_ms, row.ended_ms)]
        if ids:
            begin_writing()
            count += len(transfer_rows.add(ids, priority=priority))
            db.session.commit()
        if len(rows) < _PAGE:
            return count
