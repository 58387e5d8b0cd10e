"""What happened to the system: early deletions, storage trouble, takeovers, recoveries.

Written once per episode, read by the overview; never changed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from cctv.extensions import db


class Event(db.Model):  # type: ignore[name-defined]
    """One happening."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_at", "at_ms"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(32))  # storage|deleted_early|recovered|file_refused|camera|...
    severity: Mapped[str] = mapped_column(String(8), default="note")  # note|warn|bad
    camera_id: Mapped[int | None] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(String(500))  # a sentence for a person
