"""The settings of retention: how long footage is kept, by default and of single cameras, with a preview.

Shape only; what the rules mean and what they would remove are services.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField

from cctv.blueprints import _forms, _htmx, _storage_words
from cctv.blueprints._words import size, time_of_day
from cctv.errors import Invalid
from cctv.models import Camera
from cctv.services.camera import cameras
from cctv.services.lifetime import forecast, keeping, kept
from cctv.services.lifetime.forecast import Flow, Forecast
from cctv.services.lifetime.keeping import Preview, Wish
from cctv.services.lifetime.kept import Kept
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import nodes

blueprint = Blueprint("retention_settings", __name__, url_prefix="/settings/retention")


@dataclass(frozen=True, slots=True)
class Row:
    """One camera as the page shows it."""

    camera: Camera
    kept: Kept
    flow: Flow | None
    keeps: str  # how long its footage stays, in words
    is_short: bool


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The page, with what goes tonight by the rules as they are."""
    access.authorise(current_user, None, Action.SETTINGS)
    found = cameras.list_cameras()
    wish = keeping.current()
    form = _form_class(found)(formdata=None, **_values(wish))
    return _htmx.render("settings/retention.html", **_page(found, keeping.preview(wish)), form=form)


@blueprint.post("")
def save() -> ResponseReturnValue:
    """Store the rules."""
    access.authorise(current_user, None, Action.SETTINGS)
    found = cameras.list_cameras()
    form = _form_class(found)()
    try:
        coming = keeping.save(_wish(form, found))
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _forms.problems("settings/retention.html", form, **_page(found, None))
    said = f"Saved. {size(coming.size_bytes)} go tonight at 3 o'clock." if coming.losses else "Saved."
    return _htmx.toast(_htmx.redirect(url_for("retention_settings.show")), "ok", said)


@blueprint.post("/preview")
def preview() -> ResponseReturnValue:
    """What these rules would remove tonight; nothing is saved."""
    access.authorise(current_user, None, Action.SETTINGS)
    found = cameras.list_cameras()
    form = _form_class(found)()
    coming = None
    try:
        coming = keeping.preview(_wish(form, found))
    except Invalid as error:
        _forms.add_errors(form, error.errors)
    if not _htmx.is_htmx():
        status = 422 if form.errors else 200
        return _htmx.render("settings/retention.html", status=status, **_page(found, coming), form=form)
    text = render_template("settings/_retention_preview.html", **_previewed(found, coming))
    return _htmx.vary(make_response(text))


def _form_class(found: list[Camera]) -> type[FlaskForm]:
    """The form with two fields for every camera."""
    fields: dict[str, Any] = {
        "keep_days": StringField("Days"),
        "keep_gb": StringField("Gigabytes of each camera"),
        "keeps_manual": BooleanField("Keep what somebody started to record, whatever its age"),
    }
    for camera in found:
        fields[f"days_{camera.id}"] = StringField(f"Days of {camera.name}")
        fields[f"gb_{camera.id}"] = StringField(f"Gigabytes of {camera.name}")
    return type("RetentionForm", (FlaskForm,), fields)


def _wish(form: FlaskForm, found: list[Camera]) -> Wish:
    typed = {name: str(value) for name, value in request.form.items()}
    return keeping.parse(typed, [camera.id for camera in found], keeps_manual=bool(form.keeps_manual.data))


def _values(wish: Wish) -> dict[str, Any]:
    values: dict[str, Any] = {
        "keep_days": wish.keep_days or "",
        "keep_gb": _gigabytes(wish.keep_bytes or None),
        "keeps_manual": wish.keeps_manual,
    }
    for camera_id, (days, size_bytes) in wish.own.items():
        values[f"days_{camera_id}"] = "" if days is None else days
        values[f"gb_{camera_id}"] = _gigabytes(size_bytes)
    return values


def _gigabytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 1e9:g}"


def _page(found: list[Camera], coming: Preview | None) -> dict[str, Any]:
    forecasts = [one for node in nodes.list_nodes() if (one := forecast.of_node(node))]
    footage = kept.of_cameras(found)
    return {
        "rows": [_row(camera, footage[camera.id], forecasts) for camera in found],
        "waits_until_ms": keeping.waits_until_ms(),
        "shortfalls": [said for one in forecasts if (said := _storage_words.shortfall(one))],
        **_previewed(found, coming),
    }


def _previewed(found: list[Camera], coming: Preview | None) -> dict[str, Any]:
    night = time_of_day(coming.at_ms)[:5] if coming else ""
    return {"coming": coming, "night": night, "names": {camera.id: camera.name for camera in found}}


def _row(camera: Camera, footage: Kept, forecasts: list[Forecast]) -> Row:
    for one in forecasts:
        for flow in one.flows:
            if flow.camera_id == camera.id:
                keeps = one.keeps_days(flow)
                is_for_ever = keeps is not None and keeps >= forecast.HORIZON_DAYS
                words = "" if keeps is None else "all of it" if is_for_ever else _storage_words.days(keeps)
                return Row(camera, footage, flow, words, one.is_short(flow))
    return Row(camera, footage, None, "", False)
