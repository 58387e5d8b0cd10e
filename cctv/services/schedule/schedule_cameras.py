"""Which camera follows which schedule, as intervals: one schedule at a time.

Rows only, inside the caller's transaction; the mode that makes it count is set by recordings.set_mode.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from cctv.errors import Invalid
from cctv.extensions import db
from cctv.models import Camera, RecordingMode, Schedule, ScheduleCamera

GONE = "Choose a schedule: this one does not exist (any more)."


def follow(camera_id: int, schedule_id: int | None, *, at_ms: int) -> bool:
    """From now on the camera follows this schedule, or none; whether that is new. The caller commits."""
    query = select(ScheduleCamera).where(
        ScheduleCamera.camera_id == camera_id, ScheduleCamera.ended_ms.is_(None)
    )
    current = db.session.scalars(query).all()
    if [row.schedule_id for row in current] == ([schedule_id] if schedule_id else []):
        return False
    for row in current:
        row.ended_ms = max(at_ms, row.started_ms)
    if schedule_id:
        db.session.add(ScheduleCamera(camera_id=camera_id, schedule_id=schedule_id, started_ms=at_ms))
    db.session.flush()
    return True


def check(mode: str, schedule_id: int | None) -> None:
    """A mode by schedule needs one that exists.

    Raises:
        Invalid: key schedule_id.
    """
    if mode == RecordingMode.SCHEDULE and find(schedule_id) is None:
        raise Invalid({"schedule_id": GONE if schedule_id else "Choose the schedule that it follows."})


def hold(schedule_id: int | None) -> None:
    """Nobody deletes the schedule until the transaction ends. Before the cameras are locked: in the order of
    whoever changes schedules, so that neither waits for the other for ever."""
    if schedule_id is not None:
        db.session.execute(
            select(Schedule.id).where(Schedule.id == schedule_id).with_for_update(read=True)
        ).all()


def find(schedule_id: int | None) -> Schedule | None:
    """The schedule, if there is one that is not deleted."""
    if schedule_id is None:
        return None
    query = select(Schedule).where(Schedule.id == schedule_id, Schedule.deleted_at.is_(None))
    return db.session.scalars(query).one_or_none()


def of_cameras(camera_ids: Iterable[int]) -> dict[int, Schedule]:
    """The schedule by camera id, of those that follow one; one query."""
    query = (
        select(ScheduleCamera.camera_id, Schedule)
        .join(Schedule, Schedule.id == ScheduleCamera.schedule_id)
        .where(ScheduleCamera.camera_id.in_(list(camera_ids)), ScheduleCamera.ended_ms.is_(None))
    )
    return dict(db.session.execute(query).tuples().all())


def schedule_id_of(camera_id: int) -> int | None:
    """The id of the schedule that a camera follows, if any."""
    query = select(ScheduleCamera.schedule_id).where(
        ScheduleCamera.camera_id == camera_id, ScheduleCamera.ended_ms.is_(None)
    )
    return db.session.scalar(query)


def cameras_of(schedule_id: int) -> list[Camera]:
    """The cameras that follow it, by number."""
    query = (
        select(Camera)
        .join(ScheduleCamera, ScheduleCamera.camera_id == Camera.id)
        .where(
            ScheduleCamera.schedule_id == schedule_id,
            ScheduleCamera.ended_ms.is_(None),
            Camera.deleted_at.is_(None),
        )
        .order_by(Camera.number)
    )
    return list(db.session.scalars(query))


def by_schedule() -> dict[int, list[Camera]]:
    """The cameras that follow each schedule, by its id; one query for all."""
    query = (
        select(ScheduleCamera.schedule_id, Camera)
        .join(Camera, Camera.id == ScheduleCamera.camera_id)
        .where(ScheduleCamera.ended_ms.is_(None), Camera.deleted_at.is_(None))
        .order_by(Camera.number)
    )
    found: dict[int, list[Camera]] = {}
    for schedule_id, camera in db.session.execute(query):
        found.setdefault(schedule_id, []).append(camera)
    return found
