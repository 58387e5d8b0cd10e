"""How a recording stands in requests and answers.

Shapes only; who may see or change what is said by services.
"""

from __future__ import annotations

from typing import Any

from cctv.blueprints.api import _addresses
from cctv.blueprints.api._shapes import (
    LARGEST_ID,
    LARGEST_MS,
    Answer,
    Body,
    Paged,
    PageQuery,
    Query,
    choice,
    count,
    flag,
    moment,
    one,
    said,
    some,
    text,
    whole,
)
from cctv.clock import now_ms
from cctv.models import Recording, RecordingKind
from cctv.services.recording.recording_facts import Facts
from cctv.services.recording.recording_list import SORTS


class RecordingAnswer(Answer):
    """An interval that a person or a rule asked to keep."""

    id = count("The number of the recording.")
    camera_id = count("The camera.")
    camera_name = said("Its name.")
    kind = said("continuous (one for each day), manual, schedule or activity.")
    started_ms = count("Where it begins, seconds before the start included.")
    ended_ms = count("Where it ends; null: it goes on.", allow_none=True)
    planned_end_ms = count("Where it ends by itself; null: when somebody stops it.", allow_none=True)
    is_running = flag("Whether it goes on.")
    day = said("Of a continuous one: the day at the site, as in 2026-11-22.", allow_none=True)
    note = said("What is to be said about it.")
    locked_by = said("Who holds it as evidence; null: nobody.", allow_none=True)
    locked_reason = said("Why.", allow_none=True)
    started_by = said("Of a manual one: who started it; null: nobody who is still there.", allow_none=True)
    created_at = moment("When it was started.")


class Upload(Answer):
    """How its files get on with the cloud."""

    state = said("local, waiting, uploading, part, cloud, cloud_only or failed.")
    percent = count("How much of what is to be copied has arrived.")
    cause = said("Why it failed, or has to wait; empty: nothing is wrong.")


class RecordingDetails(RecordingAnswer):
    """A recording, what of it is there, and where to play it."""

    size_bytes = count("Of its files; those of about a minute count whole.")
    footage_ms = count("How much footage there is.")
    missing_ms = count("How much is missing that was to be recorded.")
    upload = one(Upload, "Its copies in the cloud.")
    playback_url = said("HLS playlist of the first piece.", allow_none=True)
    playback = some(_addresses.Piece, "All of it, in pieces of at most six hours.")
    expires_at = moment("From then on the addresses are dead; ask again before.")


class RecordingPage(Paged):
    """A page of recordings."""

    items = some(RecordingAnswer, "The recordings.")


class RecordingQuery(PageQuery):
    """Which recordings, in which order."""

    camera_id = whole(1, LARGEST_ID, "Only of this camera.")
    kind = choice(RecordingKind, "Only of this kind.")
    from_ms = whole(0, LARGEST_MS, "Only what ends after this moment.")
    to_ms = whole(0, LARGEST_MS, "Only what begins before this moment.")
    is_locked = flag("Only what is locked, or is not.")
    sort = choice(
        [*SORTS, *(f"-{name}" for name in SORTS)], "A minus turns it round.", load_default="-started_ms"
    )


class LockBody(Body):
    """Why it is held."""

    reason = text(
        300, "For whoever asks later.", least=1, required=True, example="Accident at the gate, 22 Nov"
    )


def recording_dict(recording: Recording) -> dict[str, Any]:
    """For the shape RecordingAnswer."""
    ends = [end for end in (recording.ended_ms, recording.planned_end_ms) if end is not None]
    is_running = recording.ended_ms is None and min(ends, default=now_ms() + 1) > now_ms()
    return {
        "id": recording.id,
        "camera_id": recording.camera_id,
        "camera_name": recording.camera.name,
        "kind": recording.kind,
        "started_ms": recording.started_ms,
        "ended_ms": recording.ended_ms,
        "planned_end_ms": recording.planned_end_ms,
        "is_running": is_running,
        "day": recording.day.isoformat() if recording.day else None,
        "note": recording.note,
        "locked_by": recording.locked_by,
        "locked_reason": recording.locked_reason,
        "started_by": recording.user.name if recording.user else None,
        "created_at": recording.created_at,
    }


def facts_dict(facts: Facts) -> dict[str, Any]:
    """The part of the shape RecordingDetails that is counted."""
    return {
        "size_bytes": facts.size_bytes,
        "footage_ms": facts.footage_ms,
        "missing_ms": facts.missing_ms,
        "upload": {
            "state": facts.upload,
            "percent": 100 if facts.upload in ("cloud", "cloud_only") else facts.percent,
            "cause": facts.cause,
        },
    }


class DeleteQuery(Query):
    """What goes along."""

    with_copies = flag(
        "Whether its copies in the cloud go as well; else they stay there.", load_default=False
    )
