"""Playback: the page, its lanes, and where a typed or clicked time leads.

Times in addresses are epoch milliseconds, or site time as people write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_login import current_user, login_required

from cctv import clock
from cctv.blueprints import _htmx
from cctv.errors import NotAllowed
from cctv.models import Camera, User
from cctv.services import access, settings, timeline
from cctv.services.access import Action

blueprint = Blueprint("playback", __name__, url_prefix="/playback")

ZOOMS = {"24h": 24 * 3600_000, "6h": 6 * 3600_000, "1h": 3600_000, "10m": 600_000}
SPEEDS = ("0.5", "1", "2", "4", "8", "16")
_MOST_CAMERAS = 4  # in step
_SHORTEST_MS, _LONGEST_MS = 60_000, 25 * 3600_000
_AXIS_STEPS_MS = (10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000)
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the timeline that is shown, [from_ms, to_ms)."""

    from_ms: int
    to_ms: int

    def percent(self, ms: int) -> str:
        """Where a moment lies, as an SVG length."""
        clipped = min(max(ms, self.from_ms), self.to_ms)
        return f"{100 * (clipped - self.from_ms) / (self.to_ms - self.from_ms):.3f}%"

    def width(self, start_ms: int, end_ms: int) -> str:
        """How long an interval is; never thinner than can be seen."""
        start, end = max(start_ms, self.from_ms), min(end_ms, self.to_ms)
        return f"{max(0.08, 100 * (end - start) / (self.to_ms - self.from_ms)):.3f}%"


@blueprint.get("")
@login_required
def show() -> Response:
    """The playback page at a moment: `cams`, `t`, `z`, `speed`."""
    cameras = access.visible_cameras(_user(), Action.PLAYBACK)
    if not access.may(_user(), Action.PLAYBACK):
        access.authorise(_user(), None, Action.PLAYBACK)
    chosen = _chosen(cameras)
    zone = settings.zone()
    now = clock.now_ms()
    moment = clock.parse_typed(request.args.get("t", ""), near_ms=now, zone=zone)
    at_ms = min(moment if moment is not None else now - 30_000, now)
    window = _window(at_ms, _zoom(chosen, at_ms))
    day = clock.site_day(at_ms, zone)
    return _htmx.render(
        "playback/show.html",
        cameras=cameras,
        chosen=chosen,
        tokens={camera.id: access.media_token(_user(), camera.id, Action.PLAYBACK) for camera in chosen},
        at_ms=at_ms,
        now_ms=now,
        day=day,
        day_bounds=clock.day_bounds_ms(day, zone),
        zone=zone.key,
        zooms=ZOOMS,
        speeds=SPEEDS,
        speed=request.args.get("speed") if request.args.get("speed") in SPEEDS else "1",
        **_lanes(chosen, window),
    )


@blueprint.get("/lanes")
@login_required
def lanes() -> Response:
    """The lanes of `cams` between `from` and `to`, redrawn on zoom, pan and by themselves today."""
    cameras = _chosen(access.visible_cameras(_user(), Action.PLAYBACK))
    if not cameras:
        raise NotAllowed("You may not play back any of these cameras. Ask an Admin.")
    start = request.args.get("from", 0, type=int)
    end = request.args.get("to", 0, type=int)
    span = min(max(end - start, _SHORTEST_MS), _LONGEST_MS)
    return _htmx.render("playback/_lanes.html", **_lanes(cameras, Window(start, start + span)))


@blueprint.get("/seek")
@login_required
def seek() -> Response:
    """Where `t` (milliseconds or as typed, near `near`) leads on camera `cam`: there, or to what is next."""
    camera = access.authorise(_user(), request.args.get("cam", 0, type=int), Action.PLAYBACK)
    assert camera is not None  # an id was given
    near = request.args.get("near", clock.now_ms(), type=int)
    at_ms = clock.parse_typed(request.args.get("t", ""), near_ms=near, zone=settings.zone())
    if at_ms is None:
        return jsonify(error="Type a time like 14:52, 1452, 2:52pm or -15m.")
    found = timeline.locate(camera.id, at_ms)
    return jsonify(
        at_ms=at_ms,
        is_recorded=found.is_recorded,
        next_ms=found.next_ms,
        previous_ms=found.previous_ms,
        why=found.sentence,
    )


@blueprint.get("/days")
@login_required
def days() -> Response:
    """The days of `month` (YYYY-MM) on which any of `cams` has footage."""
    cameras = _chosen(access.visible_cameras(_user(), Action.PLAYBACK))
    found = timeline.days_with_recordings([camera.id for camera in cameras], request.args.get("month", ""))
    return jsonify(days=[day.isoformat() for day in found])


def _user() -> User:
    user: User = current_user._get_current_object()
    return user


def _chosen(cameras: list[Camera]) -> list[Camera]:
    wanted = [part for part in request.args.get("cams", "").split(",") if part.isdigit()]
    by_id = {str(camera.id): camera for camera in cameras}
    chosen = [by_id[part] for part in dict.fromkeys(wanted) if part in by_id]
    return (chosen or cameras[:1])[:_MOST_CAMERAS]


def _zoom(cameras: list[Camera], at_ms: int) -> str:
    """The zoom that was asked for; else the day, or the last hour while there is hardly more footage."""
    asked = request.args.get("z", "")
    if asked in ZOOMS:
        return asked
    is_young = cameras and all(
        timeline.previous_recorded(camera.id, at_ms - ZOOMS["1h"]) is None for camera in cameras
    )
    return "1h" if is_young else "24h"


def _window(at_ms: int, zoom: str) -> Window:
    if zoom == "24h":
        zone = settings.zone()
        return Window(*clock.day_bounds_ms(clock.site_day(at_ms, zone), zone))
    span = ZOOMS[zoom]
    # Centred, but the future is not worth half of the width.
    end_ms = min(at_ms + span // 2, clock.now_ms() + span // 20)
    return Window(end_ms - span, end_ms)


def _lanes(cameras: list[Camera], window: Window) -> dict[str, Any]:
    resolution_ms = max(1, (window.to_ms - window.from_ms) // 2000)  # finer than a pixel is not drawn
    drawn = timeline.lanes(
        [camera.id for camera in cameras], window.from_ms, window.to_ms, resolution_ms=resolution_ms
    )
    return {
        "names": {camera.id: camera.name for camera in cameras},
        "lanes": drawn,
        "window": window,
        "ticks": _ticks(window),
        "lanes_now_ms": clock.now_ms(),
    }


def _ticks(window: Window) -> list[tuple[int, str]]:
    """Moments of the axis with their words, on round site times; a repeated hour is called "(2nd)"."""
    span = window.to_ms - window.from_ms
    step = next((s for s in _AXIS_STEPS_MS if span / s <= _MOST_TICKS), _AXIS_STEPS_MS[-1])
    zone = settings.zone()
    offset = clock.from_ms(window.from_ms).astimezone(zone).utcoffset()
    shift_ms = int(offset.total_seconds() * 1000) if offset else 0
    first = -(-(window.from_ms + shift_ms) // step) * step - shift_ms
    ticks = []
    for ms in range(first, window.to_ms + 1, step):
        moment = clock.from_ms(ms).astimezone(zone)
        words = moment.strftime("%H:%M:%S" if step < 60_000 else "%H:%M")
        ticks.append((ms, f"{words} (2nd)" if moment.fold else words))
    return ticks
