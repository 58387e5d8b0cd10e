"""Which addresses need no session, and which changes the password again. Deny by default.

No rule about what a signed-in person may do lives here.
"""

from __future__ import annotations

from flask import request

from cctv.blueprints._sudo import require_sudo

__all__ = ["is_open", "require_sudo"]

# These ask for something else themselves: a token or invitation in the path, a bearer token, the set-up
# code - or nothing.
_PREFIXES = ("/static/", "/stream/", "/v0/api/", "/setup/", "/admin/", "/invite/")
_PATHS = {
    "/admin",
    "/login",
    "/login/code",
    "/logout",
    "/password/forgot",
    "/password/reset",
    "/account/verify",
    "/account/verify/send",
    "/setup",
    "/alive",
    "/offline",
    "/sw.js",
    "/manifest.webmanifest",
}


def is_open() -> bool:
    """Whether the request may be answered without a session; unknown addresses are, with 404."""
    return request.endpoint is None or request.path in _PATHS or request.path.startswith(_PREFIXES)
