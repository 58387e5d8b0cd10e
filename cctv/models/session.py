"""One browser in which a person is signed in; the row is what the cookie and stream addresses point to.

Whether it still counts is said by services/sessions.py.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.extensions import db
from cctv.models.user import User


class Session(db.Model):  # type: ignore[name-defined]
    """From signing in to signing out. Times are epoch milliseconds."""

    __tablename__ = "session"

    id: Mapped[str] = mapped_column(String(43), primary_key=True)  # random; useless without our signature
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    user_version: Mapped[int] = mapped_column(Integer)  # the account's session_version at the beginning
    is_kept: Mapped[bool] = mapped_column(Boolean, default=False)  # "Keep me signed in"
    created_ms: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int] = mapped_column(BigInteger)  # at most a few minutes old
    ends_ms: Mapped[int] = mapped_column(BigInteger)  # whatever happens
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)  # signed out, or replaced by a new one

    user: Mapped[User] = relationship()
