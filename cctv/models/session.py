"""One browser or app in which a person is signed in; cookie, access token and stream addresses point to it.

Whether it still counts is said by services/sign_in/sessions.py.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.extensions import db
from cctv.models.user import User


class SessionKind(StrEnum):
    """What holds the session."""

    BROWSER = "browser"
    APP = "app"  # through the JSON API, with a pair of tokens


class Session(db.Model):  # type: ignore[name-defined]
    """From signing in to signing out. Times are epoch milliseconds."""

    __tablename__ = "session"

    id: Mapped[str] = mapped_column(String(43), primary_key=True)  # random; useless without our signature
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    user_version: Mapped[int] = mapped_column(Integer)  # the account's session_version at the beginning
    is_kept: Mapped[bool] = mapped_column(Boolean, default=False)  # "Keep me signed in"
    created_ms: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(8), default=SessionKind.BROWSER)
    device: Mapped[str] = mapped_column(String(120), default="")  # browser and system, or the app's name
    address: Mapped[str] = mapped_column(String(64), default="")  # of the client when it was last seen
    sudo_until_ms: Mapped[int | None] = mapped_column(BigInteger)  # the password was typed again until then
    # Of the newest refresh token. An older one that comes back was stolen, and ends the session.
    refresh_hash: Mapped[str | None] = mapped_column(String(64))
    seen_ms: Mapped[int] = mapped_column(BigInteger)  # at most a few minutes old
    ends_ms: Mapped[int] = mapped_column(BigInteger)  # whatever happens
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)  # signed out, or replaced by a new one

    user: Mapped[User] = relationship()
