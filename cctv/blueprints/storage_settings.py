"""The settings of storage: the disks and how they get on, the limit, what is spared, the test with its steps.

Shape only; what is stored and what a failure means are services.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import StringField

from cctv import config
from cctv.blueprints import _forms, _htmx, _storage_words, _trials
from cctv.errors import Invalid, LimitReached
from cctv.models import Node
from cctv.services.lifetime import forecast, keeping
from cctv.services.lifetime.forecast import Forecast
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import nodes, settings, storage_trials
from cctv.services.site.storage_trials import Trial

blueprint = Blueprint("storage_settings", __name__, url_prefix="/settings/storage")

LABELS = {
    "disk": "Find the disk",
    "small": "Write a little",
    "speed": "Write, read and delete 64 MB",
}


class StorageForm(FlaskForm):
    """What holds for every disk. The checks are the service's: one sentence a field."""

    disk_limit_percent = StringField("Fill a disk up to (%)")
    spared_hours = StringField("Spare the newest (hours)")


@dataclass(frozen=True, slots=True)
class Disk:
    """One machine's disk as the page shows it."""

    node: Node
    folder: str  # only of this machine: what others call theirs is their business
    percent: int | None
    forecast: Forecast | None
    outlook: str
    shortfall: str
    trial: Trial | None
    rows: list[tuple[str, str, str]]


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The page."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    return _htmx.render("settings/storage.html", **_page(), form=_filled())


@blueprint.post("")
def save() -> ResponseReturnValue:
    """Store the limit and what is spared."""
    access.authorise(current_user, None, Action.SETTINGS)
    form = StorageForm()
    try:
        keeping.save_storage(
            disk_limit_percent=_number(form.disk_limit_percent), spared_hours=_number(form.spared_hours)
        )
    except Invalid as error:
        _forms.add_errors(form, error.errors)
        return _forms.problems("settings/storage.html", form, **_page())
    return _htmx.toast(_htmx.redirect(url_for("storage_settings.show")), "ok", "Saved.")


@blueprint.post("/test/<int:node_id>")
def test(node_id: int) -> ResponseReturnValue:
    """Try a disk; the steps appear one by one."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    node = nodes.get_node(node_id)
    try:
        trial = storage_trials.start(current_user, node)
    except LimitReached as error:
        if _htmx.is_htmx():
            disk = _disk(node)
            text = render_template("settings/_storage_trial.html", disk=disk, problem=error.message)
            return _htmx.vary(make_response(text, 422))
        return _htmx.toast(_htmx.redirect(url_for("storage_settings.show")), "warn", error.message)
    if not _htmx.is_htmx():
        return _htmx.redirect(url_for("storage_settings.show_test", node_id=trial.node_id))
    return _fragment(node)


@blueprint.get("/test/<int:node_id>")
def show_test(node_id: int) -> ResponseReturnValue:
    """The steps so far; the fragment asks again by itself until the test is over."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    node = nodes.get_node(node_id)
    if not _htmx.is_htmx():
        return _htmx.render("settings/storage_test.html", disk=_disk(node))
    return _fragment(node)


def _number(field: StringField) -> int | None:
    """None for what is no whole number: the service says what would be."""
    typed = (field.data or "").strip()
    return int(typed[:9]) if typed.isascii() and typed.isdigit() else None


def _fragment(node: Node) -> ResponseReturnValue:
    return _htmx.vary(make_response(render_template("settings/_storage_trial.html", disk=_disk(node))))


def _page() -> dict[str, Any]:
    return {
        "disks": [_disk(node) for node in nodes.list_nodes()],
        "limit_percent": settings.get("disk_limit_percent"),
        "may_save": access.may(current_user, Action.SETTINGS),
    }


def _filled() -> StorageForm:
    return StorageForm(
        formdata=None,
        disk_limit_percent=settings.get("disk_limit_percent"),
        spared_hours=settings.get("spared_hours"),
    )


def _disk(node: Node) -> Disk:
    found = forecast.of_node(node)
    limit = settings.get("disk_limit_percent")
    used = (node.total_bytes or 0) - (node.free_bytes or 0)
    trial = storage_trials.last(node.id)
    return Disk(
        node=node,
        folder=str(config.current().media_dir) if node.key == nodes.key() else "",
        percent=round(100 * used / node.total_bytes) if node.total_bytes else None,
        forecast=found,
        outlook=_storage_words.outlook(found, limit) if found else "",
        shortfall=_storage_words.shortfall(found) if found else "",
        trial=trial,
        rows=_trials.rows(trial, LABELS) if trial else [],
    )
