"""The camera search of the top bar: a dialog with JavaScript, a page without it.

Shows only what the person may see; the service decides which cameras those are.
"""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx
from cctv.models import Camera, User
from cctv.services import access

blueprint = Blueprint("search", __name__)

_MOST = 12


@blueprint.get("/search")
def show() -> ResponseReturnValue:
    """The dialog; while one types (`q`), only its list."""
    typed = request.args.get("q", "")
    block = "results" if "q" in request.args else "dialog"
    found = _find(typed)
    context: dict[str, Any] = {"typed": typed, "found": found[:_MOST], "more": max(0, len(found) - _MOST)}
    return _htmx.render("search.html", block, in_dialog=_htmx.is_htmx(), **context)


def _find(typed: str) -> list[Camera]:
    """Cameras whose name holds the words, or whose number it is."""
    person = cast(User, current_user._get_current_object())
    words = typed.lower().split()
    return [
        camera
        for camera in access.visible_cameras(person)
        if typed.strip() == str(camera.number) or all(word in camera.name.lower() for word in words)
    ]
