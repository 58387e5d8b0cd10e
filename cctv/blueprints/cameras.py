"""The list of cameras with renaming in place, and the page of one camera.

Shape only: what is trouble, what is kept and who may see it is said by services.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx, _live
from cctv.blueprints._rights import rights
from cctv.blueprints._words import duration, minute
from cctv.clock import now_ms
from cctv.errors import Invalid
from cctv.models import Camera, StreamKind
from cctv.services.camera import cameras, status
from cctv.services.footage import timeline
from cctv.services.movement import activity
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import overview
from cctv.services.site.overview import Watched

blueprint = Blueprint("cameras", __name__, url_prefix="/cameras")

FILTERS = {"all": "All", "live": "Live", "trouble": "Trouble", "off": "Off"}
_HOUR_MS = 3_600_000
_ROWS = 25
_SEEN = 10  # times that something moved lately
# Qualities of one big picture; the ones that the node makes itself cost about a core each.
_MADE = {StreamKind.P720: "720p", StreamKind.P480: "480p", StreamKind.P360: "360p"}


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a strip that is 1000 wide."""

    x: float
    width: float
    kind: str
    words: str


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All cameras, trouble first; q searches, state filters."""
    access.authorise(current_user, None, Action.CAMERA_LIST)
    watched, counts = _filtered()
    page = max(1, request.args.get("p", 1, type=int))
    shown = watched[(page - 1) * _ROWS : page * _ROWS]
    return _htmx.render(
        "cameras/index.html",
        "rows" if page == 1 else "more",
        watched=shown,
        page=page,
        more=max(0, len(watched) - page * _ROWS),
        counts=counts,
        filters=FILTERS,
        state=_state(),
        search=request.args.get("q", ""),
        rights=rights(),
        may_add=access.may(current_user, Action.CAMERA_ADD),
        version=_version(shown),
        summary=_live.summary(one.status for one in watched),
    )


@blueprint.get("/status")
def show_states() -> ResponseReturnValue:
    """State cells of the rows on the page; 204 while nothing changed."""
    access.authorise(current_user, None, Action.CAMERA_LIST)
    asked = set(request.args.getlist("id", type=int))
    found = cameras.list_cameras()
    watched = overview.watch(found, status.of_cameras(found))
    shown = [one for one in watched if one.camera.id in asked]
    version = _version(shown)
    if request.args.get("v") == version:
        return _htmx.no_content()
    return _htmx.vary(
        make_response(
            render_template(
                "cameras/states.html",
                watched=shown,
                rights=rights(),
                version=version,
                summary=_live.summary(one.status for one in watched),
            )
        )
    )


@blueprint.get("/<int:camera_id>/name")
def edit_name(camera_id: int) -> ResponseReturnValue:
    """The name as a field, in place."""
    camera = _camera(camera_id, Action.CAMERA_EDIT)
    return _htmx.render("cameras/_name_form.html", camera=camera, typed=camera.name, problem=None)


@blueprint.get("/<int:camera_id>/name/shown")
def show_name(camera_id: int) -> ResponseReturnValue:
    """The name as text again (Esc)."""
    camera = _camera(camera_id, Action.CAMERA_LIST)
    return _htmx.render("cameras/_name.html", camera=camera, rights=rights())


@blueprint.post("/<int:camera_id>/name")
def rename(camera_id: int) -> ResponseReturnValue:
    """Give the camera another name."""
    camera = _camera(camera_id, Action.CAMERA_EDIT)
    typed = request.form.get("name", "")
    try:
        cameras.rename(camera, typed)
    except Invalid as error:
        return _htmx.render(
            "cameras/_name_form.html", status=422, camera=camera, typed=typed, problem=error.errors["name"]
        )
    if not _htmx.is_htmx():
        return _htmx.redirect(url_for("cameras.index"))
    return _htmx.render("cameras/_name.html", camera=camera, rights=rights())


@blueprint.get("/<int:camera_id>")
def show(camera_id: int) -> ResponseReturnValue:
    """One camera: live, the last hour, what is kept."""
    camera = _camera(camera_id, Action.LIVE)
    one = _watch(camera)
    return _htmx.render(
        "cameras/show.html",
        one=one,
        camera=camera,
        shown=one.status,
        base=_live.base(current_user, camera),
        rights=rights(),
        qualities=_qualities(camera),
        quality=_quality(camera),
        version=_version([one]),
        spans=_hour(camera) if rights().of(camera).play_back else None,
        hour=_window(),
        seen=activity.newest(camera.id, count=_SEEN),
        **_others(camera),
        summary=_live.summary([one.status]),
    )


@blueprint.get("/<int:camera_id>/status")
def show_status(camera_id: int) -> ResponseReturnValue:
    """Chip, message, record button and the line about what is kept; 204 while nothing changed."""
    camera = _camera(camera_id, Action.LIVE)
    one = _watch(camera)
    version = _version([one])
    if request.args.get("v") == version:
        return _htmx.no_content()
    return _htmx.vary(
        make_response(
            render_template(
                "cameras/status.html",
                one=one,
                camera=camera,
                shown=one.status,
                rights=rights(),
                version=version,
                summary=_live.summary([one.status]),
            )
        )
    )


@blueprint.get("/<int:camera_id>/hour")
def show_hour(camera_id: int) -> ResponseReturnValue:
    """The strip of the last hour, drawn anew every quarter of a minute."""
    camera = _camera(camera_id, Action.PLAYBACK)
    seen = activity.newest(camera.id, count=_SEEN)
    return _htmx.render("cameras/_hour.html", camera=camera, spans=_hour(camera), hour=_window(), seen=seen)


def _camera(camera_id: int, action: Action) -> Camera:
    camera = access.authorise(current_user, camera_id, action)
    assert camera is not None  # an id was named
    return camera


def _watch(camera: Camera) -> Watched:
    return overview.watch([camera], status.of_cameras([camera]))[0]


def _state() -> str:
    asked = request.args.get("state", "all")
    return asked if asked in FILTERS else "all"


def _filtered() -> tuple[list[Watched], dict[str, int]]:
    """The cameras of this search and filter, and how many each filter would show."""
    found = cameras.list_cameras(request.args.get("q", ""))
    watched = overview.watch(found, status.of_cameras(found))
    groups = {name: [one for one in watched if _belongs(one, name)] for name in FILTERS}
    return groups[_state()], {name: len(group) for name, group in groups.items()}


def _belongs(one: Watched, state: str) -> bool:
    if state == "trouble":
        return one.status.is_trouble or one.broken_since_ms is not None
    return state == "all" or one.status.state == state


def _version(watched: list[Watched]) -> str:
    return hashlib.sha256(repr([_said(one) for one in watched]).encode()).hexdigest()[:12]


def _said(one: Watched) -> tuple[object, ...]:
    """Everything that the page says about the camera and that can change by itself."""
    shown = one.status
    age = duration(now_ms() - shown.since_ms) if shown.is_trouble else ""
    kept = minute(one.kept.oldest_ms) if one.kept.oldest_ms else ""
    recording = (shown.is_recording, shown.manual_since_ms, shown.manual_until_ms, one.broken_since_ms)
    rule = (shown.rule.mode, shown.rule.until_ms, shown.schedule)
    facts = (
        one.camera.main.width,
        one.camera.main.bitrate_kbps,
        one.camera.main.fps,
        one.camera.main.video_codec,
    )
    return (one.camera.id, one.camera.name, shown.state, shown.cause, age, kept, recording, rule, facts)


def _qualities(camera: Camera) -> list[tuple[str, str]]:
    """(kind, words) of what one big picture can be played in, best first."""
    main = camera.main
    choices = [("main", f"Full · {main.height}p" if main.height else "Full")]
    choices += [("sub", "Small stream of the camera")] if camera.stream("sub") else []
    smaller = [(kind, words) for kind, words in _MADE.items() if int(words[:-1]) < (main.height or 10_000)]
    return choices + [(kind, f"{words} · converted") for kind, words in smaller]


def _quality(camera: Camera) -> str:
    asked = request.args.get("q", "main")
    return asked if asked in dict(_qualities(camera)) else "main"


def _window() -> tuple[int, int]:
    now = now_ms()
    return now - _HOUR_MS, now


def _hour(camera: Camera) -> list[Span]:
    """Recorded, locked and missing parts of the last hour, left to right."""
    since, until = _window()
    lane = timeline.lanes([camera.id], since, until, resolution_ms=2000)[0]
    parts = [(start, end, "recorded", "Recorded") for start, end in lane.recorded]
    parts += [(start, end, "manual", "Somebody pressed Record") for start, end in lane.manual]
    parts += [(mark.started_ms, mark.ended_ms, "activity", "Activity") for mark in lane.activity]
    parts += [(gap.started_ms, gap.ended_ms, "gap", gap.sentence) for gap in lane.gaps]
    return [_span(part, since, until) for part in parts]


def _span(part: tuple[int, int, str, str], since: int, until: int) -> Span:
    start, end = max(part[0], since), min(part[1], until)
    scale = 1000 / (until - since)
    return Span(
        round((start - since) * scale, 1), round(max(2.0, (end - start) * scale), 1), part[2], part[3]
    )


def _others(camera: Camera) -> dict[str, Any]:
    """The other cameras for the digits, and of them the ones before and after this one for the arrow keys."""
    ordered = access.visible_cameras(current_user)
    at = next(index for index, other in enumerate(ordered) if other.id == camera.id)
    before, after = ordered[at - 1] if at else None, ordered[at + 1] if at + 1 < len(ordered) else None
    return {"others": ordered[:at] + ordered[at + 1 :], "neighbours": (before, after)}
