"""How a camera stands in requests and answers; its password only in requests.

Shapes only; who may see or change what is said by services.
"""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from cctv.blueprints.api._shapes import (
    LARGEST_ID,
    Answer,
    Body,
    Paged,
    PageQuery,
    choice,
    count,
    flag,
    moment,
    one,
    said,
    secret,
    some,
    text,
    whole,
)
from cctv.models import Camera, RecordingMode
from cctv.services.camera import cameras
from cctv.services.camera.camera_list import ABILITIES, SORTS
from cctv.services.camera.status import CameraStatus
from cctv.services.recording.recordings import LONGEST_SECONDS

STATES = "live, connecting, frozen, offline, refused, storage, unknown or off"


class StreamFacts(Answer):
    """A stream of a camera, as it was last seen."""

    kind = said("main is recorded; sub is the camera's small one; the others are converted while watched.")
    codec = said("RFC 6381, as in avc1.640028; null until it was seen.", allow_none=True)
    audio_codec = said("RFC 6381; null without sound.", allow_none=True)
    width = count("Pixels.", allow_none=True)
    height = count("Pixels.", allow_none=True)
    frames_per_second = fields.Float(allow_none=True, metadata={"description": "Pictures a second."})
    kilobits_per_second = count("About.", allow_none=True)


class Abilities(Answer):
    """What the asker may do to this camera now: show no button for the rest."""

    locals().update({name: flag(f"Whether {name.replace('_', ' ')} is allowed.") for name in ABILITIES})


class CameraAnswer(Answer):
    """A camera with its state."""

    id = count("Never given out twice.")
    number = count("On the wall.", allow_none=True)
    name = said("As people call it.")
    is_enabled = flag("False: turned off, no connection and no footage.")
    is_demo = flag("The built-in camera.")
    recording_mode = said("off, continuous, manual, schedule or activity.")
    schedule_id = count("The schedule that it follows; null: none.", allow_none=True)
    pre_roll_seconds = count("Kept before a manual start and before activity.")
    post_roll_seconds = count("Kept after activity.")
    state = said(f"{STATES}.")
    state_word = said("The state for people.")
    state_since_ms = count("Since when.")
    cause = said("A word for what is wrong; null when nothing is.", allow_none=True)
    message = said("What is wrong and what to do; null for who may not diagnose.", allow_none=True)
    is_recording = flag("Whether what happens now is kept.")
    recording_since_ms = count("Of the recording that a person started; null: none.", allow_none=True)
    recording_until_ms = count("Its planned end.", allow_none=True)
    address = said("Without login; null for who may not change technics.", allow_none=True)
    username = said("Of the camera; null for who may not change technics.", allow_none=True)
    streams = some(StreamFacts, "All of its streams.")
    can = one(Abilities, "What the asker may do to it.")
    created_at = moment("When it was added.")
    version = count("Raised by each change; the same as in the ETag.")


class CameraPage(Paged):
    """A page of cameras."""

    items = some(CameraAnswer, "The cameras.")


class CameraQuery(PageQuery):
    """Which cameras, in which order."""

    search = text(80, "A part of the name.")
    is_enabled = flag("Only those that are turned on, or off.")
    recording_mode = choice(RecordingMode, "Only those that record so.")
    sort = choice([*SORTS, *(f"-{name}" for name in SORTS)], "A minus turns it round.", load_default="number")


class CameraChange(Body):
    """What is to be changed; the rest stays."""

    name = text(80, "As people call it.", least=1, example="Front gate")
    number = whole(1, 999, "On the wall.")
    is_enabled = flag("Turn it on or off.")
    recording_mode = choice(RecordingMode, "When footage is kept; schedule needs schedule_id.")
    schedule_id = whole(1, LARGEST_ID, "The schedule that it follows, with recording_mode schedule.")
    pre_roll_seconds = whole(
        0, cameras.LONGEST_PRE_ROLL_SECONDS, "Kept before a manual start and before activity."
    )
    post_roll_seconds = whole(0, cameras.LONGEST_POST_ROLL_SECONDS, "Kept after activity.")
    url = text(500, "rtsp:// or rtsps:// address.", least=1, example="rtsp://192.168.1.44:554/stream1")
    username = text(128, "Of the camera.")
    password = secret(256, "Of the camera; it is kept sealed and never comes back.")
    sub_url = text(500, "Address of the small stream; empty: none.")
    probe = flag("Check a new address or login first. false: take it as it is.", load_default=True)


class CameraRegister(CameraChange):
    """A new camera."""

    class Meta(CameraChange.Meta):
        """Of marshmallow."""

        exclude = ("is_enabled",)

    name = text(80, "As people call it.", least=1, required=True, example="Front gate")
    url = text(
        500, "rtsp:// or rtsps:// address.", least=1, required=True, example="rtsp://192.168.1.44/stream1"
    )


class RecordBody(Body):
    """How long; all of it may be left out."""

    pre_roll_seconds = whole(0, LONGEST_SECONDS, "Seconds before now to keep; else as the camera says.")
    max_seconds = whole(1, LONGEST_SECONDS, "Ends by itself then; else when somebody stops it.")


def as_dict(
    camera: Camera, status: CameraStatus, abilities: dict[int | None, dict[str, bool]]
) -> dict[str, Any]:
    """For the shape CameraAnswer."""
    can = abilities.get(camera.id, abilities[None])
    main = camera.main
    sentences = [sentence.rstrip(".") for sentence in (status.headline, status.body) if sentence]
    return {
        "id": camera.id,
        "number": camera.number,
        "name": camera.name,
        "is_enabled": camera.is_enabled,
        "is_demo": camera.is_demo,
        "recording_mode": camera.recording_mode,
        "schedule_id": status.schedule_id,
        "pre_roll_seconds": camera.pre_roll_seconds,
        "post_roll_seconds": camera.post_roll_seconds,
        "state": status.state,
        "state_word": status.word,
        "state_since_ms": status.since_ms,
        "cause": status.cause,
        "message": ". ".join(sentences) + "." if sentences and can["diagnose"] else None,
        "is_recording": status.is_recording,
        "recording_since_ms": status.manual_since_ms,
        "recording_until_ms": status.manual_until_ms,
        "address": main.url if can["edit_technics"] else None,
        "username": camera.username if can["edit_technics"] else None,
        "streams": [_facts(stream) for stream in camera.streams],
        "can": can,
        "created_at": camera.created_at,
        "version": camera.version,
    }


def _facts(stream: Any) -> dict[str, Any]:
    return {
        "kind": stream.kind,
        "codec": stream.video_codec,
        "audio_codec": stream.audio_codec,
        "width": stream.width,
        "height": stream.height,
        "frames_per_second": stream.fps,
        "kilobits_per_second": stream.bitrate_kbps,
    }
