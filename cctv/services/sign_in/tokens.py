"""API tokens: made by a person for a program, limited to scopes and cameras, shown once, revoked at any time.

Whom a token stands for is said by token_holders.py; it never may more than its person.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select

from cctv.clock import utcnow
from cctv.errors import Invalid, LimitReached, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import ApiToken, Role, User
from cctv.services.auditing import audit
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.sign_in import token_holders, token_scopes

LIFETIMES_DAYS = (7, 30, 90, 365)
MOST_TOKENS = 50  # of one person that still count
LONGEST_NAME = 80
_SHOWN_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Made:
    """A new token; the secret is to be shown once and is kept nowhere."""

    token: ApiToken
    secret: str = field(repr=False)


def create(
    user: User, *, name: str, scopes: Iterable[str], camera_ids: Iterable[int] | None, days: int | None
) -> Made:
    """Make a token of this person; without `camera_ids` for all of theirs, without `days` for ever.

    Raises:
        NotAllowed: the role has no tokens.
        Invalid: keys name, scopes, camera_ids, days.
        LimitReached: the person has enough.
    """
    access.authorise(user, None, Action.API_TOKENS)
    name, wanted = " ".join(name.split()), list(dict.fromkeys(scopes))
    chosen = None if camera_ids is None else sorted(set(camera_ids))
    if errors := _problems(user, name, wanted, chosen, days):
        raise Invalid(errors)
    secret = token_holders.PREFIX + secrets.token_urlsafe(32)
    begin_writing()
    if (db.session.scalar(_alive(user, func.count(ApiToken.id))) or 0) >= MOST_TOKENS:
        db.session.rollback()
        raise LimitReached(f"You have {MOST_TOKENS} tokens. Revoke one that is not used any more.")
    token = ApiToken(
        user_id=user.id,
        name=name,
        prefix=secret[:_SHOWN_CHARACTERS],
        secret_hash=token_holders.hash_secret(secret),
        scopes=wanted,
        camera_ids=chosen,
        expires_at=None if days is None else utcnow() + timedelta(days=days),
    )
    db.session.add(token)
    db.session.flush()
    facts = {"scopes": wanted, "cameras": chosen if chosen is not None else "all", "days": days}
    audit.add("api_token.create", target=name, target_id=token.id, user=user, after=facts)
    db.session.commit()
    return Made(token, secret)


def list_of(user: User) -> list[ApiToken]:
    """The person's tokens that were not revoked, the newest first."""
    return list(db.session.scalars(_alive(user, ApiToken).order_by(ApiToken.id.desc())))


def get_token(user: User, token_id: int) -> ApiToken:
    """One of them.

    Raises:
        NotFound: it is not theirs, or was revoked.
    """
    token = db.session.get(ApiToken, token_id)
    if token is None or token.user_id != user.id or token.revoked_at is not None:
        raise NotFound("This token does not exist (any more).")
    return token


def revoke(user: User, token_id: int, *, by: User | None = None) -> ApiToken:
    """End a token; requests and stream addresses that it signed die with it. `by`: when it is not theirs.

    Raises:
        NotFound: as `get_token`.
    """
    begin_writing()
    try:
        token = get_token(user, token_id)
    except NotFound:
        db.session.rollback()
        raise
    token.revoked_at = utcnow()
    audit.add("api_token.revoke", target=token.name, target_id=token.id, user=by or user)
    db.session.commit()
    return token


def is_expired(token: ApiToken) -> bool:
    """Whether its time is over."""
    return token.expires_at is not None and token.expires_at <= utcnow()


def _problems(
    user: User, name: str, scopes: list[str], camera_ids: list[int] | None, days: int | None
) -> dict[str, str]:
    errors = {}
    if not 0 < len(name) <= LONGEST_NAME:
        errors["name"] = f"Say in at most {LONGEST_NAME} characters what it is for."
    allowed = {scope.key for scope in token_scopes.offered(Role(user.role))}
    if not scopes:
        errors["scopes"] = "Choose at least one thing that it may do."
    elif set(scopes) - allowed:
        errors["scopes"] = "Choose only what you may do yourself."
    if camera_ids is not None:
        known = {camera.id for camera in access.known_cameras(user)}
        if not camera_ids:
            errors["camera_ids"] = "Choose at least one camera, or all of them."
        elif set(camera_ids) - known:
            errors["camera_ids"] = "Choose cameras that are shared with you."
    if days is not None and days not in LIFETIMES_DAYS:
        errors["days"] = "Choose one of the lifetimes."
    return errors


def _alive(user: User, what: Any) -> Select[Any]:
    return select(what).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
