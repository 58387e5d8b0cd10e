"""What schedules and activity kept, as recordings that people can find, lock and delete: rows that follow the
rules.

The rows only give names and times to what rules keep; what is kept is said by wanted.py, never here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select

from cctv.clock import day_bounds_ms, now_ms, site_day
from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, intersect, subtract, union
from cctv.models import (
    Camera,
    ModeChange,
    Recording,
    RecordingKind,
    RecordingMode,
    Segment,
    Stream,
    StreamKind,
)
from cctv.services.footage.finding import NOT_KEPT
from cctv.services.recording import planned
from cctv.services.recording.planned import Planned
from cctv.services.recording.wanted import around_activity, lock_cameras
from cctv.services.site import settings

LOOK_BACK_MS = 3_600_000  # activity is found minutes after it was filmed
FAR_BACK_MS = 3 * 86_400_000  # once an hour: what a worker that was down has missed
_FORGOTTEN_MS = 90 * 86_400_000  # of what people started, whose footage is long gone
_KINDS = (RecordingKind.SCHEDULE, RecordingKind.ACTIVITY)
_MODES = (RecordingMode.SCHEDULE, RecordingMode.ACTIVITY)


class Kept(NamedTuple):
    """[start_ms, end_ms) that a rule kept; it goes on where it reaches the moment that was asked about."""

    kind: str
    start_ms: int
    end_ms: int


def follow(*, look_back_ms: int = LOOK_BACK_MS, at_ms: int | None = None) -> int:
    """Make the rows of schedules and activity say what the rules say; how many cameras changed.

    A row that a person deleted does not come back: a camera's rows begin after it.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    zone = settings.zone()
    oldest_ms = min(at_ms - look_back_ms, _oldest_open_ms() or at_ms)
    since_ms = day_bounds_ms(site_day(oldest_ms, zone), zone)[0]
    listed = _cameras(since_ms, at_ms)
    if not listed:
        db.session.commit()
        return 0
    kept = kept_by_rules(listed, since_ms, at_ms)
    rows = _rows(listed, since_ms)
    due = [
        camera_id
        for camera_id, from_ms in listed.items()
        if _apply(rows[camera_id], kept[camera_id], from_ms, at_ms)
    ]
    db.session.rollback()  # that was only to see
    for camera_id in due:
        begin_writing()
        lock_cameras([camera_id])
        camera = db.session.get_one(Camera, camera_id, populate_existing=True)
        found = _rows([camera_id], since_ms)[camera_id]
        for change in _apply(found, kept[camera_id], camera.listed_from_ms or 0, at_ms):
            _write(camera_id, change)
        db.session.commit()
    return len(due)


def kept_by_rules(camera_ids: Iterable[int], start_ms: int, end_ms: int) -> dict[int, list[Kept]]:
    """By camera: what schedules keep whatever happens, a piece for each block and site-local day; and what is
    kept because something moved."""
    ids = list(camera_ids)
    rules = planned.by_camera(ids, start_ms, end_ms)
    always = _always(ids, start_ms, end_ms)
    days = _days(start_ms, end_ms)
    moved = around_activity(
        {camera_id: _of_mode(group, RecordingMode.ACTIVITY) for camera_id, group in rules.items()}
    )
    answer = {}
    for camera_id in ids:
        blocks = [
            (rule.start_ms, rule.end_ms) for rule in _of_mode(rules[camera_id], RecordingMode.CONTINUOUS)
        ]
        by_schedule = subtract(blocks, always[camera_id])
        pieces = [
            Kept(RecordingKind.SCHEDULE, *piece) for day in days for piece in intersect(by_schedule, [day])
        ]
        clipped = intersect(moved.get(camera_id, []), [(start_ms, end_ms)])
        pieces += [Kept(RecordingKind.ACTIVITY, *piece) for piece in clipped]
        answer[camera_id] = pieces
    return answer


