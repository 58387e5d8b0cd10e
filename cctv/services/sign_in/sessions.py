"""Who is signed in: one row for each browser, read at every request, so that signing out ends it everywhere.

The cookie and the stream tokens hold the row's id, signed; a copy of either is worth nothing after the end.
"""

from __future__ import annotations

import logging
import secrets
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Select,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from cctv.clock import now_ms
from cctv.errors import NotFound
from cctv.extensions import begin_writing, db
from cctv.models import Session, SessionKind, User
from cctv.services.auditing import audit
from cctv.services.mailing import mail
from cctv.services.sign_in import devices, new_places

LONGEST_SECONDS = 12 * 3600
LONGEST_STAY_SECONDS = 24 * 3600  # with "Stay signed in"
LONGEST_KEPT_SECONDS = 30 * 24 * 3600  # with "Keep me signed in on this computer"
# Open pages ask for news every few seconds: only a closed or sleeping browser is idle.
IDLE_SECONDS = 4 * 3600
SUDO_SECONDS = 10 * 60
_NOTE_EVERY_SECONDS = 300  # a write for each browser and five minutes
_LONGEST_ADDRESS = 64
_REMEMBERED_SECONDS = 7 * 24 * 3600  # after the end
MOST_AT_ONCE = 50  # of one person; an app that signs in for each request must not fill the table
_REMEMBERED_OF_PERSON = 200  # rows, the ended ones among them

_log = logging.getLogger(__name__)


def begin(
    user: User,
    *,
    is_kept: bool = False,
    kind: SessionKind = SessionKind.BROWSER,
    device: str = "",
    address: str = "",
) -> None:
    """Sign the person in: a new id, known to nobody before; it is in `user.session_id` then.

    `device`: of devices.describe, or the app's name. `address`: of the client.
    """
    lasts = LONGEST_KEPT_SECONDS if is_kept else LONGEST_SECONDS
    begin_writing()
    now = now_ms()
    row = Session(
        id=secrets.token_urlsafe(32),
        user_id=user.id,
        user_version=user.session_version,
        is_kept=is_kept,
        kind=kind,
        device=device[: devices.LONGEST],
        address=address[:_LONGEST_ADDRESS],
        created_ms=now,
        seen_ms=now,
        ends_ms=now + lasts * 1000,
    )
    db.session.add(row)
    db.session.flush()
    _make_room(user)
    is_new_place = new_places.tell(user)
    audit.add("sign_in", target_id=user.id, user=user, is_kept=is_kept, kind=kind)
    db.session.commit()
    user.session_id = row.id
    if is_new_place:
        mail.dispatch()


def find_user(session_id: str) -> User | None:
    """The enabled account of a session that has not ended, in one indexed read; it knows its `session_id`."""
    now = now_ms()
    row = db.session.execute(_holder(), {"id": session_id, "now": now}).one_or_none()
    if row is None:
        return None
    user: User = row.User
    user.session_id = session_id
    user.is_seen_lately = row.seen_ms > now - _NOTE_EVERY_SECONDS * 1000
    user.sudo_until_ms = row.sudo_until_ms or 0
    user.session_limits_ms = (row.ends_ms, row.ends_ms if row.is_kept else IDLE_SECONDS * 1000)
    user.session_ends_ms = _ends_ms(user, row.seen_ms)
    return user


def list_of(user: User) -> list[Session]:
    """Where the person is signed in now, the one used last first."""
    query = (
        select(Session)
        .join(User, User.id == Session.user_id)
        .where(Session.user_id == user.id, *_is_alive(now_ms()))
        .order_by(Session.seen_ms.desc(), Session.created_ms.desc())
    )
    return list(db.session.scalars(query))


def note_seen(user: User, *, address: str = "") -> None:
    """Put the idle end off; writes at most every few minutes, and never fails a request."""
    if user.is_seen_lately:
        return
    values: dict[str, Any] = {"seen_ms": now_ms()}
    if address:
        values["address"] = address[:_LONGEST_ADDRESS]
    try:
        begin_writing()
        db.session.execute(update(Session).where(Session.id == user.session_id).values(**values))
        db.session.commit()
        user.session_ends_ms = _ends_ms(user, values["seen_ms"])
    except SQLAlchemyError as error:
        db.session.rollback()
        _log.warning("the time of a session could not be noted: %s", type(error).__name__)
    user.is_seen_lately = True


def end(session_id: str) -> None:
    """Sign one browser out; its stream addresses die within the seconds that an answer is remembered."""
    begin_writing()
    row = db.session.get(Session, session_id)
    if row is not None and row.ended_ms is None:
        audit.add("sign_out", target_id=row.user_id, user=db.session.get(User, row.user_id))
    _end(Session.id == session_id)
    db.session.commit()


