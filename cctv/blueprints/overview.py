"""The overview: is everything all right, and what happened. Each part refreshes itself from its own address.

What needs somebody is found by services/site/overview.py; here it only gets its place on the page.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx, _live
from cctv.blueprints._rights import rights
from cctv.clock import now_ms
from cctv.services.camera import status
from cctv.services.person import access, accounts
from cctv.services.person.access import Action
from cctv.services.site import overview
from cctv.services.site.overview import Watched

blueprint = Blueprint("overview", __name__)

_MOST_STILLS = 16


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """The overview; who opens the site, or may not see this, is led to the page that they start with."""
    start = accounts.start_page(current_user)
    # Typed, a bookmark or the installed app: no page led here, so the person did not ask for the overview.
    is_opening = request.headers.get("Sec-Fetch-Site") == "none"
    if not access.may(current_user, Action.OVERVIEW) or (is_opening and start != request.path):
        return _htmx.redirect(start)
    watched = _watched()
    return _htmx.render("overview/index.html", **(_needs(watched) | _strip(watched) | _cards(watched)))


@blueprint.get("/overview/needs")
def show_needs() -> ResponseReturnValue:
    """What needs somebody, and the headline."""
    access.authorise(current_user, None, Action.OVERVIEW)
    return _htmx.render("overview/_needs.html", **_needs(_watched()), is_refresh=True)


@blueprint.get("/overview/strip")
def show_strip() -> ResponseReturnValue:
    """Stills of the cameras, worst first."""
    access.authorise(current_user, None, Action.OVERVIEW)
    return _htmx.render("overview/_strip.html", **_strip(_watched()))


@blueprint.get("/overview/cards")
def show_cards() -> ResponseReturnValue:
    """The last 24 hours and the storage."""
    access.authorise(current_user, None, Action.OVERVIEW)
    return _htmx.render("overview/_cards.html", **_cards(_watched()))


@blueprint.post("/overview/first-steps/close")
def close_first_steps() -> ResponseReturnValue:
    """The list of first steps is not wanted any more."""
    access.authorise(current_user, None, Action.SETTINGS)
    overview.close_first_steps()
    return _htmx.redirect(url_for("overview.index"))


def _watched() -> list[Watched]:
    # A Developer sees how the cameras fare, and their pictures only where granted.
    cameras = access.visible_cameras(current_user, Action.OVERVIEW)
    return overview.watch(cameras, status.of_cameras(cameras))


def _needs(watched: list[Watched]) -> dict[str, Any]:
    return {
        "watched": watched,
        "troubled": [one for one in watched if one.status.is_trouble or one.broken_since_ms],
        "nodes": status.storage_troubles(),
        "events": overview.bad_events(),
        "summary": _live.summary(one.status for one in watched),
        "recording": sum(one.status.is_recording for one in watched),
        "disks": overview.storage(watched),
        "rights": rights(),
        "may_add": access.may(current_user, Action.CAMERA_ADD),
        "now": now_ms(),
    }


def _strip(watched: list[Watched]) -> dict[str, Any]:
    pictured = [one for one in watched if rights().of(one.camera).watch]
    return {
        "watched": watched,
        "pictured": pictured,
        "stills": pictured[:_MOST_STILLS],
        "still_moment": now_ms() // 10_000,
    }


def _cards(watched: list[Watched]) -> dict[str, Any]:
    disks = overview.storage(watched)
    cameras = [one.camera for one in watched]
    return {
        "watched": watched,
        "by_id": {one.camera.id: one for one in watched},
        "gaps": overview.last_day(cameras),
        "disks": disks,
        "first_steps": overview.first_steps(cameras, disks)
        if access.may(current_user, Action.SETTINGS)
        else [],
        "rights": rights(),
    }
