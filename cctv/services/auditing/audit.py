"""The audit log: who did what, to what, when and from where. Entries are added and never changed.

`add` belongs to the transaction of what it tells of: both are there afterwards, or neither. No secret gets
in.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import click
from flask import current_app, g
from sqlalchemy import event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session as DatabaseSession
from sqlalchemy.orm import SessionTransaction

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.media.masking import MASKED, mask
from cctv.models import AuditEntry, User
from cctv.services.auditing import audit_chain

_WAITING, _HEAD = "audit.waiting", "audit.head"  # in session.info
_HOUR_MS = 3_600_000
_AGAIN_SECONDS = 60.0  # after a note that the database did not take
_LONGEST_TEXT = 300
_MOST_PARTS = 40
_DEEPEST = 3
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_SECRET = re.compile(r"(?i)passw|secret|token$|^code$|otp|_hash$|private|credential")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts, and from where."""

    user_id: int | None
    user_name: str
    address: str = ""
    device: str = ""


def set_origin(origin: Origin | Callable[[], Origin]) -> None:
    """Say who acts in this request or job; a function is asked when an entry is added, never before."""
    g.audit_origin = origin


def add(
    action: str,
    *,
    target: str = "",
    target_id: int | None = None,
    camera_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    user: User | None = None,
    **details: Any,
) -> None:
    """Add an entry with the caller's transaction: it is written when that commits, and lost when it does not.

    Of `before` and `after` only what differs is kept. `user`: who acts, when the request does not know yet.
    RuntimeError when the caller has not called `begin_writing`.
    """
    session = db.session()
    if not _is_writing(session):
        raise RuntimeError("begin_writing() comes before audit.add()")
    entry = _entry(action, target, target_id, camera_id, user, _changes(before, after) | details)
    session.info.setdefault(_WAITING, []).append((entry, session.get_nested_transaction()))


def note(
    action: str,
    *,
    target: str = "",
    target_id: int | None = None,
    camera_id: int | None = None,
    user: User | None = None,
    **details: Any,
) -> None:
    """Add an entry in a transaction of its own: one an hour for each person, action, camera and target.

    For what people look at. Never raises: an entry that the database does not take is tried again later.
    """
    key: tuple[Any, ...] = (action,)
    try:
        who = user.id if user else (origin().user_id or origin().user_name)
        key = (who, action, camera_id, target, now_ms() // _HOUR_MS)
        if not _notes().is_due(key):
            return
        entry = _entry(action, target, target_id, camera_id, user, details)
        if _is_writing(db.session()):  # on SQLite a second writer would wait for the first, which is us
            db.session().info.setdefault(_WAITING, []).append((entry, None))
        else:
            _note_alone(entry)
    except SQLAlchemyError as error:
        _notes().try_later(key)
        _log.warning("%s could not be noted in the audit log: %s", action, type(error).__name__)


def _note_alone(entry: dict[str, Any]) -> None:
    session = db.session.session_factory()
    try:
        session.connection(execution_options={"writing": True})
        audit_chain.lock(session)
        if not _is_noted(session, entry):
            session.info[_WAITING] = [(entry, None)]
            session.commit()
    finally:
        session.close()


def _entry(
    action: str,
    target: str,
    target_id: int | None,
    camera_id: int | None,
    user: User | None,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    actor = origin()
    return {
        "user_id": user.id if user else actor.user_id,
        "user_name": _text(user.name if user else actor.user_name, 120),
        "action": action,
        "target": _text(target, 160),
        "target_id": target_id,
        "camera_id": camera_id,
        "address": _text(actor.address, 64),
        "device": _text(actor.device, 120),
        "details": _clean(details),
    }


def origin() -> Origin:
    """Who acts in this request, job or command, and from where."""
    known = g.get("audit_origin")
    if known is None:
        is_typed = click.get_current_context(silent=True) is not None
        return Origin(None, "command line" if is_typed else "system")
    return known() if callable(known) else known


def _changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    if before is not None and after is not None:
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        before, after = ({name: side.get(name) for name in names} for side in (before, after))
    sides = {"before": before, "after": after}
    return {name: side for name, side in sides.items() if side is not None}


def _clean(value: Any, *, depth: int = 0) -> Any:
    """Plain JSON of bounded size, without control characters and without anything that is called a secret."""
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, Mapping) and depth < _DEEPEST:
        parts = list(value.items())[:_MOST_PARTS]
        return {
            _text(str(name), 60): MASKED
            if part and part is not True and _SECRET.search(str(name))
            else _clean(part, depth=depth + 1)
            for name, part in parts
        }
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
        return [_clean(part, depth=depth + 1) for part in list(value)[:_MOST_PARTS]]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return _text(str(value), _LONGEST_TEXT)


def _text(text: str, longest: int) -> str:
    clean = _CONTROL.sub(" ", mask(text[:2000]))
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def _is_writing(session: DatabaseSession) -> bool:
    return session.in_transaction() and bool(session.connection().get_execution_options().get("writing"))


def _is_noted(session: DatabaseSession, entry: dict[str, Any]) -> bool:
    """Whether another process has noted the same in this hour. The caller holds the chain's lock."""
    same = [getattr(AuditEntry, name) == entry[name] for name in ("user_id", "action", "camera_id", "target")]
    query = select(AuditEntry.id).where(AuditEntry.at_ms >= now_ms() // _HOUR_MS * _HOUR_MS, *same)
    return session.scalar(query.limit(1)) is not None


class _Notes:
    """What this process has noted in this hour: a repeated look at a camera costs no query."""

    _LONGEST_MEMORY = 10_000

    def __init__(self) -> None:
        self._until: dict[tuple[Any, ...], float] = {}
        self._lock = threading.Lock()

    def is_due(self, key: tuple[Any, ...]) -> bool:
        now = time.monotonic()
        with self._lock:
            if self._until.get(key, 0.0) > now:
                return False
            if len(self._until) >= self._LONGEST_MEMORY:
                self._until.clear()
            self._until[key] = now + 3600  # the hour is part of the key
            return True

    def try_later(self, key: tuple[Any, ...]) -> None:
        with self._lock:
            self._until[key] = time.monotonic() + _AGAIN_SECONDS


def _notes() -> _Notes:
    notes: _Notes = current_app.extensions.setdefault("cctv.audit_notes", _Notes())
    return notes


@event.listens_for(db.session, "before_commit")
def _append_waiting(session: DatabaseSession) -> None:
    """The last thing of the transaction, so that the chain is locked for the time of one insert."""
    if session.in_nested_transaction():
        return
    waiting = session.info.pop(_WAITING, [])
    if waiting:
        session.info[_HEAD] = audit_chain.append(session, [entry for entry, _ in waiting])


@event.listens_for(db.session, "after_commit")
def _keep_head(session: DatabaseSession) -> None:
    head = session.info.pop(_HEAD, None)
    if head is not None:
        audit_chain.keep_head(head)


@event.listens_for(db.session, "after_soft_rollback")
def _forget_of_savepoint(session: DatabaseSession, previous: SessionTransaction) -> None:
    waiting = session.info.get(_WAITING)
    if waiting and previous.nested:
        session.info[_WAITING] = [one for one in waiting if one[1] is not previous]


@event.listens_for(db.session, "after_transaction_end")
def _forget(session: DatabaseSession, ended: SessionTransaction) -> None:
    if ended.parent is None:
        session.info.pop(_WAITING, None)
        session.info.pop(_HEAD, None)
