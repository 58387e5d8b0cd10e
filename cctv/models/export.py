"""Footage on its way to a file that a person takes home: what was asked, how far it is, how long it stays.

The file itself lies under the node's DATA_DIR and is known here by its name only.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.columns import UtcDateTime
from cctv.models.user import User


class ExportState(StrEnum):
    """Where an export stands."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # its file is gone


class Export(db.Model):  # type: ignore[name-defined]
    """One export."""

    __tablename__ = "export"
    __table_args__ = (
        Index("ix_export_created", "created_at"),
        Index("ix_export_state", "state", "keep_until"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"), index=True)
    camera_ids: Mapped[list[int]] = mapped_column(JSON)
    started_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int] = mapped_column(BigInteger)
    has_time_track: Mapped[bool] = mapped_column(Boolean, default=False)  # the time as subtitles
    is_evidence: Mapped[bool] = mapped_column(
        Boolean, default=False
    )  # zip with manifest and the page that checks it
    note: Mapped[str] = mapped_column(String(300), default="")
    state: Mapped[str] = mapped_column(String(10), default=ExportState.QUEUED)
    phase: Mapped[str] = mapped_column(String(40), default="")  # in words
    permille: Mapped[int] = mapped_column(Integer, default=0)
    wants_cancel: Mapped[bool] = mapped_column(Boolean, default=False)
    estimated_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    file_name: Mapped[str | None] = mapped_column(String(200))  # as it is downloaded
    sha256: Mapped[str | None] = mapped_column(String(64))
    cause: Mapped[str] = mapped_column(String(300), default="")  # why it failed, in words
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # parts, holes, what was left out
    node_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    worker: Mapped[str | None] = mapped_column(String(40))  # "<pid>:<start time>" while it is made
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    keep_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User | None] = relationship()