def forget_gone(*, at_ms: int | None = None) -> int:
    """Remove the recordings of which retention has left nothing; how many. What is locked stays.

    Those of rules go with their footage; what people started stays ninety days longer, for its note.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    oldest = (
        select(func.min(Segment.started_ms))
        .where(Segment.stream_id == Stream.id, Segment.state.not_in(NOT_KEPT))
        .correlate(Stream)
        .scalar_subquery()
    )
    cameras = db.session.execute(select(Stream.camera_id, oldest).where(Stream.kind == StreamKind.MAIN)).all()
    db.session.commit()
    count = 0
    for camera_id, oldest_ms in cameras:
        long_ago = at_ms - _FORGOTTEN_MS
        before_ms = long_ago if oldest_ms is None else oldest_ms
        begin_writing()
        found: int = db.session.execute(
            delete(Recording)
            .where(
                Recording.camera_id == camera_id,
                Recording.locked_by.is_(None),
                Recording.ended_ms < before_ms,
                or_(Recording.kind != RecordingKind.MANUAL, Recording.ended_ms < long_ago),
            )
            .execution_options(synchronize_session=False)
        ).rowcount  # type: ignore[attr-defined]
        db.session.commit()
        count += found
    return count


class _Change(NamedTuple):
    """What is to become of a row: `row` None is a new one, `kept` None is one that goes or ends."""

    row: Recording | None
    kept: Kept | None
    ended_ms: int | None
    goes: bool = False


def _oldest_open_ms() -> int | None:
    """How far back the rows that go on reach: those are ended by what the rules said since."""
    going = (Recording.kind.in_(_KINDS), Recording.ended_ms.is_(None))
    oldest: int | None = db.session.scalar(select(func.min(Recording.started_ms)).where(*going))
    return oldest


def _cameras(since_ms: int, at_ms: int) -> dict[int, int]:
    """Camera id -> from when its rows are listed, of all that had such a rule or have a row that goes on."""
    ruled = select(ModeChange.camera_id).where(
        ModeChange.mode.in_(_MODES),
        ModeChange.started_ms < at_ms,
        or_(ModeChange.ended_ms.is_(None), ModeChange.ended_ms > since_ms),
    )
    going = select(Recording.camera_id).where(Recording.kind.in_(_KINDS), Recording.ended_ms.is_(None))
    query = select(Camera.id, Camera.listed_from_ms).where(
        Camera.deleted_at.is_(None), or_(Camera.id.in_(ruled), Camera.id.in_(going))
    )
    return {camera_id: from_ms or 0 for camera_id, from_ms in db.session.execute(query)}


def _rows(camera_ids: Iterable[int], since_ms: int) -> dict[int, list[Recording]]:
    found: dict[int, list[Recording]] = {camera_id: [] for camera_id in camera_ids}
    query = select(Recording).where(
        Recording.camera_id.in_(found),
        Recording.kind.in_(_KINDS),
        or_(Recording.ended_ms.is_(None), Recording.ended_ms > since_ms),
    )
    for row in db.session.scalars(query.order_by(Recording.started_ms, Recording.id)):
        found[row.camera_id].append(row)
    return found


def _apply(rows: list[Recording], kept: list[Kept], from_ms: int, at_ms: int) -> list[_Change]:
    """What has to change so that the rows say what was kept."""
    changes: list[_Change] = []
    free = list(rows)
    for piece in kept:
        mine = [row for row in free if row.kind == piece.kind and _is_same(row, piece, at_ms)]
        free = [row for row in free if row not in mine]
        ended_ms = None if piece.end_ms >= at_ms else piece.end_ms
        if not mine:
            start_ms = max(piece.start_ms, from_ms)
            if start_ms < piece.end_ms:
                changes.append(_Change(None, piece._replace(start_ms=start_ms), ended_ms))
            continue
        first, *others = mine
        start_ms = min(first.started_ms, max(piece.start_ms, from_ms))
        if (first.started_ms, first.ended_ms) != (start_ms, ended_ms):
            changes.append(_Change(first, piece._replace(start_ms=start_ms), ended_ms))
        # What was two before is one now, as more was found between them.
        changes += [_Change(row, None, None, goes=True) for row in others if not (row.locked_by or row.note)]
    changes += [_Change(row, None, max(at_ms, row.started_ms + 1)) for row in free if row.ended_ms is None]
    return changes


def _is_same(row: Recording, piece: Kept, at_ms: int) -> bool:
    """A block of a schedule is known by its beginning; activity found later lengthens a row to both sides."""
    if row.kind == RecordingKind.SCHEDULE:
        return row.started_ms == piece.start_ms or (
            row.ended_ms is None and piece.start_ms <= row.started_ms < piece.end_ms
        )
    end_ms = at_ms + 1 if row.ended_ms is None else row.ended_ms
    return row.started_ms < piece.end_ms and end_ms > piece.start_ms


def _write(camera_id: int, change: _Change) -> None:
    if change.row is None and change.kept is not None:
        kind, start_ms, _end_ms = change.kept
        row = Recording(camera_id=camera_id, kind=kind, started_ms=start_ms, ended_ms=change.ended_ms)
        db.session.add(row)
    elif change.row is not None and change.goes:
        db.session.delete(change.row)
    elif change.row is not None:
        change.row.ended_ms = change.ended_ms
        if change.kept is not None:
            change.row.started_ms = change.kept.start_ms


def _always(camera_ids: list[int], start_ms: int, end_ms: int) -> dict[int, list[Interval]]:
    """When each camera recorded all the time by its own mode: that has a row a day already."""
    found: dict[int, list[Interval]] = {camera_id: [] for camera_id in camera_ids}
    query = select(ModeChange.camera_id, ModeChange.started_ms, ModeChange.ended_ms).where(
        ModeChange.camera_id.in_(camera_ids),
        ModeChange.mode == RecordingMode.CONTINUOUS,
        ModeChange.started_ms < end_ms,
        or_(ModeChange.ended_ms.is_(None), ModeChange.ended_ms > start_ms),
    )
    for camera_id, started, ended in db.session.execute(query):
        found[camera_id].append((started, end_ms if ended is None else ended))
    return {camera_id: union(group) for camera_id, group in found.items()}


def _of_mode(rules: list[Planned], mode: str) -> list[Planned]:
    return [rule for rule in rules if rule.mode == mode]


def _days(start_ms: int, end_ms: int) -> list[Interval]:
    zone = settings.zone()
    days = []
    while start_ms < end_ms:
        day = day_bounds_ms(site_day(start_ms, zone), zone)
        days.append(day)
        start_ms = day[1]
    return days
