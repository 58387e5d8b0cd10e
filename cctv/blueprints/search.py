"""The camera search of the top bar: a dialog with JavaScript, a page without it.

Shows only what the person may see; the service decides which cameras those are.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx
from cctv.blueprints._rights import rights
from cctv.models import Camera
from cctv.services.person import access

blueprint = Blueprint("search", __name__)

_MOST = 12


@blueprint.get("/search")
def show() -> ResponseReturnValue:
    """The dialog; while one types (`q`), only its list."""
    typed = request.args.get("q", "")
    block = "results" if "q" in request.args else "dialog"
    known = [camera for camera in access.known_cameras(current_user) if rights().of(camera).home]
    found = _find(typed, known)
    context: dict[str, Any] = {"typed": typed, "found": found[:_MOST], "more": max(0, len(found) - _MOST)}
    context |= {"has_any": bool(known), "rights": rights()}
    return _htmx.render("search.html", block, in_dialog=_htmx.is_htmx(), **context)


def _find(typed: str, known: list[Camera]) -> list[Camera]:
    """Cameras whose name holds the words, or whose number it is."""
    words = typed.lower().split()
    return [
        camera
        for camera in known
        if typed.strip() == str(camera.number) or all(word in camera.name.lower() for word in words)
    ]
