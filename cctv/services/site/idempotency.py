"""A repeated request is harmless: its first answer is kept for a day under the key that the asker chose.

Only answers of what was done are kept; a refused request may be sent again with the same key.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from cctv import keys
from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid
from cctv.extensions import begin_writing, db
from cctv.models import IdempotencyKey, User

LONGEST_KEY = 100
_KEPT_HOURS = 24
_LONGEST_WORK_SECONDS = 120  # a process that died at work blocks its key no longer


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given before."""

    status: int
    body: str


def claim(user: User, key: str, request: bytes) -> Kept | None:
    """Take the key for this request; the answer when the same request got one before.

    Raises:
        Invalid: key idempotency_key; it belongs to another request.
        Conflict: the same request is still at work.
    """
    # Keyed: a request may hold a password, and who reads the database must not try words against this.
    request_hash = hmac.new(keys.derive("idempotency"), request, hashlib.sha256).hexdigest()
    begin_writing()
    db.session.add(IdempotencyKey(user_id=user.id, key=_name(user, key), request_hash=request_hash))
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        return _earlier(user, key, request_hash)
    return None


def keep(user: User, key: str, answer: Kept) -> None:
    """Remember the answer."""
    begin_writing()
    row = db.session.get(IdempotencyKey, (user.id, _name(user, key)))
    if row is not None:
        row.status, row.body = answer.status, answer.body
    db.session.commit()


def give_up(user_id: int, name: str) -> None:
    """Nothing was done: the key is free again."""
    begin_writing()
    db.session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.user_id == user_id, IdempotencyKey.key == name, IdempotencyKey.status.is_(None)
        )
    )
    db.session.commit()


def forget_old() -> None:
    """Remove what was kept for a day."""
    begin_writing()
    horizon = utcnow() - timedelta(hours=_KEPT_HOURS)
    db.session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < horizon))
    db.session.commit()


def name_of(user: User, key: str) -> str:
    """The key as it is stored: tokens of one person do not share theirs."""
    return _name(user, key)


def _name(user: User, key: str) -> str:
    return key if user.token_actions is None else f"{user.session_id}:{key}"


def _earlier(user: User, key: str, request_hash: str) -> Kept | None:
    begin_writing()
    name = (user.id, _name(user, key))
    row = db.session.get(IdempotencyKey, name, populate_existing=True, with_for_update=True)
    if row is None:
        db.session.rollback()
        raise Conflict("The request with this key has just failed. Send it again.")
    is_same, status, body = row.request_hash == request_hash, row.status, row.body
    is_lost = status is None and row.created_at < utcnow() - timedelta(seconds=_LONGEST_WORK_SECONDS)
    if is_same and is_lost:
        row.created_at = utcnow()
        db.session.commit()
        return None
    db.session.rollback()
    if not is_same:
        raise Invalid({"idempotency_key": "This key belongs to another request. Choose a new one."})
    if status is None:
        raise Conflict("The request with this key is still at work. Ask again in a moment.")
    return Kept(status, body)
