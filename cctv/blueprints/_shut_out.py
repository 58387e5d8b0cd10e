"""The door for addresses that the honeypot has shut out: refused before anything else costs anything.

Whoever is signed in goes on, and so do pictures that are playing. The decoy looks as it always does.
"""

from __future__ import annotations

from flask import Flask, Response, request
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from cctv.blueprints import _decoy, errors
from cctv.extensions import db
from cctv.services.sign_in import blocked_addresses

DECOY = "/admin"
# Signed or free of anything to guess: files, the health of machines, bytes of video.
_NEVER = ("/static/", "/stream/", "/v0/api/system/health/", "/alive", "/offline")
_API = ("/v0/api/", "/api/")


def register_shut_out(app: Flask) -> None:
    """Ask before everything else."""
    # In front of the ones that are registered already: extensions check the tokens of forms.
    app.before_request_funcs.setdefault(None, []).insert(0, _refuse)


def _refuse() -> Response | None:
    if request.path.startswith(_NEVER) or not blocked_addresses.is_blocked(request.remote_addr or ""):
        return None
    if _is_signed_in():
        return None
    if request.path == DECOY or request.path.startswith(f"{DECOY}/"):
        return _decoy.page(is_wrong=request.method == "POST")
    if request.path.startswith(_API):
        return errors.answer(429, "Too many requests.")
    return Response("Too many requests.\n", 429, mimetype="text/plain", headers={"Retry-After": "900"})


def _is_signed_in() -> bool:
    """A session, or a bearer token on its way to the API, which asks for itself whether it is good."""
    if request.path.startswith(_API) and request.headers.get("Authorization", "").startswith("Bearer "):
        return "/auth/" not in request.path
    try:
        return bool(current_user.is_authenticated)
    except SQLAlchemyError:
        db.session.rollback()
        return False
