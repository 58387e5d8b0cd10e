"""What is done with one camera: watch, take a picture, move, record, look back.

Video itself comes from the addresses of blueprints/media.py; no byte of it passes here.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from flask_login import current_user
from marshmallow import fields

from cctv.blueprints.api import _addresses
from cctv.blueprints.api._camera_shapes import RecordBody
from cctv.blueprints.api._face import ApiBlueprint, camera, needs
from cctv.blueprints.api._once import once, repeatable
from cctv.blueprints.api._recording_shapes import RecordingAnswer, recording_dict
from cctv.blueprints.api._shapes import (
    LARGEST_MS,
    Answer,
    Body,
    Query,
    choice,
    count,
    flag,
    moment,
    number,
    one,
    said,
    share,
    some,
    whole,
)
from cctv.errors import Conflict, Invalid
from cctv.services.auditing import audit
from cctv.services.footage import snapshots, timeline
from cctv.services.footage.snapshots import TILE_WIDTH
from cctv.services.person.access import Action
from cctv.services.recording import recordings

blueprint = ApiBlueprint(
    "api-watching",
    __name__,
    url_prefix="/v0/api/cctv/cameras/<int:camera_id>",
    description="Watch, take pictures, move, record and look back.",
)

_LONGEST_TIMELINE_MS = 25 * 3_600_000  # a day when the clocks go back
_OFF = "This camera is turned off."
_NOT_MOVED = "This camera cannot be moved."


class Quality(Answer):
    """One way to watch."""

    quality = said("main, sub, 720p, 480p or 360p.")
    is_converted = flag("Whether the server makes it while somebody watches.")
    codec = said("RFC 6381 of what is sent; null until it was seen.", allow_none=True)
    width = count("Pixels; null until it was seen.", allow_none=True)
    height = count("Pixels.", allow_none=True)
    hls_url = said("HLS playlist (RFC 8216): plays in every native player.")
    low_latency_url = said("Low-latency HLS playlist.")
    direct_url = said("Endless fragmented MP4, for Media Source Extensions.")


class Latency(Answer):
    """Seconds that a picture is behind the camera, as measured on a quiet server."""

    hls = fields.Float(metadata={"description": "Plain HLS."})
    low_latency = fields.Float(metadata={"description": "Low-latency HLS."})
    direct = fields.Float(metadata={"description": "Fragmented MP4."})


class StreamAnswer(Answer):
    """Where to watch a camera."""

    camera_id = count("The camera.")
    qualities = some(Quality, "The best first.")
    expected_latency_seconds = one(Latency, "How far behind.")
    expires_at = moment("From then on the addresses are dead; ask again before.")


class SnapshotQuery(Query):
    """Which size."""

    size = choice(("full", "small"), f"small: {TILE_WIDTH} pixels wide at most.", load_default="full")


class MoveBody(Body):
    """What the camera shall do."""

    action = choice(("move", "stop", "preset"), "move goes on until stop.", required=True)
    pan = number(-1, 1, "Speed to the right; negative: to the left.")
    tilt = number(-1, 1, "Speed upward; negative: downward.")
    zoom = number(-1, 1, "Speed of zooming in; negative: out.")
    preset = whole(1, 300, "The number of the stored position, with action preset.")


class TimelineQuery(Query):
    """Which part, of at most 25 hours."""

    from_ms = whole(0, LARGEST_MS, "Where it begins.", required=True)
    to_ms = whole(0, LARGEST_MS, "Where it ends; not in it.", required=True)
    resolution_ms = whole(1, 3_600_000, "Pieces that are closer are told as one.", load_default=1000)


class Span(Answer):
    """A part of time; the end is not in it."""

    started_ms = count("The first millisecond.")
    ended_ms = count("The first millisecond after it.")


class GapAnswer(Span):
    """Time that should have been recorded and was not."""

    cause = said("A word for why.")
    sentence = said("The same for people.")


class ActivityAnswer(Span):
    """When something moved in front of the camera."""

    peak = share("How much of the watched picture changed at most, 0 to 1.")
    zone = said("The name of the zone with most of it; empty without one.")


class DamageAnswer(Span):
    """A stored file whose pictures may not all be seen."""

    sentence = said("What is wrong with it.")


class TimelineAnswer(Answer):
    """What was recorded and what is missing."""

    camera_id = count("The camera.")
    from_ms = count("As asked.")
    to_ms = count("As asked.")
    recorded = some(Span, "Footage that can be played back.")
    gaps = some(GapAnswer, "Missing footage with its cause.")
    manual = some(Span, "What people started.")
    locked = some(Span, "What nobody may delete.")
    cloud = some(Span, "Of what was recorded: what is only in the cloud, and plays from there.")
    activity = some(ActivityAnswer, "Where something moved; seen about a minute later.")
    damaged = some(DamageAnswer, "Stored files of which something is damaged; they are played all the same.")
    playback = some(_addresses.Piece, "Where to play it, in pieces of at most six hours.")
    expires_at = moment("From then on the addresses are dead; ask again before.")


@blueprint.route("/stream/")
@needs(Action.LIVE)
@blueprint.response(200, StreamAnswer)
@blueprint.alt_response(409, "CONFLICT")
def stream(camera_id: int) -> ResponseReturnValue:
    """Where to watch live: signed addresses, one for each quality.

    They play without a header and without cookies, in any player. They die when you sign out, when your
    rights change, and at `expires_at`: ask again for fresh ones while you play.
    """
    found = camera()
    if not found.is_enabled:
        raise Conflict(_OFF)
    return {
        "camera_id": camera_id,
        "qualities": _addresses.qualities(current_user, found),
        "expected_latency_seconds": _addresses.LATENCY_SECONDS,
        "expires_at": _addresses.expires_at(current_user),
    }


@blueprint.route("/snapshot/")
@needs(Action.SNAPSHOT)
@blueprint.arguments(SnapshotQuery, location="query")
@blueprint.response(
    200,
    {"type": "string", "format": "binary"},
    content_type="image/jpeg",
    description="The newest picture; `X-Taken-Ms` says of when it is.",
    headers={"X-Taken-Ms": {"description": "When it was taken.", "schema": {"type": "integer"}}},
)
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def snapshot(query: dict[str, Any], camera_id: int) -> ResponseReturnValue:
    """The newest picture as JPEG. It may be old when the camera is away; 404 when there never was one."""
    audit.note("snapshot", target=camera().name, camera_id=camera_id)
    picture = snapshots.newest(camera_id, width=TILE_WIDTH if query["size"] == "small" else None)
    headers = {"X-Taken-Ms": str(picture.taken_ms), "Cache-Control": "private, no-store"}
    return Response(picture.jpeg, mimetype="image/jpeg", headers=headers)


@blueprint.route("/ptz/", methods=["POST"])
@needs(Action.PTZ)
@blueprint.arguments(MoveBody, example={"action": "move", "pan": 0.5, "tilt": 0})
@blueprint.response(204, description="Told the camera.")
@blueprint.alt_response(409, "CONFLICT")
def move(body: dict[str, Any], camera_id: int) -> ResponseReturnValue:
    """Move the camera, stop it, or send it to a stored position. 409: it cannot be moved."""
    has_speeds = bool({"pan", "tilt", "zoom"} & body.keys())
    if (body["action"] == "move") != has_speeds:
        raise Invalid({"action": "Send pan, tilt or zoom with the action move, and with no other."})
    if (body["action"] == "preset") != ("preset" in body):
        raise Invalid({"preset": "Send a preset with the action preset, and with no other."})
    raise Conflict(_NOT_MOVED)


@blueprint.route("/start_recording/", methods=["POST"])
@repeatable
@needs(Action.RECORD)
@blueprint.arguments(RecordBody, required=False, example={"pre_roll_seconds": 10, "max_seconds": 300})
@blueprint.response(201, RecordingAnswer, description="Recording.")
@blueprint.alt_response(409, "CONFLICT")
def start_recording(body: dict[str, Any], camera_id: int) -> ResponseReturnValue:
    """Keep what happens from now on, and the seconds before.

    When somebody has started one already, that one is answered, with its end moved if `max_seconds` reaches
    further. 409 when the camera is turned off or its recording mode is off.
    """

    def work() -> tuple[dict[str, Any], int]:
        return recording_dict(recordings.start(camera(), current_user, **body)), 201

    return once(work, RecordingAnswer())


@blueprint.route("/stop_recording/", methods=["POST"])
@needs(Action.RECORD)
@blueprint.response(200, RecordingAnswer, description="The recording, which has ended now.")
@blueprint.alt_response(409, "CONFLICT")
def stop_recording(camera_id: int) -> ResponseReturnValue:
    """End what a person started. 409 when nothing is going on."""
    recording = recordings.stop(camera(), current_user)
    if recording is None:
        raise Conflict("Nobody records this camera by hand now.")
    return recording_dict(recording)


@blueprint.route("/timeline/")
@needs(Action.PLAYBACK)
@blueprint.arguments(TimelineQuery, location="query")
@blueprint.response(200, TimelineAnswer)
def show_timeline(query: dict[str, Any], camera_id: int) -> ResponseReturnValue:
    """What was recorded, what is missing and why."""
    start_ms, end_ms = query["from_ms"], query["to_ms"]
    if not 0 < end_ms - start_ms <= _LONGEST_TIMELINE_MS:
        raise Invalid({"to_ms": "Ask for up to 25 hours, the end after the start."})
    (lane,) = timeline.lanes([camera_id], start_ms, end_ms, resolution_ms=query["resolution_ms"])
    gaps = [
        {"started_ms": g.started_ms, "ended_ms": g.ended_ms, "cause": g.cause, "sentence": g.sentence}
        for g in lane.gaps
    ]
    return {
        "camera_id": camera_id,
        "from_ms": start_ms,
        "to_ms": end_ms,
        "recorded": _spans(lane.recorded),
        "gaps": gaps,
        "manual": _spans(lane.manual),
        "locked": _spans(lane.locked),
        "cloud": _spans(lane.cloud),
        "activity": [
            {"started_ms": m.started_ms, "ended_ms": m.ended_ms, "peak": m.peak, "zone": m.zone}
            for m in lane.activity
        ],
        "damaged": [
            {"started_ms": d.started_ms, "ended_ms": d.ended_ms, "sentence": d.sentence} for d in lane.damaged
        ],
        "playback": _addresses.pieces(current_user, camera_id, start_ms, end_ms),
        "expires_at": _addresses.expires_at(current_user),
    }


def _spans(found: list[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"started_ms": start, "ended_ms": end} for start, end in found]
