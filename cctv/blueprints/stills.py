"""Single pictures as JPEG: the newest one of a camera, and the one at a moment of its footage.

For `<img>`: the session cookie decides, there is no token in these addresses.
"""

from __future__ import annotations

import re

from flask import Blueprint, Response, request
from flask_login import current_user, login_required

from cctv.blueprints._words import clock
from cctv.clock import from_ms, now_ms
from cctv.errors import Invalid
from cctv.services.auditing import audit
from cctv.services.camera import cameras
from cctv.services.footage import snapshots
from cctv.services.footage.snapshots import PREVIEW_WIDTH, TILE_WIDTH, NoPicture, Picture
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import settings

blueprint = Blueprint("stills", __name__, url_prefix="/cameras/<int:camera_id>")

_JUST_TAKEN_MS = 60_000


@blueprint.get("/snapshot.jpg")
@login_required
def snapshot(camera_id: int) -> Response:
    """The newest picture; `size=full` in the camera's own size. 204 while there is none: a page is no worse
    without it, and its console need not say so."""
    access.authorise(current_user, camera_id, Action.SNAPSHOT if _is_full() else Action.LIVE)
    try:
        picture = snapshots.newest(camera_id, width=None if _is_full() else TILE_WIDTH)
    except NoPicture:
        return Response(status=204)
    _note(camera_id, Action.SNAPSHOT if _is_full() else Action.LIVE)
    return _jpeg(picture)


@blueprint.get("/still.jpg")
@login_required
def still(camera_id: int) -> Response:
    """The picture at `t` (epoch milliseconds), small for the timeline; `size=full` in full size.

    `key`: of a snapshot that was just taken, which opens its own moment.
    """
    at_ms = request.args.get("t", type=int)
    if at_ms is None:
        raise Invalid({"t": "Give a time in milliseconds."})
    _authorise_moment(camera_id, at_ms)
    picture = snapshots.at(camera_id, at_ms, width=None if _is_full() else PREVIEW_WIDTH)
    _note(camera_id, Action.SNAPSHOT if _is_full() else Action.PLAYBACK)
    if request.args.get("download"):
        return _as_file(_jpeg(picture), camera_id, at_ms)
    return _jpeg(picture)


def _authorise_moment(camera_id: int, at_ms: int) -> None:
    """Full size is for who may take snapshots; of the past only for who may play back. What somebody has just
    taken is theirs to see and to keep."""
    is_just_taken = at_ms > now_ms() - _JUST_TAKEN_MS
    may_take = access.may(current_user, Action.SNAPSHOT, camera_id)
    access.authorise(
        current_user, camera_id, Action.SNAPSHOT if is_just_taken and may_take else Action.PLAYBACK
    )
    if _is_full():
        access.authorise(current_user, camera_id, Action.SNAPSHOT)


def _note(camera_id: int, action: Action) -> None:
    """In the audit log, once an hour for each person, camera and action."""
    audit.note(str(action), target=cameras.get_camera(camera_id).name, camera_id=camera_id)


def _as_file(response: Response, camera_id: int, at_ms: int) -> Response:
    """Named after camera and site time: Front-gate_2026-11-22_14-51-58.jpg."""
    name = (
        re.sub(r"[^A-Za-z0-9]+", "-", cameras.get_camera(camera_id).name).strip("-") or f"camera-{camera_id}"
    )
    taken = from_ms(at_ms).astimezone(settings.zone())
    response.headers["Content-Disposition"] = f'attachment; filename="{name}_{taken:%Y-%m-%d_%H-%M-%S}.jpg"'
    return response


def _is_full() -> bool:
    return request.args.get("size") == "full"


def _jpeg(picture: Picture) -> Response:
    response = Response(picture.jpeg, mimetype="image/jpeg")
    response.last_modified = from_ms(picture.taken_ms)
    response.headers["X-Taken-Ms"] = str(picture.taken_ms)
    # What a page can know of an <img>: performance.getEntriesByName(src)[0].serverTiming
    response.headers["Server-Timing"] = f'taken;desc="{clock(picture.taken_ms)}"'
    return response
