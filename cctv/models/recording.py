"""A recording: what a person or a rule asked to keep - an interval with a reason; and the gaps in it.

The footage itself is in segments; a recording without footage is still a promise that was made.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.camera import Camera
from cctv.models.columns import UtcDateTime
from cctv.models.user import User


class RecordingKind(StrEnum):
    """Why footage is kept."""

    CONTINUOUS = "continuous"  # one row per camera and site-local day
    MANUAL = "manual"
    SCHEDULE = "schedule"
    ACTIVITY = "activity"


class Recording(db.Model):  # type: ignore[name-defined]
    """An interval with a reason."""

    __tablename__ = "recording"
    __table_args__ = (
        Index("ix_recording_camera", "camera_id", "started_ms"),
        UniqueConstraint("camera_id", "kind", "day"),  # day is null for all but continuous
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(12))
    started_ms: Mapped[int] = mapped_column(BigInteger)  # pre-roll included
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)  # null: still going on
    planned_end_ms: Mapped[int | None] = mapped_column(BigInteger)  # ends by itself then
    day: Mapped[date | None] = mapped_column(Date)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(Text, default="")
    locked_by: Mapped[str | None] = mapped_column(String(120))
    locked_reason: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    camera: Mapped[Camera] = relationship()
    user: Mapped[User | None] = relationship()  # who started it


class Gap(db.Model):  # type: ignore[name-defined]
    """Wanted time without footage, with its cause. Gaps of a camera never overlap one another."""

    __tablename__ = "gap"
    __table_args__ = (Index("ix_gap_camera", "camera_id", "started_ms", "ended_ms"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    started_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int] = mapped_column(BigInteger)
    cause: Mapped[str] = mapped_column(String(24))  # causes.py
    detail: Mapped[str] = mapped_column(String(300), default="")
