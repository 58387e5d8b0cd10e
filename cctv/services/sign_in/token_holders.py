"""Whom an API token stands for: the person who made it, with the actions and cameras that it is limited to.

The secret itself is nowhere; how tokens are made and revoked is said by services/sign_in/tokens.py.
"""

from __future__ import annotations

import hashlib
import logging

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from cctv.clock import now_ms, to_ms, utcnow
from cctv.extensions import begin_writing, db
from cctv.models import ApiToken, Role, User
from cctv.services.sign_in import token_scopes

PREFIX = "cctv_"
_PRINCIPAL = "token:"  # in the place of a session id: in stream addresses
_NOTE_EVERY_MS = 300_000
_LONGEST_ADDRESS = 64

_log = logging.getLogger(__name__)


def find_by_secret(secret: str) -> User | None:
    """The person behind a token; None when it is unknown, revoked, expired, or its person switched off."""
    return _find(ApiToken.secret_hash == hash_secret(secret))


def is_principal(session_id: str) -> bool:
    """Whether a stream address was signed for a token and not for a session."""
    return session_id.startswith(_PRINCIPAL)


def find_by_principal(principal: str) -> User | None:
    """As `find_by_secret`, for what stands in a stream address."""
    number = principal.removeprefix(_PRINCIPAL)
    return _find(ApiToken.id == int(number)) if number.isdecimal() else None


def hash_secret(secret: str) -> str:
    """SHA-256: 256 random bits need no more."""
    return hashlib.sha256(secret.encode()).hexdigest()


def note_used(user: User, address: str) -> None:
    """Remember when and from where a token was last used; writes at most every few minutes, never fails."""
    if user.is_seen_lately:
        return
    token_id = int(user.session_id.removeprefix(_PRINCIPAL))
    try:
        begin_writing()
        db.session.execute(
            update(ApiToken)
            .where(ApiToken.id == token_id)
            .values(last_used_at=utcnow(), last_address=address[:_LONGEST_ADDRESS])
        )
        db.session.commit()
    except SQLAlchemyError as error:
        db.session.rollback()
        _log.warning("the use of a token could not be noted: %s", type(error).__name__)
    user.is_seen_lately = True


def _find(condition: ColumnElement[bool]) -> User | None:
    query = (
        select(User, ApiToken)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(
            condition,
            ApiToken.revoked_at.is_(None),
            or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > utcnow()),
            User.is_enabled,
        )
    )
    row = db.session.execute(query).one_or_none()
    if row is None:
        return None
    user: User = row.User
    token: ApiToken = row.ApiToken
    user.session_id = f"{_PRINCIPAL}{token.id}"
    user.token_actions = token_scopes.actions_of(token.scopes, Role(user.role))
    user.token_cameras = None if token.camera_ids is None else frozenset(token.camera_ids)
    user.is_seen_lately = (
        token.last_used_at is not None and to_ms(token.last_used_at) > now_ms() - _NOTE_EVERY_MS
    )
    return user
