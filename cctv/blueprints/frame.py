"""What every page stands in: navigation, theme, organisation name, icons and macros.

Registers Jinja globals; decides nothing about what a person may do beyond which links exist for them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from flask import Flask, Request, current_app, request, url_for
from flask_login import current_user
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from cctv.blueprints._rights import PageRights, rights
from cctv.blueprints._words import site_zone
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.services.person.access import Action
from cctv.services.site import settings

THEMES = {"dark": "Dark", "light": "Light", "auto": "Auto"}
THEME_COOKIE = "theme"
RAIL_COOKIE = "rail"
_PHONE_TARGETS = 4  # beside "More"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation. It is shown when its page exists and the person's role may open it."""

    label: str
    path: str
    icon: str
    key: str
    action: Action
    is_apart: bool = False  # opens in a new tab

    def is_open(self, here: str) -> bool:
        """Whether the page at `here` belongs to this entry."""
        return here == self.path or (self.path != "/" and here.startswith(f"{self.path.rstrip('/')}/"))


ENTRIES = (
    Entry("Overview", "/", "layout-dashboard", "g o", Action.OVERVIEW),
    Entry("Wall", "/wall", "layout-grid", "g w", Action.LIVE),
    Entry("Playback", "/playback", "history", "g p", Action.PLAYBACK),
    Entry("Recordings", "/recordings", "filled/player-record", "g r", Action.PLAYBACK),
    Entry("Exports", "/exports", "package-export", "g e", Action.EXPORT),
    Entry("Cameras", "/cameras", "device-cctv", "g c", Action.CAMERA_LIST),
    Entry("Schedules", "/schedules", "calendar-event", "g t", Action.SCHEDULE_READ),
    Entry("Users", "/users", "users", "g u", Action.USERS),
    Entry("Mail", "/mail", "mail", "g m", Action.MAIL_SEND),
    Entry("Health", "/health", "heartbeat", "g h", Action.HEALTH),
    Entry("Audit log", "/audit", "shield-check", "g a", Action.AUDIT),
    Entry("Settings", "/settings", "settings", "g s", Action.SETTINGS_TEST),
    Entry("Administration", "/admin/", "tool", "g d", Action.ADMIN),
    Entry("Queue", "/rq/", "server", "g q", Action.QUEUE, is_apart=True),
    Entry("Honeypot", "/developer/honeypot", "bug", "g t", Action.HONEYPOT),
)


class Frame:
    """The frame of one page; each part is worked out only when a template asks for it."""

    def __init__(self, incoming: Request) -> None:
        self._request = incoming

    @cached_property
    def organisation(self) -> str:
        """The organisation's name; a neutral word until it has one or while the database is away."""
        try:
            return settings.get("organisation_name") or "Cameras"
        except SQLAlchemyError:
            db.session.rollback()
            return "Cameras"

    @cached_property
    def zone(self) -> str:
        """The time zone of the site for who is signed in, so that the page can tell whose time it shows."""
        if not current_user.is_authenticated:
            return ""
        try:
            return site_zone().key
        except SQLAlchemyError:
            db.session.rollback()
            return ""

    @cached_property
    def theme(self) -> str:
        """dark, light or auto: the person's choice, else this browser's last one."""
        chosen = (
            current_user.theme if current_user.is_authenticated else self._request.cookies.get(THEME_COOKIE)
        )
        return chosen if chosen in THEMES else "dark"

    @property
    def is_rail_closed(self) -> bool:
        """Whether this browser keeps the left rail narrow."""
        return self._request.cookies.get(RAIL_COOKIE) == "closed"

    @property
    def choices(self) -> Markup:
        """What app.js knows of the person: attributes of <body>."""
        if not current_user.is_authenticated:
            return Markup()
        left = max(1, (current_user.session_ends_ms - now_ms()) // 1000)
        attributes = [f' data-session-seconds="{left}"'] if current_user.session_ends_ms else []
        if not current_user.has_shortcuts:
            attributes.append(' data-shortcuts="off"')
        if current_user.pauses_updates:
            attributes.append(' data-paused="yes"')
        return Markup("".join(attributes))

    @cached_property
    def entries(self) -> list[Entry]:
        """The navigation of this person."""
        if not current_user.is_authenticated:
            return []
        return entries_of(rights())

    @property
    def phone_entries(self) -> list[Entry]:
        """The ones that fit beside "More" on a phone."""
        return self.entries[:_PHONE_TARGETS]

    @property
    def more_entries(self) -> list[Entry]:
        """The ones that a phone shows under "More"."""
        return self.entries[_PHONE_TARGETS:]

    @property
    def has_search(self) -> bool:
        """Whether the camera search exists for this person."""
        there = _paths(current_app._get_current_object())  # type: ignore[attr-defined]
        return "/search" in there and current_user.is_authenticated


def entries_of(mine: PageRights) -> list[Entry]:
    """The navigation of whoever has these rights."""
    there = _paths(current_app._get_current_object())  # type: ignore[attr-defined]
    # The wall is where a Visitor starts, also before anything is shared with them.
    return [
        entry
        for entry in ENTRIES
        if entry.path in there
        and (mine.may(entry.action) or (entry.path == "/wall" and not mine.may(Action.OVERVIEW)))
    ]


def register_frame(app: Flask) -> None:
    """Make `frame`, `asset` and every macro of _macros.html known to all templates.

    Macros are globals because a macro imported by a page is undefined when only a block of it is rendered.
    """
    app.jinja_env.globals["asset"] = asset
    app.jinja_env.globals["themes"] = THEMES
    app.jinja_env.globals.update(_macros(app))
    app.context_processor(lambda: {"frame": Frame(request)})


def asset(path: str) -> str:
    """The address of a static file with its content's hash, so that browsers may keep it for ever."""
    return url_for("static", filename=path, v=_digest(Path(str(current_app.static_folder)) / path))


def _macros(app: Flask) -> dict[str, Any]:
    module = app.jinja_env.get_template("_macros.html").module
    return {name: macro for name, macro in vars(module).items() if not name.startswith("_")}


@cache
def _paths(app: Flask) -> frozenset[str]:
    return frozenset(rule.rule for rule in app.url_map.iter_rules())


@cache
def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    except FileNotFoundError:
        return "missing"
