"""Playback: the page, its lanes, and where a typed or clicked time leads.

Times in addresses are epoch milliseconds, or site time as people write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_login import current_user, login_required

from cctv import clock
from cctv.blueprints import _calendar, _htmx
from cctv.blueprints._rights import rights
from cctv.errors import NotFound
from cctv.models import Camera, User
from cctv.services.footage import timeline
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import settings

blueprint = Blueprint("playback", __name__, url_prefix="/playback")

ZOOMS = {"24h": 24 * 3600_000, "6h": 6 * 3600_000, "1h": 3600_000, "10m": 600_000}
SPEEDS = ("0.5", "1", "2", "4", "8", "16")
_MOST_CAMERAS = 4  # in step
_SHORTEST_MS, _LONGEST_MS = 60_000, 25 * 3600_000
_AXIS_STEPS_MS = (10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000)
_MOST_TICKS = 9
_AT_START_MS, _PAST_START_MS = 500, 3000  # so close to a beginning one is at it: not that one is meant
_CLOCKS_CHANGE_BY_MS = 900_000  # offsets of time zones are multiples of this


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
    access.authorise(_user(), None, Action.PLAYBACK)
    cameras = access.visible_cameras(_user(), Action.PLAYBACK)
    chosen = _chosen(cameras)
    lost = len(_asked().keys() - {camera.id for camera in cameras})
    now = clock.now_ms()
    at_ms = _moment(chosen, now)
    window = _window(at_ms, _zoom(chosen, at_ms))
    return _htmx.render(
        "playback/show.html",
        cameras=cameras,
        chosen=chosen,
        cams=_ids(chosen),
        all_cams=_ids(cameras[:_MOST_CAMERAS]),
        lost=lost,
        most=_MOST_CAMERAS,
        tokens={camera.id: access.media_token(_user(), camera.id, Action.PLAYBACK) for camera in chosen},
        rights=rights(),
        may_export=any(rights().of(camera).export for camera in chosen),
        may_save=any(rights().of(camera).snapshot for camera in chosen),
        at_ms=at_ms,
        now_ms=now,
        zone=settings.zone().key,
        zooms=ZOOMS,
        speeds=SPEEDS,
        speed=request.args.get("speed") if request.args.get("speed") in SPEEDS else "1",
        **_day(chosen, at_ms, now),
        **_lanes(chosen, window),
    )


@blueprint.get("/lanes")
@login_required
def lanes() -> Response:
    """The lanes of `cams` between `from` and `to`, or of a `day`; redrawn on zoom, pan and by themselves
    today."""
    cameras = _playable()
    if day := _parse_day(request.args.get("day", "")):
        return _htmx.render(
            "playback/_lanes.html", **_lanes(cameras, Window(*clock.day_bounds_ms(day, settings.zone())))
        )
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


@blueprint.get("/activity")
@login_required
def find_activity() -> Response:
    """Where the activity of camera `cam` before (`to=previous`) or after `t` begins; null: there is none."""
    camera = access.authorise(_user(), request.args.get("cam", 0, type=int), Action.PLAYBACK)
    assert camera is not None  # an id was given
    is_forward = request.args.get("to") != "previous"
    at_ms = request.args.get("t", clock.now_ms(), type=int)
    at_ms += _AT_START_MS if is_forward else -_PAST_START_MS
    return jsonify(at_ms=timeline.find_activity(camera.id, at_ms, is_forward=is_forward))


@blueprint.get("/calendar")
@login_required
def show_calendar() -> Response:
    """The month of `month` or `day` (any of its days), with the days marked on which `cams` has footage."""
    cameras = _playable()
    today = clock.site_day(clock.now_ms(), settings.zone())
    opened = _parse_day(request.args.get("day", "")) or today
    month = _calendar.month_around(
        _parse_day(request.args.get("month", "")) or opened, [camera.id for camera in cameras], today=today
    )
    return _htmx.render(
        "playback/_calendar.html", month=month, opened=opened, today=today, cams=_ids(cameras)
    )


def _playable() -> list[Camera]:
    """The chosen cameras, for a fragment."""
    access.authorise(_user(), None, Action.PLAYBACK)
    return _chosen(access.visible_cameras(_user(), Action.PLAYBACK))


def _ids(cameras: list[Camera]) -> str:
    return ",".join(str(camera.id) for camera in cameras)


def _user() -> User:
    user: User = current_user._get_current_object()
    return user


def _asked() -> dict[int, None]:
    """The camera ids of `cams`, in their order."""
    return {int(part): None for part in request.args.get("cams", "").split(",") if part.isdecimal()}


def _chosen(cameras: list[Camera]) -> list[Camera]:
    """The cameras that were asked for, else the first one. NotFound when none of them is there."""
    by_id = {camera.id: camera for camera in cameras}
    chosen = [by_id[camera_id] for camera_id in _asked() if camera_id in by_id]
    if _asked() and not chosen:
        raise NotFound("This camera is not there any more, or not shared with you.")
    return (chosen or cameras[:1])[:_MOST_CAMERAS]


def _moment(chosen: list[Camera], now_ms: int) -> int:
    """Where to begin: `t`; else the first footage of `day`, or its noon; else half a minute ago."""
    zone = settings.zone()
    if day := _parse_day(request.args.get("day", "")):
        start_ms, end_ms = clock.day_bounds_ms(day, zone)
        first_ms = _first_after(chosen, start_ms)
        noon_ms = (start_ms + end_ms) // 2
        return min(first_ms if first_ms is not None and first_ms < end_ms else noon_ms, now_ms)
    moment = clock.parse_typed(request.args.get("t", ""), near_ms=now_ms, zone=zone)
    return max(0, min(moment if moment is not None else now_ms - 30_000, now_ms))


def _parse_day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None


def _first_after(chosen: list[Camera], ms: int) -> int | None:
    found = [timeline.next_recorded(camera.id, ms) for camera in chosen]
    return min((moment for moment in found if moment is not None), default=None)


def _day(chosen: list[Camera], at_ms: int, now_ms: int) -> dict[str, Any]:
    """The day of the moment and its neighbours; `nearest_days` with footage when it has none itself."""
    zone = settings.zone()
    day = clock.site_day(at_ms, zone)
    start_ms, end_ms = clock.day_bounds_ms(day, zone)
    following_ms = _first_after(chosen, start_ms)
    nearest = None
    if following_ms is None or following_ms >= end_ms:
        before = [timeline.previous_recorded(camera.id, start_ms) for camera in chosen]
        ends = [max((ms for ms in before if ms is not None), default=None), following_ms]
        nearest = [clock.site_day(ms, zone) for ms in ends if ms is not None]
    return {
        "day": day,
        "day_words": f"{day:%A %-d %B %Y}",
        "day_short": f"{day:%a %-d %b}",
        "day_before": day - timedelta(days=1),
        "day_after": day + timedelta(days=1),
        "today": clock.site_day(now_ms, zone),
        "day_from_ms": start_ms,
        "day_to_ms": end_ms,
        "nearest_days": nearest,
    }


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
    look = min(step, _CLOCKS_CHANGE_BY_MS)
    ticks = []
    for ms in range(-(-window.from_ms // look) * look, window.to_ms + 1, look):
        moment = clock.from_ms(ms).astimezone(zone)
        if (moment.hour * 3600 + moment.minute * 60 + moment.second) * 1000 % step:
            continue
        words = moment.strftime("%H:%M:%S" if step < 60_000 else "%H:%M")
        ticks.append((ms, f"{words} (2nd)" if moment.fold else words))
    return ticks
