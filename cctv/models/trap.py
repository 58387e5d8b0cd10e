"""Who touched the honeypot: addresses, and the last attempts of each, as text that is never a link.

What follows from it is decided by services/sign_in/honeypot.py.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from cctv.extensions import db


class TrappedAddress(db.Model):  # type: ignore[name-defined]
    """One client address."""

    __tablename__ = "trapped_address"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    address: Mapped[str] = mapped_column(String(64), unique=True)
    first_ms: Mapped[int] = mapped_column(BigInteger)
    last_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    hits: Mapped[int] = mapped_column(Integer, default=0)
    tries: Mapped[int] = mapped_column(Integer, default=0)  # of a password; every tenth blocks
    blocked_until_ms: Mapped[int | None] = mapped_column(BigInteger)  # far away: for good
    is_ours: Mapped[bool] = mapped_column(Boolean, default=False)  # a scanner of our own


class TrapAttempt(db.Model):  # type: ignore[name-defined]
    """One attempt."""

    __tablename__ = "trap_attempt"
    __table_args__ = (Index("ix_trap_attempt_at", "at_ms"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    trapped_id: Mapped[int] = mapped_column(ForeignKey("trapped_address.id", ondelete="CASCADE"), index=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(120), default="")  # typed as the user name
    password: Mapped[str] = mapped_column(String(40), default="")  # its length and kind, never itself
    device: Mapped[str] = mapped_column(String(200), default="")
