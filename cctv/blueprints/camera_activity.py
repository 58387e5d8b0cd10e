"""What counts as activity of a camera: zones on its picture, and sensitivity.

Works without JavaScript: a zone is a name, what it is for, and its corners in percent of the picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired

from cctv.blueprints import _forms, _htmx
from cctv.blueprints._rights import rights
from cctv.blueprints.camera_forms import WholeNumber
from cctv.errors import Invalid
from cctv.models import Camera
from cctv.services.movement import activity
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("camera_activity", __name__, url_prefix="/cameras/<int:camera_id>/activity")

_NUMBER = re.compile(r"-?\d{1,3}(?:\.\d{1,3})?")


class WatchEditor(FlaskForm):
    """All but the zones, which are rows of their own."""

    is_watched = BooleanField("Look for activity")
    sensitivity = WholeNumber("Sensitivity", [InputRequired("Choose a sensitivity from 1 to 100.")])
    version = HiddenField()


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """A zone as it is typed: corners as "x,y x,y" in percent."""

    name: str
    corners: str
    is_ignored: bool

    def zone(self) -> dict[str, Any]:
        """As it is stored; corners that are none make it one without corners, which the service refuses."""
        numbers = [float(found) / 100 for found in _NUMBER.findall(self.corners)]
        points = [numbers[at : at + 2] for at in range(0, len(numbers), 2)]
        return {"name": self.name, "points": points, "is_ignored": self.is_ignored}


@blueprint.get("")
def edit(camera_id: int) -> ResponseReturnValue:
    """The editor with what is stored."""
    camera = _camera(camera_id)
    form = WatchEditor(
        is_watched=camera.watches_activity,
        sensitivity=camera.sensitivity,
        version=camera.version,
    )
    return _htmx.render("cameras/activity.html", form=form, zones=_stored_rows(camera), **_around(camera))


@blueprint.post("")
def update(camera_id: int) -> ResponseReturnValue:
    """Save what was drawn and typed."""
    camera = _camera(camera_id)
    form, rows = WatchEditor(), _typed_rows()
    if not form.validate():
        return _refused(form, camera, rows)
    version = form.version.data or ""
    typed = activity.WatchForm(
        is_watched=form.is_watched.data,
        sensitivity=form.sensitivity.data,
        zones=[row.zone() for row in rows],
    )
    try:
        activity.set_watching(
            camera, typed, current_user, version=int(version) if version.isdecimal() else None
        )
    except Invalid as error:
        return _refused(form, camera, rows, error.errors)
    response = _htmx.redirect(url_for("camera_activity.edit", camera_id=camera.id))
    return _htmx.toast(response, "ok", f"{camera.name}: what counts as activity is saved.")


def _camera(camera_id: int) -> Camera:
    camera = access.authorise(current_user, camera_id, Action.CAMERA_EDIT)
    assert camera is not None  # an id was named
    return camera


def _refused(
    form: WatchEditor, camera: Camera, rows: list[ZoneRow], errors: dict[str, str] | None = None
) -> Response:
    _forms.add_errors(form, errors or {})
    return _forms.problems("cameras/activity.html", form, zones=rows, **_around(camera))


def _around(camera: Camera) -> dict[str, Any]:
    return {
        "camera": camera,
        "back": rights().of(camera).home or url_for("cameras.index"),
        "marks": activity.newest(camera.id),
        "most": activity.MOST_ZONES,
        "may_play": rights().of(camera).play_back,
    }


def _stored_rows(camera: Camera) -> list[ZoneRow]:
    return [
        ZoneRow(zone["name"], _in_percent(zone["points"]), bool(zone.get("is_ignored")))
        for zone in camera.zones
    ]


def _in_percent(points: list[list[float]]) -> str:
    return " ".join(f"{100 * x:g},{100 * y:g}" for x, y in points)


def _typed_rows() -> list[ZoneRow]:
    """Rows with corners; one whose corners were taken away is a zone that was deleted."""
    fields = (request.form.getlist(name) for name in ("zone_name", "zone_corners", "zone_use"))
    return [
        ZoneRow(name.strip(), corners, use == "ignore")
        for name, corners, use in zip(*fields, strict=False)
        if corners.strip()
    ]
