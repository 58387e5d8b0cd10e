"""Signed in through the API: an access token for a quarter of an hour, and a refresh token that is used once.

Both name a session row, which is asked at every request; no role and no right stands in a token. Written with
PyJWT alone: flask-jwt-extended takes a token without a type for an access token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

import jwt

from cctv import config
from cctv.clock import now_ms
from cctv.errors import NotSignedIn
from cctv.extensions import begin_writing, db
from cctv.models import Session, SessionKind, User
from cctv.services.auditing import audit
from cctv.services.sign_in import sessions

ACCESS_SECONDS = 15 * 60
ISSUER = "cctv"
AUDIENCE = "cctv-api"
ACCESS, REFRESH = "access", "refresh"
_ALGORITHM = "HS256"  # pinned: a token cannot choose how it is checked (RFC 8725, 3.1)
_CLAIMS = ["iss", "aud", "sub", "sid", "typ", "jti", "iat", "nbf", "exp"]
_NOT_VALID = "This refresh token is not valid (any more). Sign in again."
_CAME_BACK = "This refresh token was used before, so the sign-in was ended everywhere. Sign in again."


@dataclass(frozen=True, slots=True)
class Pair:
    """What an app keeps. Lives in seconds."""

    access_token: str
    refresh_token: str
    access_seconds: int
    refresh_seconds: int
    user: User


def begin(user: User, *, device: str = "", address: str = "") -> Pair:
    """Sign the person in on an app; until the app signs out, or 30 days.

    The password was typed just now: for a while it counts for risky changes as well, whatever is refreshed.
    """
    sessions.begin(user, is_kept=True, kind=SessionKind.APP, device=device, address=address)
    begin_writing()
    row = db.session.get_one(Session, user.session_id, populate_existing=True)
    row.sudo_until_ms = now_ms() + sessions.SUDO_SECONDS * 1000
    return _pair(row, user)


def refresh(token: str) -> Pair:
    """A new pair for a refresh token, which is used up by this.

    Raises:
        NotSignedIn: forged, expired, the session has ended, or it was used before: then the session ends,
            because one of the two who have it is a thief.
    """
    claims = _read(token, REFRESH)
    if claims is None:
        raise NotSignedIn(_NOT_VALID)
    begin_writing()
    # Locked: of two that bring the same token at once, one is the second.
    row = db.session.get(Session, claims["sid"], populate_existing=True, with_for_update={"of": Session})
    user = sessions.find_user(row.id) if row is not None and row.kind == SessionKind.APP else None
    if row is None or user is None or str(user.id) != claims["sub"]:
        db.session.rollback()
        raise NotSignedIn(_NOT_VALID)
    if not hmac.compare_digest(row.refresh_hash or "", _hash(claims["jti"])):
        row.ended_ms = now_ms()
        audit.add("session.end", user=user, reason="a used refresh token came back")
        db.session.commit()
        raise NotSignedIn(_CAME_BACK)
    row.seen_ms = now_ms()
    return _pair(row, user)


def find_user(token: str) -> User | None:
    """The person of an access token; None when forged, expired, of another kind, or its session ended."""
    claims = _read(token, ACCESS)
    user = sessions.find_user(claims["sid"]) if claims else None
    return user if claims and user is not None and str(user.id) == claims["sub"] else None


def _pair(row: Session, user: User) -> Pair:
    """The tokens of a session, whose newest refresh token this becomes. Ends the caller's transaction."""
    now_s, ends_s = now_ms() // 1000, row.ends_ms // 1000
    access_seconds = max(0, min(ACCESS_SECONDS, ends_s - now_s))
    jti = secrets.token_urlsafe(24)
    row.refresh_hash = _hash(jti)
    access_token = _write(row, ACCESS, secrets.token_urlsafe(16), now_s, now_s + access_seconds)
    refresh_token = _write(row, REFRESH, jti, now_s, ends_s)
    db.session.commit()
    return Pair(access_token, refresh_token, access_seconds, max(0, ends_s - now_s), user)


def _write(row: Session, kind: str, jti: str, now_s: int, ends_s: int) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(row.user_id),
        "sid": row.id,
        "typ": kind,
        "jti": jti,
        "iat": now_s,
        "nbf": now_s,
        "exp": ends_s,
    }
    return jwt.encode(claims, config.current().jwt_secret_key, algorithm=_ALGORITHM)


def _read(token: str, kind: str) -> dict[str, Any] | None:
    """The claims of a genuine token of this kind that is valid now."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            config.current().jwt_secret_key,
            algorithms=[_ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": _CLAIMS, "strict_aud": True},
        )
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return None
    is_right = claims["typ"] == kind and all(isinstance(claims[name], str) for name in ("sid", "jti"))
    return claims if is_right else None


def _hash(jti: str) -> str:
    return hashlib.sha256(jti.encode()).hexdigest()
