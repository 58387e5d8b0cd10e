"""Diagnose: the steps of a check against the saved camera, and how it fared in the last seven days.

Nothing here holds the camera's password; the report is written to be passed on.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv import causes
from cctv.blueprints import _check, _htmx, _live
from cctv.blueprints._rights import rights
from cctv.blueprints._words import day, duration, moment
from cctv.blueprints.cameras import Span
from cctv.models import Camera
from cctv.services.camera import history, probes, status
from cctv.services.camera.history import History
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import overview

blueprint = Blueprint("diagnose", __name__, url_prefix="/cameras/<int:camera_id>/diagnose")


@blueprint.get("")
def show(camera_id: int) -> ResponseReturnValue:
    """State, history and a button that runs the check."""
    camera = _camera(camera_id)
    past = history.of_camera(camera)
    return _htmx.render("diagnose/show.html", **_facts(camera, past), spans=_strip(past), days=_days(past))


@blueprint.post("")
def check(camera_id: int) -> ResponseReturnValue:
    """Run the check against what is stored."""
    camera = _camera(camera_id)
    probe = probes.start(
        camera.main.url or "", username=camera.username, password=None, user=current_user, camera=camera
    )
    if not _htmx.is_htmx():
        return _htmx.redirect(url_for("probes.show", probe_id=probe.id))
    return _check.answer(probe)


@blueprint.get("/report.txt")
def report(camera_id: int) -> ResponseReturnValue:
    """The same as text, without passwords."""
    camera = _camera(camera_id)
    past = history.of_camera(camera)
    body = render_template("diagnose/report.txt", **_facts(camera, past))
    response = make_response(body)
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return response


def _camera(camera_id: int) -> Camera:
    camera = access.authorise(current_user, camera_id, Action.CAMERA_DIAGNOSE)
    assert camera is not None  # an id was named
    return camera


def _facts(camera: Camera, past: History) -> dict[str, Any]:
    one = overview.watch([camera], status.of_cameras([camera]))[0]
    return {
        "camera": camera,
        "one": one,
        "shown": one.status,
        "past": past,
        "short": lambda code: causes.get(code).short,
        "troubles": [spell for spell in reversed(past.spells) if spell.state not in ("live", "off")][:10],
        "rights": rights(),
        "summary": _live.summary([one.status]),
    }


def _strip(past: History) -> list[Span]:
    scale = 1000 / (past.until_ms - past.from_ms)
    return [
        Span(
            round((spell.started_ms - past.from_ms) * scale, 2),
            round(max(1.0, (spell.ended_ms - spell.started_ms) * scale), 2),
            spell.state,
            f"{status.WORDS.get(spell.state, spell.state)} from {moment(spell.started_ms)}, "
            f"{duration(spell.ended_ms - spell.started_ms)}",
        )
        for spell in past.spells
    ]


def _days(past: History) -> list[str]:
    """The names under the strip: one a day."""
    return [
        day(past.from_ms + (index * history.DAY_MS) + history.DAY_MS // 2) for index in range(history.DAYS)
    ]