def end_of(user: User, session_id: str) -> None:
    """Sign out one of the person's browsers or apps.

    Raises:
        NotFound: it is not theirs.
    """
    begin_writing()
    row = db.session.get(Session, session_id)
    if row is None or row.user_id != user.id:
        db.session.rollback()
        raise NotFound("This session does not exist (any more).")
    audit.add("session.end", target=user.name, target_id=user.id, device=row.device, address=row.address)
    _end(Session.id == session_id)
    db.session.commit()


def end_all(user: User, *, except_id: str = "") -> None:
    """Sign the person out everywhere, apps too, but for the session `except_id`."""
    begin_writing()
    revoke_all(user, except_id=except_id)
    audit.add("session.end", target=user.name, target_id=user.id, is_everywhere=True)
    db.session.commit()


def revoke_all(user: User, *, except_id: str = "") -> None:
    """As end_all, in the caller's transaction: with a new password, another role, switching off."""
    user.session_version = User.session_version + 1  # in the database: two at once count twice
    db.session.flush()
    _end(Session.user_id == user.id, Session.id != except_id)
    if except_id:
        db.session.execute(
            update(Session)
            .where(Session.id == except_id, Session.user_id == user.id)
            .values(user_version=user.session_version)
        )


def stay(user: User) -> int:
    """Put the end of this session off, at most to a day after its beginning; when it ends now.

    A day, because a limit of 20 hours or more needs no longer way out (WCAG 2.2.1).
    """
    begin_writing()
    row = db.session.get_one(Session, user.session_id)
    now = now_ms()
    wanted_ms = min(now + LONGEST_SECONDS * 1000, row.created_ms + LONGEST_STAY_SECONDS * 1000)
    row.ends_ms = max(row.ends_ms, wanted_ms)
    row.seen_ms = now
    user.session_limits_ms = (row.ends_ms, row.ends_ms if row.is_kept else IDLE_SECONDS * 1000)
    db.session.commit()
    user.session_ends_ms = _ends_ms(user, now)
    return user.session_ends_ms


def begin_sudo(user: User) -> None:
    """The person has just typed the password again: risky changes are allowed for a while in this session."""
    begin_writing()
    user.sudo_until_ms = now_ms() + SUDO_SECONDS * 1000
    db.session.execute(
        update(Session).where(Session.id == user.session_id).values(sudo_until_ms=user.sudo_until_ms)
    )
    db.session.commit()


def has_sudo(user: User) -> bool:
    """Whether the password was typed again lately in this session."""
    return user.sudo_until_ms > now_ms()


def _ends_ms(user: User, seen_ms: int) -> int:
    """When the session ends if it is not used again after `seen_ms`."""
    ends_ms, idle_ms = user.session_limits_ms
    return min(ends_ms, seen_ms + idle_ms)


@cache
def _holder() -> Select[Any]:
    """Built once: it is asked for at every request."""
    now = bindparam("now", type_=BigInteger)
    return (
        select(User, Session.seen_ms, Session.sudo_until_ms, Session.ends_ms, Session.is_kept)
        .join(Session, Session.user_id == User.id)
        .where(Session.id == bindparam("id"), *_is_alive(now), User.is_enabled)
    )


def _is_alive(now: int | BindParameter[int]) -> tuple[ColumnElement[bool], ...]:
    """What makes a session count, beside its enabled account; needs the join with User."""
    return (
        Session.ended_ms.is_(None),
        Session.ends_ms > now,
        or_(Session.is_kept, Session.seen_ms > now - IDLE_SECONDS * 1000),
        Session.user_version == User.session_version,
    )


def _end(*which: ColumnElement[bool]) -> None:
    db.session.execute(update(Session).where(*which, Session.ended_ms.is_(None)).values(ended_ms=now_ms()))


def _make_room(user: User) -> None:
    """Of more than a person may have the ones used longest ago end, and of the ended ones the oldest go."""
    own = Session.user_id == user.id
    alive = select(Session.id).where(own, Session.ended_ms.is_(None)).order_by(Session.seen_ms.desc())
    if surplus := db.session.scalars(alive.offset(MOST_AT_ONCE)).all():
        _end(Session.id.in_(surplus))
        audit.add("session.end", target=user.name, target_id=user.id, user=user, reason="too many sign-ins")
    ended = select(Session.id).where(own, Session.ended_ms.is_not(None)).order_by(Session.ended_ms.desc())
    if past := db.session.scalars(ended.offset(_REMEMBERED_OF_PERSON - MOST_AT_ONCE)).all():
        db.session.execute(delete(Session).where(Session.id.in_(past)))


def forget_old() -> None:
    """Remove sessions that ended a week ago."""
    horizon = now_ms() - _REMEMBERED_SECONDS * 1000
    begin_writing()
    db.session.execute(delete(Session).where(or_(Session.ends_ms < horizon, Session.ended_ms < horizon)))
    db.session.commit()
