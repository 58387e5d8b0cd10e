"""Secrets that work once: mailed codes and links, and recovery codes of the second factor; only their hashes.

How long they live and how often they may be tried is said by the services that make them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.columns import UtcDateTime
from cctv.models.user import User


class CodePurpose(StrEnum):
    """What a mailed code opens."""

    VERIFY = "verify"  # this address is mine
    RESET = "reset"  # a new password
    INVITE = "invite"  # the first password of an account that somebody else made
    PAIR = "pair"  # a phone, by scanning what the person shows it


class OneTimeCode(db.Model):  # type: ignore[name-defined]
    """A code to type and a link to follow; either may be used, once."""

    __tablename__ = "one_time_code"
    __table_args__ = (Index("ix_one_time_code_user", "user_id", "purpose"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(8))
    email: Mapped[str] = mapped_column(String(254))  # it was sent to, and it speaks for
    code_hash: Mapped[str] = mapped_column(String(64))
    link_hash: Mapped[str] = mapped_column(String(64), unique=True)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Or dead: a newer one was made. Too many tries kill the code alone, not the link.
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()


class RecoveryCode(db.Model):  # type: ignore[name-defined]
    """Opens an account whose second factor is lost."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
