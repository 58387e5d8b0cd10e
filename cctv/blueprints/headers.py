"""Headers of every answer, and the name and flags of the session cookie.

The answers of views win, but for caching: what is not the same for everybody is kept by nobody.
"""

from __future__ import annotations

from flask import Flask, Response, has_request_context, request
from flask.sessions import SecureCookieSessionInterface

from cctv import config

# No inline script, no inline style, no other host. data: is for the pictures inside Tabler's CSS; blob: for
# MediaSource and for the worker of hls.js.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Told to strangers as well, and the browser asks each time whether it is still the same.
_SHELL = {"/sw.js", "/manifest.webmanifest", "/offline"}
_YEAR_SECONDS = 365 * 24 * 3600
_FONT_SECONDS = 7 * 24 * 3600


class SessionCookie(SecureCookieSessionInterface):
    """Secure and `__Host-` when people come by https; plain otherwise, so that a LAN can sign in."""

    def get_cookie_name(self, app: Flask) -> str:
        """The prefix makes browsers refuse a cookie that another host or an http page has planted."""
        return "__Host-session" if is_https() else "session"

    def get_cookie_secure(self, app: Flask) -> bool:
        """As the name: `__Host-` demands it."""
        return is_https()


def is_https() -> bool:
    """Whether this request, or the address that people are given, is https."""
    is_public_https = config.current().frontend_url.startswith("https://")
    return is_public_https or (has_request_context() and request.is_secure)


def register_headers(app: Flask) -> None:
    """Put the headers on every answer and take over the session cookie."""
    app.session_interface = SessionCookie()
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_SECONDS}")
    if request.path.startswith("/static/"):
        response.headers["Cache-Control"] = _static_caching()
    elif request.path not in _SHELL:
        # Footage too: on a shared computer a kept copy would outlive the session.
        response.headers["Cache-Control"] = "private, no-store"
        response.vary.update(("Cookie", "Authorization"))
    return response


def _static_caching() -> str:
    """For ever under the content's hash (`?v=`); modules and fonts are asked for without one."""
    if request.args.get("v"):
        return f"public, max-age={_YEAR_SECONDS}, immutable"
    return f"public, max-age={_FONT_SECONDS}" if request.path.endswith(".woff2") else "no-cache"
