"""What programs bring: tokens that people make for them, and the keys that make a repeated request harmless.

The tokens of the phone app are sessions (session.py).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.columns import UtcDateTime
from cctv.models.user import User


class ApiToken(db.Model):  # type: ignore[name-defined]
    """A token for a program of this person; never more rights than the person has."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    prefix: Mapped[str] = mapped_column(String(12))  # its first characters, to tell it from others
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256: 256 random bits need no more
    scopes: Mapped[list[str]] = mapped_column(JSON, default=list)
    camera_ids: Mapped[list[int] | None] = mapped_column(JSON)  # null: all of the person's
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_address: Mapped[str] = mapped_column(String(64), default="")
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()


class IdempotencyKey(db.Model):  # type: ignore[name-defined]
    """The answer that a request with this key got, to be given again for a day."""

    __tablename__ = "idempotency_key"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))  # of verb, path and body
    status: Mapped[int | None] = mapped_column(Integer)  # null: still at work
    body: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
