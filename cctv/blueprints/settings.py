"""The frame of the settings: which sections there are, and who sees their names.

Each section is a page of its own with its own blueprint; no form lives here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from flask import Blueprint, Flask, current_app
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx
from cctv.errors import NotFound
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("settings", __name__, url_prefix="/settings")


@dataclass(frozen=True, slots=True)
class Section:
    """One page of the settings. Its name is shown when the page exists and the person's role may open it."""

    label: str
    path: str
    icon: str
    action: Action


SECTIONS = (
    Section("Storage", "/settings/storage", "database", Action.SETTINGS_TEST),
    Section("Retention", "/settings/retention", "clock", Action.SETTINGS),
    Section("Cloud", "/settings/cloud", "cloud-upload", Action.SETTINGS_TEST),
    Section("Evidence", "/settings/evidence", "shield-check", Action.SETTINGS),
    Section("Mail", "/settings/mail", "mail", Action.SETTINGS_TEST),
)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The first section that the person may open."""
    access.authorise(current_user, None, Action.SETTINGS_TEST)
    mine = sections()
    if not mine:
        raise NotFound("There are no settings for you.")
    return _htmx.redirect(mine[0].path)


def sections() -> list[Section]:
    """The sections of this person."""
    there = _paths(current_app._get_current_object())  # type: ignore[attr-defined]
    return [one for one in SECTIONS if one.path in there and access.may(current_user, one.action)]


def register_settings(app: Flask) -> None:
    """Make the sections known to templates/settings/_frame.html."""
    app.register_blueprint(blueprint)
    app.jinja_env.globals["settings_sections"] = sections


@cache
def _paths(app: Flask) -> frozenset[str]:
    return frozenset(rule.rule for rule in app.url_map.iter_rules())
