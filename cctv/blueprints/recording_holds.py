"""Locking what was marked on the timeline: a reason is asked for, then footage of these times is held.

Shape only; what is held, and that nothing removes it, is said by services/recording/evidence.py.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import StringField

from cctv.blueprints import _forms, _htmx, _words
from cctv.blueprints._recording_rows import when
from cctv.errors import Invalid
from cctv.models import Camera
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.recording import evidence

blueprint = Blueprint("recording_holds", __name__, url_prefix="/recordings/hold")

_TEMPLATE = "recordings/hold.html"
_MOST_CAMERAS = 16
_LARGEST_MS = 2**53


class HoldForm(FlaskForm):
    """Why it is held."""

    reason = StringField("Reason")


@blueprint.get("")
def ask() -> ResponseReturnValue:
    """The question: `cams`, and `from` and `to` in milliseconds."""
    access.authorise(current_user, None, Action.LOCK)
    return _htmx.render(_TEMPLATE, "dialog", form=HoldForm(formdata=None), **_asked())


@blueprint.post("")
def hold() -> ResponseReturnValue:
    """Hold them: a locked recording for each camera that has footage of that time."""
    access.authorise(current_user, None, Action.LOCK)
    form, asked = HoldForm(), _asked()
    held, refusal = [], None
    for camera in asked["cameras"]:
        try:
            evidence.hold(
                camera.id,
                current_user,
                start_ms=asked["from_ms"],
                end_ms=asked["to_ms"],
                reason=form.reason.data or "",
            )
            held.append(camera)
        except Invalid as error:
            refusal = error
            if "start_ms" not in error.errors:  # the others would be refused for the same
                break
    if refusal is not None and not held:
        _forms.add_errors(form, refusal.errors)
        return _forms.problems(_TEMPLATE, form, **asked)
    answer = (
        _htmx.no_content() if _htmx.is_htmx() else _htmx.redirect(url_for("recordings.index", lock="locked"))
    )
    return _htmx.close_dialog(_htmx.toast(answer, "ok", _words_of(held, asked)))


def _words_of(held: list[Camera], asked: dict[str, Any]) -> str:
    names = held[0].name if len(held) == 1 else f"{len(held)} cameras"
    without = len(asked["cameras"]) - len(held)
    more = f" {without} had no footage then." if without else ""
    return f"{_words.duration(asked['to_ms'] - asked['from_ms'])} of {names} locked.{more}"


def _asked() -> dict[str, Any]:
    """The cameras and times of the address or the form.

    Raises:
        Invalid: no camera is named.
        NotFound, NotAllowed: one of them is not there, or not this person's to lock.
    """
    typed = request.values.get("cams", "").split(",")[:_MOST_CAMERAS]
    ids = dict.fromkeys(int(part) for part in typed if part.isascii() and part.isdigit() and len(part) < 10)
    cameras = [access.authorise(current_user, camera_id, Action.LOCK) for camera_id in ids]
    if not cameras:
        raise Invalid({"cams": "Choose a camera."})
    from_ms, to_ms = (min(request.values.get(name, 0, type=int), _LARGEST_MS) for name in ("from", "to"))
    span = when(from_ms, to_ms) if 0 < from_ms < to_ms < _LARGEST_MS // 64 else ""
    return {
        "cameras": cameras,
        "cams": ",".join(str(camera_id) for camera_id in ids),
        "from_ms": from_ms,
        "to_ms": to_ms,
        "span": span,
        "day": _words.short_day(from_ms) if span else "",
    }
