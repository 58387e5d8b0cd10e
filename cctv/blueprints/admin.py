"""/admin/: the dashboard for administrators who are signed in, the decoy for everybody else.

Nothing links here but the navigation of those administrators.
"""

from __future__ import annotations

from functools import cache

from flask import Blueprint, Flask, abort, current_app, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from cctv.blueprints import _decoy, _htmx, _origin
from cctv.extensions import csrf, db
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.sign_in import honeypot
from cctv.services.sign_in.honeypot import Attempt
from cctv.services.site import dashboard

blueprint = Blueprint("admin", __name__)

_ICONS = {
    "health": "heartbeat",
    "cameras": "device-cctv",
    "users": "users",
    "jobs": "server",
    "mail": "mail",
    "honeypot": "bug",
    "audit": "shield-check",
}
_LINKS = (
    ("health", "Overview", "/", Action.OVERVIEW),
    ("cameras", "Cameras", "/cameras", Action.CAMERA_LIST),
    ("users", "Users", "/users", Action.USERS),
    ("jobs", "Queue", "/rq/", Action.QUEUE),
    ("mail", "Mail", "/mail", Action.MAIL_SEND),
    ("honeypot", "Who knocked", "/developer/honeypot", Action.HONEYPOT),
    ("audit", "Audit log", "/audit", Action.AUDIT),
)


@blueprint.route("/admin", methods=["GET", "POST"])
@blueprint.route("/admin/", methods=["GET", "POST"])
@csrf.exempt  # the decoy has no token, and believes nothing that it is told
def index() -> ResponseReturnValue:
    """The dashboard, or the decoy."""
    if not _is_administrator():
        return _knock()
    if request.path != "/admin/" or request.method == "POST":
        return _htmx.redirect("/admin/")
    shown = dashboard.cards(current_user)
    links = {card.key: _links(card.key) for card in shown}
    return _htmx.render("admin/index.html", "cards", cards=shown, links=links, icons=_ICONS)


@blueprint.route("/admin/<path:rest>", methods=["GET", "POST"])
@csrf.exempt
def deeper(rest: str) -> ResponseReturnValue:
    """What scanners look for below it."""
    if _is_administrator():
        abort(404)
    return _knock()


def _is_administrator() -> bool:
    try:
        return bool(current_user.is_authenticated) and access.may(current_user, Action.ADMIN)
    except SQLAlchemyError:  # the decoy must not turn into an error of ours
        db.session.rollback()
        return False


def _links(key: str) -> list[tuple[str, str, bool]]:
    """(label, path, whether it opens in a new tab) of the pages behind a card that this person may open."""
    there = _paths(current_app._get_current_object())  # type: ignore[attr-defined]
    return [
        (label, path, path == "/rq/")
        for card, label, path, action in _LINKS
        if card == key and path in there and access.may(current_user, action)
    ]


@cache
def _paths(app: Flask) -> frozenset[str]:
    return frozenset(rule.rule for rule in app.url_map.iter_rules())


def _knock() -> ResponseReturnValue:
    honeypot.note(
        Attempt(
            address=_origin.address(),
            method=request.method,
            path=request.full_path.rstrip("?"),
            name=request.form.get("username", ""),
            password=request.form.get("password", ""),
            device=request.user_agent.string,
            # A browser says so; no page can make it say anything else.
            is_sent_by_a_page=request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"},
        )
    )
    return _decoy.page(is_wrong=request.method == "POST")
