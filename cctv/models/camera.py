"""A camera: what people name, switch on and give a recording mode.

Its pictures come through its streams; its password is here only encrypted.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.columns import UtcDateTime

if TYPE_CHECKING:
    from cctv.models.stream import Stream


class RecordingMode(StrEnum):
    """When footage is kept without anybody pressing a button."""

    OFF = "off"
    CONTINUOUS = "continuous"
    MANUAL = "manual"  # ring only, until somebody presses Record
    SCHEDULE = "schedule"  # as the schedule says that the camera follows
    ACTIVITY = "activity"  # whenever something moves, with the seconds before and after


class Camera(db.Model):  # type: ignore[name-defined]
    """One camera."""

    __tablename__ = "camera"
    # Footage lies under the id: an id is never given out twice, also by SQLite.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int | None] = mapped_column(
        Integer, unique=True
    )  # on the wall and keyboard; null: deleted
    name: Mapped[str] = mapped_column(String(80))
    is_enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    username: Mapped[str] = mapped_column(String(128), default="")
    password_encrypted: Mapped[str | None] = mapped_column(Text)  # keys.encrypt
    recording_mode: Mapped[str] = mapped_column(String(16), default=RecordingMode.CONTINUOUS)
    pre_roll_seconds: Mapped[int] = mapped_column(Integer, default=10)
    post_roll_seconds: Mapped[int] = mapped_column(Integer, default=10)  # after activity
    watches_activity: Mapped[bool] = mapped_column(Boolean, default=True)
    sensitivity: Mapped[int] = mapped_column(Integer, default=50)  # of activity, 1 to 100
    # {"name", "points": [[x, y], ...] as shares of the picture, "is_ignored"}; none: all of it counts
    zones: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    # Pictures before this moment were compared, or given up; null: none yet.
    activity_seen_ms: Mapped[int | None] = mapped_column(BigInteger)
    activity_trouble: Mapped[str] = mapped_column(String(200), default="")  # of the last look, in words
    keep_days: Mapped[int | None] = mapped_column(Integer)  # null: the default of the settings
    keep_bytes: Mapped[int | None] = mapped_column(BigInteger)  # null: no limit of its own
    chain_number: Mapped[int] = mapped_column(Integer, default=0)  # of the newest link; chain.py
    chain_hash: Mapped[str] = mapped_column(String(64), default="0" * 64)  # of it; zeros before the first
    # Recordings of schedules and activity are listed from here on: somebody deleted the ones before.
    listed_from_ms: Mapped[int | None] = mapped_column(BigInteger)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))  # pinned to a site; null: any node
    version: Mapped[int] = mapped_column(Integer, default=1)  # optimistic lock of the edit form
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    switched_by: Mapped[str | None] = mapped_column(String(120))  # who turned it off, in words
    switched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # its footage goes in the background

    streams: Mapped[list[Stream]] = relationship(
        back_populates="camera", cascade="all, delete-orphan", order_by="Stream.id", lazy="selectin"
    )

    @property
    def main(self) -> Stream:
        """The stream that is recorded."""
        return next(stream for stream in self.streams if stream.kind == "main")

    def stream(self, kind: str) -> Stream | None:
        """The stream of that kind, or None when the camera has none."""
        return next((stream for stream in self.streams if stream.kind == kind), None)


class ModeChange(db.Model):  # type: ignore[name-defined]
    """The history of a camera's recording mode as intervals; the open one has no end.

    With the seconds around activity as they were then: changing them must not make gaps in the past.
    """

    __tablename__ = "mode_change"
    __table_args__ = (Index("ix_mode_change_camera", "camera_id", "started_ms"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    mode: Mapped[str] = mapped_column(String(16))
    pre_roll_seconds: Mapped[int] = mapped_column(Integer, default=10, server_default="10")
    post_roll_seconds: Mapped[int] = mapped_column(Integer, default=10, server_default="10")
    started_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
