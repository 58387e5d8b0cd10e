"""The JSON API: the same services as the pages, with a bearer token, JSON and problem+json.

Binds operations, rights, limits and documentation to the application; no operation lives here.
"""

from __future__ import annotations

from flask import Flask

from cctv.blueprints.api import (
    _bearer,
    auth,
    cameras,
    docs,
    exports,
    health,
    mail,
    mailings,
    profile,
    recordings,
    schedules,
    transfers,
    users,
    watching,
)
from cctv.blueprints.api._face import Api
from cctv.blueprints.api._limits import register_limits
from cctv.blueprints.api._origins import register_origins
from cctv.blueprints.api._shared import register_shared
from cctv.blueprints.api._turns import register_turns

VERSION = "0.1.0"
_ABOUT = """\
Everything that the pages can do, for apps and programs. The same rights hold: the role and the grants of the
person in the database, asked at every request.

**Signing in.** `POST /v0/api/users/auth/login/` gives an access token for 15 minutes and a refresh token that
is used once; or make an API token under Developer, API tokens. Send either as
`Authorization: Bearer <token>`. Cookies are not looked at.

**Problems** are `application/problem+json` (RFC 9457): `detail` is a sentence that may be shown to a person,
`errors` names the fields of a refused request. Unknown fields are refused.

**Lists** have `page`, `page_size` and `total` in the body, filters and `sort` by named columns.

**Times** of footage end in `_ms`: whole milliseconds since 1970, UTC. Other times end in `_at`: RFC 3339.

**Accounts** are made, changed and deleted within ten minutes after signing in. Later comes 401 with
`insufficient_user_authentication` in `WWW-Authenticate` (RFC 9470): ask for the password, sign in.

**Changing what others may change** needs the `ETag` of what was read as `If-Match`: 412 when somebody was
faster, 428 without it. **Repeating** a request that creates work is harmless with an `Idempotency-Key`.

**Limits** are in `X-RateLimit-Limit`, `-Remaining` and `-Reset`; beyond them comes 429 with `Retry-After`.

**Video** addresses in answers play without a header and without cookies. They are signed for this sign-in,
die with it, and at the latest at `expires_at`; ask again for fresh ones.
"""
_SETTINGS = {
    "API_TITLE": "CCTV",
    "API_VERSION": VERSION,
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": None,  # docs.py serves them
    "API_SPEC_OPTIONS": {
        "info": {"description": _ABOUT},
        "servers": [{"url": "/", "description": "This server"}],
        "security": [{"access_token": []}, {"api_token": []}],
    },
}
_SCHEMES = {
    "access_token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "From login/ or refresh/; 15 minutes.",
    },
    "api_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "`cctv_...`, made by a person under Developer, API tokens; limited to its scopes.",
    },
}


def register_api(app: Flask) -> None:
    """Make the operations known; after the errors, before whatever asks who the person is."""
    app.config.from_mapping(_SETTINGS)
    register_turns(app)
    app.before_request(_bearer.identify)
    register_origins(app)
    register_limits(app)
    app.before_request(_bearer.require)
    app.after_request(_bearer.vary)
    register_shared(app)
    api = Api()
    api.init_app(app)
    for name, scheme in _SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    footage = (recordings, exports, transfers, schedules)
    for part in (auth, profile, users, cameras, watching, *footage, mail, mailings, health):
        api.register_blueprint(part.blueprint)
    docs.register_docs(app, api)
