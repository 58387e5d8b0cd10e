"""Copies that a person asks for: of recordings, at once and whatever the rules and hours say.

Who may is decided here; how the files get into the bucket is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cctv.clock import now_ms
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import Recording, User
from cctv.services.auditing import audit
from cctv.services.bucket import cloud, transfer_rows, transfers
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.recording import recording_list

MOST_RECORDINGS = 50  # a request; a day of continuous recording alone has 1,440 files


@dataclass(frozen=True, slots=True)
class Requested:
    """A recording and the transfers of its files, in order of time; those that were there before included."""

    recording_id: int
    transfer_ids: list[int]


def request(actor: User, recording_ids: Sequence[int]) -> list[Requested]:
    """Have recordings copied to the cloud before everything else; failed copies are tried again.

    All of them or, when one is refused, none.

    Raises:
        Invalid: key recording_ids.
        NotFound, NotAllowed: one of them is not this person's to copy.
        Conflict: there is no bucket; or none of them has a file that is kept.
    """
    ids = list(dict.fromkeys(recording_ids))
    if not 0 < len(ids) <= MOST_RECORDINGS:
        raise Invalid({"recording_ids": f"Choose 1 to {MOST_RECORDINGS} recordings."})
    answer = _ask(actor, [recording_list.get_recording(actor, one, Action.TRANSFER) for one in ids])
    if not any(one.transfer_ids for one in answer):
        raise Conflict("Nothing of this is stored (any more), so nothing can be copied.")
    return answer


def request_what_is_there(actor: User, recording_ids: Sequence[int]) -> list[int]:
    """The same for those of many recordings that can be copied; their ids, in order.

    Raises:
        NotAllowed: the role has no such right.
        Conflict: there is no bucket.
    """
    access.authorise(actor, None, Action.TRANSFER)
    found = []
    for one in dict.fromkeys(recording_ids):
        try:
            found.append(recording_list.get_recording(actor, one, Action.TRANSFER))
        except NotFound:
            continue
    return [one.recording_id for one in _ask(actor, found) if one.transfer_ids]


def _ask(actor: User, found: list[Recording]) -> list[Requested]:
    if cloud.access() is None:
        raise Conflict("No bucket is set up. Open Settings, Cloud.")
    files = {recording.id: transfer_rows.segments_of(recording, _end(recording)) for recording in found}
    begin_writing()
    answer = [
        Requested(one.id, transfer_rows.add(files[one.id], priority=transfer_rows.ASKED, user=actor))
        for one in found
    ]
    for recording, asked in zip(found, answer, strict=True):
        if asked.transfer_ids:
            audit.add(
                "recording.transfer",
                target=recording.camera.name,
                target_id=recording.id,
                camera_id=recording.camera_id,
                files=len(asked.transfer_ids),
            )
    db.session.commit()
    cloud.resume()
    transfers.dispatch()
    return answer


def _end(recording: Recording) -> int:
    ends = [end for end in (recording.ended_ms, recording.planned_end_ms) if end is not None]
    return min([*ends, now_ms()])
