"""Recordings: list, read with where to play them, lock, unlock and delete.

What may go is said by services/recording/evidence.py.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints.api import _addresses, _bearer
from cctv.blueprints.api._face import ApiBlueprint, needs
from cctv.blueprints.api._recording_shapes import (
    DeleteQuery,
    LockBody,
    RecordingAnswer,
    RecordingDetails,
    RecordingPage,
    RecordingQuery,
    facts_dict,
    recording_dict,
)
from cctv.blueprints.api._shapes import paged
from cctv.blueprints.api._shared import shared
from cctv.blueprints.api._turns import in_turn
from cctv.clock import now_ms
from cctv.services.person.access import Action
from cctv.services.recording import evidence, recording_facts, recording_list

blueprint = ApiBlueprint(
    "api-recordings",
    __name__,
    url_prefix="/v0/api/cctv/recordings",
    description="What people and rules asked to keep.",
)


_PAGE = RecordingPage()


@blueprint.route("/")
@needs(Action.PLAYBACK)
@blueprint.arguments(RecordingQuery(), location="query")
@blueprint.response(200, RecordingPage)
@in_turn
def index(query: dict[str, Any]) -> ResponseReturnValue:
    """The recordings of the cameras that you may play back, the newest first."""
    user = _bearer.asker()

    def make() -> dict[str, Any]:
        page = recording_list.find_recordings(user, **query)
        return paged(page, [recording_dict(one) for one in page.items])

    key = recording_list.horizon(user, query.get("camera_id")), repr(query)
    return shared(key, make, _PAGE)


@blueprint.route("/<int:recording_id>/")
@needs(Action.PLAYBACK)
@blueprint.response(200, RecordingDetails)
def show(recording_id: int) -> ResponseReturnValue:
    """One recording, with signed addresses to play it."""
    recording = recording_list.get_recording(current_user, recording_id)
    camera_id, end_ms = recording.camera_id, recording.ended_ms or now_ms()
    pieces = _addresses.pieces(current_user, camera_id, recording.started_ms, end_ms)
    return {
        **recording_dict(recording),
        **facts_dict(recording_facts.of_recordings([recording])[recording_id]),
        "playback_url": pieces[0]["url"] if pieces else None,
        "playback": pieces,
        "expires_at": _addresses.expires_at(current_user),
    }


@blueprint.route("/<int:recording_id>/", methods=["DELETE"])
@needs(Action.RECORDING_DELETE)
@blueprint.arguments(DeleteQuery, location="query")
@blueprint.response(204, description="Deleted; the files go within a minute.")
@blueprint.alt_response(409, "CONFLICT")
def delete(query: dict[str, Any], recording_id: int) -> ResponseReturnValue:
    """Delete a recording, and the footage that nothing else keeps.

    409 while it is locked or goes on. Files of about a minute go whole: what belongs to another recording as
    well stays.
    """
    found = recording_list.get_recording(current_user, recording_id, Action.RECORDING_DELETE)
    evidence.delete_recording(found, current_user, with_copies=query["with_copies"])
    return Response(status=204)


@blueprint.route("/<int:recording_id>/lock/", methods=["POST"])
@needs(Action.LOCK)
@blueprint.arguments(LockBody)
@blueprint.response(200, RecordingAnswer, description="Locked.")
@blueprint.alt_response(409, "CONFLICT")
def lock(body: dict[str, Any], recording_id: int) -> ResponseReturnValue:
    """Hold a recording as evidence: no rule and no person removes it. 409 when it is locked already."""
    found = recording_list.get_recording(current_user, recording_id, Action.LOCK)
    return recording_dict(evidence.lock(found, current_user, reason=body["reason"]))


@blueprint.route("/<int:recording_id>/unlock/", methods=["POST"])
@needs(Action.LOCK)
@blueprint.response(200, RecordingAnswer, description="Unlocked.")
@blueprint.alt_response(409, "CONFLICT")
def unlock(recording_id: int) -> ResponseReturnValue:
    """Hold it no longer. 409 when it is not locked."""
    found = recording_list.get_recording(current_user, recording_id, Action.LOCK)
    return recording_dict(evidence.unlock(found, current_user))
