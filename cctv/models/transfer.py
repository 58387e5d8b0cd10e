"""The copy of a segment in the bucket: wanted, on its way, verified. Survives kill -9 on both sides.

What is copied and when is decided by transfers.py; only a verified copy may outlive the local file.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.columns import UtcDateTime
from cctv.models.segment import Segment


class TransferState(StrEnum):
    """Where a copy stands."""

    PENDING = "pending"  # or waiting for the next try
    UPLOADING = "uploading"
    VERIFIED = "verified"  # size and crc32c of the object are those of the file
    FAILED = "failed"  # needs a person: see cause
    REMOVING = "removing"  # the object is to go
    CANCELLED = "cancelled"


class Transfer(db.Model):  # type: ignore[name-defined]
    """One copy."""

    __tablename__ = "transfer"
    __table_args__ = (
        Index("ix_transfer_due", "state", "priority", "next_at"),
        Index("ix_transfer_camera", "camera_id", "state", "ended_ms"),
        # What may make room first, the oldest first (services/lifetime/eviction.py).
        Index(
            "ix_transfer_local",
            "node_id",
            "ended_ms",
            sqlite_where=text("is_local AND state = 'verified'"),
            postgresql_where=text("is_local AND state = 'verified'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    # Null: the footage is deleted, and the object is to go as well (or was left in the bucket on purpose).
    segment_id: Mapped[int | None] = mapped_column(ForeignKey("segment.id", ondelete="SET NULL"), unique=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id"))  # whose disk holds the file
    ended_ms: Mapped[int] = mapped_column(BigInteger)  # as the segment's
    is_local: Mapped[bool] = mapped_column(Boolean, default=True)  # False once the local file went
    bucket: Mapped[str] = mapped_column(String(222))
    object_name: Mapped[str] = mapped_column(
        String(300), unique=True
    )  # with a random part: not to be guessed
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    crc32c: Mapped[str | None] = mapped_column(String(12))  # base64, of the local file
    generation: Mapped[str | None] = mapped_column(String(24))  # of the verified object
    state: Mapped[str] = mapped_column(String(10), default=TransferState.PENDING)
    priority: Mapped[int] = mapped_column(Integer, default=5)  # 0 first: asked for by a person
    offset_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    session_sealed: Mapped[str | None] = mapped_column(
        Text
    )  # keys.encrypt of the resumable session's address
    tries: Mapped[int] = mapped_column(Integer, default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=utcnow)
    worker: Mapped[str | None] = mapped_column(String(40))
    cause: Mapped[str] = mapped_column(String(300), default="")  # of the last failure, in words
    reason: Mapped[str] = mapped_column(
        String(16), default="rule"
    )  # rule | request | left (see transfer_rows)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    segment: Mapped[Segment | None] = relationship()
