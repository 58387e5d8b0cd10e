"""Continuous recording as people know it: one row per camera and site-local day.

The rows only name the days; what is kept is said by the modes.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import func, select

from cctv.clock import day_bounds_ms, now_ms, site_day
from cctv.extensions import begin_writing, db
from cctv.models import Camera, ModeChange, Recording, RecordingKind, RecordingMode
from cctv.services.recording.wanted import lock_cameras
from cctv.services.site import settings


def roll_days(*, at_ms: int | None = None) -> int:
    """One row per camera and site-local day of continuous recording: end yesterday's, begin today's; also the
    days that were missed. How many cameras changed."""
    at_ms = now_ms() if at_ms is None else at_ms
    today = site_day(at_ms, settings.zone())
    recorded_today = select(Recording.camera_id).where(
        Recording.kind == RecordingKind.CONTINUOUS, Recording.day == today, Recording.ended_ms.is_(None)
    )
    due = db.session.scalars(
        select(ModeChange.camera_id)
        .join(Camera, Camera.id == ModeChange.camera_id)
        .where(
            Camera.deleted_at.is_(None),
            ModeChange.mode == RecordingMode.CONTINUOUS,
            ModeChange.ended_ms.is_(None),
            ModeChange.camera_id.not_in(recorded_today),
        )
        .union(
            select(Recording.camera_id).where(
                Recording.kind == RecordingKind.CONTINUOUS,
                Recording.day < today,
                Recording.ended_ms.is_(None),
            )
        )
    ).all()
    db.session.commit()
    for camera_id in due:
        begin_writing()
        lock_cameras([camera_id])
        roll_camera(camera_id, at_ms)
        db.session.commit()
    return len(due)


def roll_camera(camera_id: int, at_ms: int) -> None:
    """Make the day rows of a camera say what its modes say. The caller has locked it and commits."""
    zone = settings.zone()
    today = site_day(at_ms, zone)
    for row in db.session.scalars(
        select(Recording).where(
            Recording.camera_id == camera_id,
            Recording.kind == RecordingKind.CONTINUOUS,
            Recording.ended_ms.is_(None),
        )
    ):
        day_end = day_bounds_ms(row.day or today, zone)[1]
        row.ended_ms = max(row.started_ms, min(day_end, at_ms))
    since = db.session.scalar(
        select(ModeChange.started_ms).where(
            ModeChange.camera_id == camera_id,
            ModeChange.mode == RecordingMode.CONTINUOUS,
            ModeChange.ended_ms.is_(None),
        )
    )
    if since is None:
        return
    newest = db.session.scalar(
        select(func.max(Recording.day)).where(
            Recording.camera_id == camera_id, Recording.kind == RecordingKind.CONTINUOUS
        )
    )
    day = max(newest, site_day(since, zone)) if newest else site_day(since, zone)
    while day <= today:
        _put_day(camera_id, day, since, is_today=day == today)
        day += timedelta(days=1)


def _put_day(camera_id: int, day: date, since_ms: int, *, is_today: bool) -> None:
    start_ms, end_ms = day_bounds_ms(day, settings.zone())
    row = db.session.scalars(
        select(Recording).where(
            Recording.camera_id == camera_id,
            Recording.kind == RecordingKind.CONTINUOUS,
            Recording.day == day,
        )
    ).first()
    if row is None:
        row = Recording(
            camera_id=camera_id,
            kind=RecordingKind.CONTINUOUS,
            day=day,
            started_ms=max(start_ms, since_ms),
        )
        db.session.add(row)
    row.ended_ms = None if is_today else end_ms
    db.session.flush()
