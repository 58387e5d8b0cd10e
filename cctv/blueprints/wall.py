"""The wall: many live pictures on one page, and the states of their cameras as they change.

A swap never holds a video: the pictures play on while chips and messages around them are refreshed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx, _live
from cctv.blueprints._rights import rights
from cctv.blueprints._words import duration
from cctv.clock import now_ms
from cctv.models import Camera
from cctv.services.camera import status
from cctv.services.camera.status import CameraStatus
from cctv.services.person import access
from cctv.services.person.access import Action

blueprint = Blueprint("wall", __name__)

SIZES = (1, 4, 9, 16)
QUALITIES = {"auto": "Auto quality", "low": "Low quality", "high": "High quality"}
_QUALITY_COOKIE = "wall_quality"
_SMALL_FROM = 4  # pictures on the wall from which Auto takes the camera's small stream
_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the wall."""

    camera: Camera
    status: CameraStatus
    quality: str  # stream that plays in the grid
    base: str  # signed address of its bytes


@blueprint.get("/wall")
def index() -> ResponseReturnValue:
    """One page of the wall: n pictures, p the page."""
    access.authorise(current_user, None, Action.LIVE)
    cameras = access.visible_cameras(current_user)
    size = _size(len(cameras))
    pages = max(1, -(-len(cameras) // size))
    page = min(max(1, request.args.get("p", 1, type=int)), pages)
    quality = _quality()
    shown = cameras[(page - 1) * size : page * size]
    statuses = status.of_cameras(shown)
    response = _htmx.render(
        "wall/index.html",
        "wall",
        tiles=_tiles(shown, statuses, size=size, quality=quality),
        size=size,
        sizes=SIZES,
        page=page,
        pages=pages,
        quality=quality,
        qualities=QUALITIES,
        has_choice=any(camera.stream("sub") for camera in cameras),
        may_add=access.may(current_user, Action.CAMERA_ADD),
        rights=rights(),
        version=_version(shown, statuses),
        summary=_live.summary(statuses.values()),
    )
    return _remember(response)


@blueprint.get("/wall/status")
def show_status() -> ResponseReturnValue:
    """Chips and messages of the cameras on the page; 204 while nothing changed since version v."""
    access.authorise(current_user, None, Action.LIVE)
    asked = {int(text) for text in request.args.get("ids", "").split(",")[: SIZES[-1]] if text.isdecimal()}
    cameras = [camera for camera in access.visible_cameras(current_user) if camera.id in asked]
    statuses = status.of_cameras(cameras)
    version = _version(cameras, statuses)
    if request.args.get("v") == version:
        return _htmx.no_content()
    body = render_template(
        "wall/status.html",
        cameras=cameras,
        statuses=statuses,
        rights=rights(),
        version=version,
        summary=_live.summary(statuses.values()),
    )
    return _htmx.vary(make_response(body))


def _size(count: int) -> int:
    """The size that was asked for, else the smallest that shows every camera."""
    asked = request.args.get("n", type=int)
    if asked in SIZES:
        return asked
    return next((size for size in SIZES if size >= count), SIZES[-1])


def _quality() -> str:
    asked = request.args.get("q") or request.cookies.get(_QUALITY_COOKIE)
    return asked if asked in QUALITIES else "auto"


def _remember(response: Response) -> Response:
    if request.args.get("q") in QUALITIES:
        response.set_cookie(_QUALITY_COOKIE, request.args["q"], max_age=_YEAR_SECONDS, samesite="Lax")
    return response


def _tiles(
    cameras: list[Camera], statuses: dict[int, CameraStatus], *, size: int, quality: str
) -> list[Tile]:
    wants_small = quality == "low" or (quality == "auto" and size >= _SMALL_FROM)
    return [
        Tile(
            camera,
            statuses[camera.id],
            "sub" if wants_small and camera.stream("sub") else "main",
            _live.base(current_user, camera),
        )
        for camera in cameras
    ]


def _version(cameras: list[Camera], statuses: dict[int, CameraStatus]) -> str:
    """Changes when anything that the tiles say changes; ages count in the steps in which they are shown."""
    return hashlib.sha256(
        repr([_said(camera, statuses[camera.id]) for camera in cameras]).encode()
    ).hexdigest()[:12]


def _said(camera: Camera, one: CameraStatus) -> tuple[object, ...]:
    since = duration(now_ms() - one.since_ms) if one.is_trouble else ""
    recording = (one.is_recording, one.manual_since_ms, one.manual_until_ms)
    return (camera.id, camera.name, one.state, one.cause, since, recording)
