"""Weekly plans of when cameras record. Every change makes a new version, so that the past stays explained.

What a plan means for a moment is worked out in services/schedule/schedule_times.py, on the clock of the site.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.camera import Camera
from cctv.models.columns import UtcDateTime


class Schedule(db.Model):  # type: ignore[name-defined]
    """A plan with a name."""

    __tablename__ = "schedule"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(Integer, default=1)  # optimistic lock of the edit form and the API
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the row stays: it explains the past

    versions: Mapped[list[ScheduleVersion]] = relationship(
        back_populates="schedule", cascade="all, delete-orphan", order_by="ScheduleVersion.id"
    )


class ScheduleVersion(db.Model):  # type: ignore[name-defined]
    """What a plan said in [started_ms, ended_ms); the open one has no end. None while it is inactive.

    What is saved while it is inactive has started_ms == ended_ms: it holds for no moment, and is what comes
    into force when the plan is activated. The newest by id is the plan as it stands.
    """

    __tablename__ = "schedule_version"
    __table_args__ = (Index("ix_schedule_version_schedule", "schedule_id", "started_ms"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedule.id", ondelete="CASCADE"))
    started_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)
    time_zone: Mapped[str] = mapped_column(String(64))  # of the site at that time; a move makes a new version
    # [weekday 0 (Monday) .. 6, start minute, end minute (1440: midnight), "continuous" | "activity"]
    weekly: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    # {"date": "2026-12-25", "blocks": [[start minute, end minute, mode], ...]}: instead of the week's day
    exceptions: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)

    schedule: Mapped[Schedule] = relationship(back_populates="versions")


class ScheduleCamera(db.Model):  # type: ignore[name-defined]
    """A camera followed this plan in [started_ms, ended_ms); one plan at a time."""

    __tablename__ = "schedule_camera"
    __table_args__ = (
        Index("ix_schedule_camera_camera", "camera_id", "started_ms"),
        Index("ix_schedule_camera_schedule", "schedule_id", "started_ms"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedule.id", ondelete="CASCADE"))
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    started_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)

    camera: Mapped[Camera] = relationship()
