"""Copies of recordings in Google Cloud Storage: ask for them; how far they are stands at the recording.

What may be copied is said by services/bucket/transfer_requests.py.
"""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue
from flask_login import current_user
from marshmallow import fields
from marshmallow.validate import Length

from cctv.blueprints.api._face import ApiBlueprint, needs
from cctv.blueprints.api._once import once, repeatable
from cctv.blueprints.api._shapes import LARGEST_ID, Answer, Body, count, some, whole
from cctv.services.bucket import transfer_requests
from cctv.services.bucket.transfer_requests import MOST_RECORDINGS
from cctv.services.person.access import Action

blueprint = ApiBlueprint(
    "api-transfers",
    __name__,
    url_prefix="/v0/api/cctv/recordings",
    description="Copies of recordings in Google Cloud Storage.",
)


class TransferBody(Body):
    """Which recordings."""

    recording_ids = fields.List(
        whole(1, LARGEST_ID, "A recording."),
        required=True,
        validate=Length(1, MOST_RECORDINGS, error=f"Send 1 to {MOST_RECORDINGS} recordings."),
        metadata={"description": "The recordings."},
    )


class RecordingTransfers(Answer):
    """A recording with the transfers of its files."""

    recording_id = count("The recording; how far its copy is stands there.")
    transfer_ids = some(fields.Integer(), "One for each stored file of about a minute, in order of time.")


class TransferAnswer(Answer):
    """What was queued."""

    items = some(RecordingTransfers, "In the order of the request.")


@blueprint.route("/transfer-to-gcp/", methods=["POST"])
@repeatable
@needs(Action.TRANSFER)
@blueprint.arguments(TransferBody)
@blueprint.response(202, TransferAnswer, description="Queued before everything that rules send.")
@blueprint.alt_response(409, "CONFLICT")
def transfer(body: dict[str, Any]) -> ResponseReturnValue:
    """Copy recordings to Google Cloud Storage.

    All of them or, when one is refused, none. What is there already is not sent again; what failed is tried
    again. 409 when no bucket is set up, or nothing of them is stored.
    """

    def work() -> tuple[dict[str, Any], int]:
        found = transfer_requests.request(current_user, body["recording_ids"])
        items = [{"recording_id": one.recording_id, "transfer_ids": one.transfer_ids} for one in found]
        return {"items": items}, 202

    return once(work, TransferAnswer())
