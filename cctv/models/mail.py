"""Mail on its way: one row for each recipient, and one for what was sent to many at once.

What a mail says is made from a template when it is sent; secrets in it are sealed and wiped afterwards.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.columns import UtcDateTime


class MailState(StrEnum):
    """Where a mail stands."""

    QUEUED = "queued"  # or waiting for the next try
    SENDING = "sending"
    SENT = "sent"  # the server has taken it
    FAILED = "failed"  # for good
    EXPIRED = "expired"  # what it says would no longer be true
    CANCELLED = "cancelled"


class MailBatch(db.Model):  # type: ignore[name-defined]
    """One mail to many."""

    __tablename__ = "mail_batch"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    subject: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))  # who sent it
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    messages: Mapped[list[MailMessage]] = relationship(back_populates="batch")


class MailMessage(db.Model):  # type: ignore[name-defined]
    """One mail to one address."""

    __tablename__ = "mail_message"
    __table_args__ = (
        Index("ix_mail_message_due", "state", "next_at"),
        Index("ix_mail_message_created", "created_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("mail_batch.id", ondelete="CASCADE"), index=True)
    sender_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="SET NULL")
    )  # null: the system
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="SET NULL")
    )  # to whom, if known
    address: Mapped[str] = mapped_column(String(254))
    template: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(200))
    values_sealed: Mapped[str | None] = mapped_column(Text)  # keys.encrypt of JSON; null once it is over
    state: Mapped[str] = mapped_column(String(10), default=MailState.QUEUED)
    tries: Mapped[int] = mapped_column(Integer, default=0)  # raised by each claim; a claim's fence
    # The next try; while it is being sent: when the claim lapses. Null once it is over.
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=utcnow)
    # The server was about to be given the mail itself: whoever dies after this leaves it uncertain.
    handed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    steps: Mapped[list[Any] | None] = mapped_column(JSON)  # of a test: [{step, state, text}] as they happen
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cause: Mapped[str] = mapped_column(String(300), default="")  # of the last failure, in words
    answer: Mapped[str] = mapped_column(String(500), default="")  # of the server, masked
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    batch: Mapped[MailBatch | None] = relationship(back_populates="messages")
