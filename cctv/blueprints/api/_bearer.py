"""Who asks the API: the person behind a bearer token, never behind a cookie. Deny by default.

What they may do is decided by services/person/access.py.
"""

from __future__ import annotations

from flask import Response, g, request
from flask_login import current_user

from cctv.blueprints.api import _parsing
from cctv.errors import NotSignedIn
from cctv.extensions import login_manager
from cctv.models import User
from cctv.services.sign_in import app_sessions, sessions, token_holders

PREFIX = "/v0/api/"
SCHEMA_PATH = "/api/docs/schema/"
_HEALTH = "/v0/api/system/health/"
# Answered without a token: where one gets it, and what somebody needs who cannot sign in.
_OPEN = {
    _HEALTH,
    "/v0/api/users/auth/login/",
    "/v0/api/users/auth/refresh/",
    "/v0/api/mail/request-password-reset",
    "/v0/api/mail/reset-password",
    "/v0/api/mail/verify-email",
    "/v0/api/mail/resend-otp",
}
_MISSING = "Send an access token: Authorization: Bearer <token>."
_NOT_VALID = "This token is not valid (any more). Refresh it or sign in again."
_LONGEST_TOKEN = 4096


def is_api() -> bool:
    """Whether the request is one of the API's."""
    return request.path.startswith(PREFIX)


def identify() -> None:
    """Before everything else: the person of this request is who the bearer token says, or nobody.

    Flask-Login looks into `g` first and opens no cookie then.
    """
    brings_token = "Authorization" in request.headers
    if is_api() or (request.path == SCHEMA_PATH and brings_token):
        g._login_user = _bearer() or login_manager.anonymous_user()


def asker() -> User:
    """The person of this request, for what looks at them hundreds of times: `current_user` is a proxy."""
    found: User = g._login_user
    return found


def require() -> None:
    """Let through who is known, and what is open to all. Unknown addresses go on to their 404."""
    if not is_api() or request.endpoint is None or request.method == "OPTIONS":
        return
    brings_token = "Authorization" in request.headers
    is_open = request.path in _OPEN and not (request.path == _HEALTH and brings_token)
    if not is_open and not current_user.is_authenticated:
        raise NotSignedIn(_NOT_VALID if brings_token else _MISSING)
    _parsing.check_body()
    if current_user.is_authenticated:
        _note_seen(current_user)


def vary(response: Response) -> Response:
    """Tell caches that another token gets another answer; they keep none of them anyway."""
    if is_api():
        response.vary.update(("Authorization", "Origin"))
    return response


def _note_seen(user: User) -> None:
    if user.token_actions is None:
        sessions.note_seen(user)
    else:
        token_holders.note_used(user, request.remote_addr or "")


def _bearer() -> User | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_TOKEN:
        return None
    if token.startswith(token_holders.PREFIX):
        return token_holders.find_by_secret(token)
    return app_sessions.find_user(token)
