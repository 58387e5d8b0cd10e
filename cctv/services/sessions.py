"""Who is signed in: one row for each browser, read at every request, so that signing out ends it everywhere.

The cookie and the stream tokens hold the row's id, signed; a copy of either is worth nothing after the end.
"""

from __future__ import annotations

import logging
import secrets

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Session, User

LONGEST_SECONDS = 12 * 3600
LONGEST_KEPT_SECONDS = 30 * 24 * 3600  # with "Keep me signed in on this computer"
# Open pages ask for news every few seconds: only a closed or sleeping browser is idle.
IDLE_SECONDS = 4 * 3600
_NOTE_EVERY_SECONDS = 300  # a write for each browser and five minutes
_REMEMBERED_SECONDS = 7 * 24 * 3600  # after the end

_log = logging.getLogger(__name__)


def begin(user: User, *, is_kept: bool = False) -> None:
    """Sign the person in: a new id, known to nobody before."""
    lasts = LONGEST_KEPT_SECONDS if is_kept else LONGEST_SECONDS
    begin_writing()
    now = now_ms()
    row = Session(
        id=secrets.token_urlsafe(32),
        user_id=user.id,
        user_version=user.session_version,
        is_kept=is_kept,
        created_ms=now,
        seen_ms=now,
        ends_ms=now + lasts * 1000,
    )
    db.session.add(row)
    db.session.commit()
    user.session_id = row.id


def find_user(session_id: str) -> User | None:
    """The enabled account of a session that has not ended, in one indexed read; it knows its `session_id`."""
    now = now_ms()
    query = (
        select(User, Session.seen_ms)
        .join(Session, Session.user_id == User.id)
        .where(
            Session.id == session_id,
            Session.ended_ms.is_(None),
            Session.ends_ms > now,
            or_(Session.is_kept, Session.seen_ms > now - IDLE_SECONDS * 1000),
            Session.user_version == User.session_version,
            User.is_enabled,
        )
    )
    row = db.session.execute(query).one_or_none()
    if row is None:
        return None
    user: User = row.User
    user.session_id = session_id
    user.is_seen_lately = row.seen_ms > now - _NOTE_EVERY_SECONDS * 1000
    return user


def note_seen(user: User) -> None:
    """Put the idle end off; writes at most every few minutes, and never fails a request."""
    if user.is_seen_lately:
        return
    try:
        begin_writing()
        db.session.execute(update(Session).where(Session.id == user.session_id).values(seen_ms=now_ms()))
        db.session.commit()
    except SQLAlchemyError as error:
        db.session.rollback()
        _log.warning("the time of a session could not be noted: %s", type(error).__name__)
    user.is_seen_lately = True


def end(session_id: str) -> None:
    """Sign one browser out; its stream addresses die within the seconds that an answer is remembered."""
    begin_writing()
    db.session.execute(
        update(Session).where(Session.id == session_id, Session.ended_ms.is_(None)).values(ended_ms=now_ms())
    )
    db.session.commit()


def forget_old() -> None:
    """Remove sessions that ended a week ago."""
    horizon = now_ms() - _REMEMBERED_SECONDS * 1000
    begin_writing()
    db.session.execute(delete(Session).where(or_(Session.ends_ms < horizon, Session.ended_ms < horizon)))
    db.session.commit()
