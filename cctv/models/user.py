"""A person who can sign in.

Passwords exist here only as bcrypt hashes; what a role may do is said in services/person/access.py.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from flask_login import UserMixin
from sqlalchemy import BigInteger, Boolean, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.columns import UtcDateTime


class Role(StrEnum):
    """The four roles of the product, strongest first."""

    SUPER_ADMIN = "super_admin"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VISITOR = "visitor"

    @property
    def label(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ").title()


class User(UserMixin, db.Model):  # type: ignore[name-defined]
    """An account."""

    __tablename__ = "user"
    # The audit log speaks of ids for ever: one is never given out twice, also by SQLite.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # stored in lower case
    username: Mapped[str] = mapped_column(String(64), unique=True)  # stored in lower case
    name: Mapped[str] = mapped_column(String(120))
    email_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    password_hash: Mapped[str] = mapped_column(String(100))  # empty: invited, has not chosen one yet
    password_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    role: Mapped[str] = mapped_column(String(16))
    is_enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    # Raised on sign-out everywhere, password, role or disable: older sessions and stream tokens die with it.
    session_version: Mapped[int] = mapped_column(Integer, default=1)
    version: Mapped[int] = mapped_column(Integer, default=1)  # optimistic lock of the edit form and the API
    disabled_by: Mapped[str | None] = mapped_column(String(120))  # in words
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    totp_secret_encrypted: Mapped[str | None] = mapped_column(Text)  # keys.encrypt
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # null: not (yet) in use
    totp_last_step: Mapped[int | None] = mapped_column(BigInteger)  # a code is accepted once
    new_cameras: Mapped[str] = mapped_column(String(4), default="no")  # no | give: of cameras added later
    start_page: Mapped[str] = mapped_column(String(16), default="")  # empty: as the role has it
    has_shortcuts: Mapped[bool] = mapped_column(Boolean, default=True)  # single keys (WCAG 2.1.4)
    pauses_updates: Mapped[bool] = mapped_column(Boolean, default=False)  # (WCAG 2.2.2)
    theme: Mapped[str] = mapped_column(String(8), default="dark")  # dark | light | auto
    last_sign_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    previous_sign_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    # Of the request, not of the row.
    session_id = ""
    is_seen_lately = True
    sudo_until_ms = 0  # risky changes are allowed until then (services/sign_in/sessions.py)
    session_ends_ms = 0  # when nothing is asked any more
    session_limits_ms = (0, 0)  # the end whatever happens, and how long it may rest
    # Of an API token that stands for the person: what it is limited to (values of matrix.py, ids).
    token_actions = None  # type: frozenset[str] | None
    token_cameras = None  # type: frozenset[int] | None

    # Flask-Login compares get_id(), which is of the session: rows are the same when they are one object.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def is_active(self) -> bool:
        """Flask-Login's name for an account that is not switched off."""
        return self.is_enabled

    def get_id(self) -> str:
        """What the session cookie and stream tokens hold (services/sign_in/sessions.py).

        ValueError for a person who is not signed in.
        """
        if not self.session_id:
            raise ValueError("this account was not loaded through a session")
        return self.session_id
