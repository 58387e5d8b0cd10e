"""What a person presses on a camera: record, snapshot, on and off. Each answers by a toast.

The page is nudged, and its own status address brings the new state; no rule lives here.
"""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx
from cctv.blueprints._rights import rights
from cctv.blueprints._words import clock, duration, minute
from cctv.blueprints.auth import local_path
from cctv.clock import now_ms
from cctv.errors import Conflict
from cctv.models import Camera, Recording
from cctv.services.camera import cameras, status
from cctv.services.footage import snapshots
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.recording import recordings

blueprint = Blueprint("camera_actions", __name__, url_prefix="/cameras/<int:camera_id>")

_LONGEST_SECONDS = 300  # a press keeps five minutes unless somebody stops it or asks for more


@blueprint.post("/record/start")
def record_start(camera_id: int) -> ResponseReturnValue:
    """Keep what happens from now on, and the seconds before."""
    camera = _camera(camera_id, Action.RECORD)
    recording = recordings.start(
        camera, current_user, pre_roll_seconds=camera.pre_roll_seconds, max_seconds=_LONGEST_SECONDS
    )
    return _recording_toast(camera, recording)


@blueprint.post("/record/extend")
def record_extend(camera_id: int) -> ResponseReturnValue:
    """Five minutes more."""
    camera = _camera(camera_id, Action.RECORD)
    running = recordings.find_running(camera.id)
    if running is None:
        raise Conflict("This recording has ended. Start a new one.")
    recording = recordings.extend(running, _LONGEST_SECONDS)
    until = f" It stops at {minute(recording.planned_end_ms)}." if recording.planned_end_ms else ""
    return _answer(camera, f"{camera.name} records on.{until}", [_stop(camera), *_replay(camera, recording)])


@blueprint.post("/record/stop")
def record_stop(camera_id: int) -> ResponseReturnValue:
    """End the recording that somebody started."""
    camera = _camera(camera_id, Action.RECORD)
    recording = recordings.stop(camera, current_user)
    if recording is None:
        return _answer(camera, f"{camera.name} had stopped already.", [])
    kept = duration((recording.ended_ms or now_ms()) - recording.started_ms)
    return _answer(
        camera,
        f"Kept {kept} of {camera.name}, from {clock(recording.started_ms)}.",
        _replay(camera, recording),
    )


@blueprint.post("/snapshot")
def snapshot(camera_id: int) -> ResponseReturnValue:
    """The newest picture in full size, offered as a file."""
    camera = _camera(camera_id, Action.SNAPSHOT)
    taken_ms = snapshots.newest(camera.id).taken_ms
    href = url_for("stills.still", camera_id=camera.id, t=taken_ms, size="full", download=1)
    actions = [{"label": "Download", "href": href}]
    if status.of_camera(camera).is_recording and rights().of(camera).play_back:
        actions.append({"label": "Open in playback", "href": f"/playback?cams={camera.id}&t={taken_ms}&z=1h"})
    return _answer(
        camera,
        f"Snapshot of {camera.name} at {clock(taken_ms)}.",
        actions,
        picture=url_for("stills.still", camera_id=camera.id, t=taken_ms),
    )


@blueprint.post("/enable")
def enable(camera_id: int) -> ResponseReturnValue:
    """Turn the camera on."""
    return _switch(camera_id, True)


@blueprint.post("/disable")
def disable(camera_id: int) -> ResponseReturnValue:
    """Turn the camera off: no connection, no picture, no footage."""
    return _switch(camera_id, False)


def _switch(camera_id: int, is_enabled: bool) -> Response:
    camera = _camera(camera_id, Action.CAMERA_EDIT)
    cameras.set_enabled(camera, is_enabled, current_user)
    undo = url_for(f"camera_actions.{'disable' if is_enabled else 'enable'}", camera_id=camera.id)
    word = "on" if is_enabled else "off. Nothing is recorded"
    return _answer(camera, f"{camera.name} is turned {word}.", [{"label": "Undo", "post": undo}])


def _camera(camera_id: int, action: Action) -> Camera:
    camera = access.authorise(current_user, camera_id, action)
    assert camera is not None  # an id was named
    return camera


def _recording_toast(camera: Camera, recording: Recording) -> Response:
    before = max(0, round((now_ms() - recording.started_ms) / 1000))
    text = f"Recording {camera.name} from {clock(recording.started_ms)} ({before} s before you pressed)."
    actions = [_stop(camera), *_replay(camera, recording)]
    if recording.planned_end_ms:
        text += f" Stops at {minute(recording.planned_end_ms)}."
        more = url_for("camera_actions.record_extend", camera_id=camera.id)
        actions.insert(0, {"label": "+5 min", "post": more})
    return _answer(camera, text, actions)


def _stop(camera: Camera) -> dict[str, str]:
    return {"label": "Stop", "post": url_for("camera_actions.record_stop", camera_id=camera.id)}


def _replay(camera: Camera, recording: Recording) -> list[dict[str, str]]:
    if not rights().of(camera).play_back:
        return []
    return [{"label": "Replay", "href": f"/playback?cams={camera.id}&t={recording.started_ms}&z=1h"}]


def _answer(camera: Camera, text: str, actions: list[dict[str, str]], *, picture: str = "") -> Response:
    """A toast and a nudge for HTMX; for a browser back to where the button was."""
    if not _htmx.is_htmx():
        back = request.form.get("next")
        location = local_path(back) if back else rights().of(camera).home or url_for("wall.index")
        return _htmx.toast(_htmx.redirect(location), "ok", text, actions=actions, picture=picture)
    response = _htmx.trigger(_htmx.no_content(), "cameras-changed")
    return _htmx.toast(response, "ok", text, actions=actions, picture=picture)
