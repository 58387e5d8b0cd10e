"""How an export stands in requests and answers.

Shapes only; who may ask for what is said by services.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import request
from marshmallow.validate import Length

from cctv.blueprints.api import _addresses
from cctv.blueprints.api._shapes import (
    LARGEST_ID,
    LARGEST_MS,
    Answer,
    Body,
    Paged,
    PageQuery,
    choice,
    count,
    flag,
    moment,
    said,
    some,
    text,
    whole,
)
from cctv.models import Export, ExportState, User
from cctv.services.export import export_links, export_progress
from cctv.services.export.export_list import SORTS
from cctv.services.export.exports import LONGEST_NOTE, MOST_CAMERAS


class ExportBody(Body):
    """What is to be taken home."""

    camera_ids = some(
        whole(1, LARGEST_ID, "A camera."),
        "The cameras; of several a zip is made.",
        required=True,
        validate=Length(1, MOST_CAMERAS, error=f"Choose 1 to {MOST_CAMERAS} cameras."),
    )
    from_ms = whole(0, LARGEST_MS, "Where it begins; the file begins at the key frame before.", required=True)
    to_ms = whole(0, LARGEST_MS, "Where it ends; at most 24 hours later.", required=True)
    has_time_track = flag("Add a track that tells the time, as subtitles.", load_default=False)
    is_evidence = flag(
        "Make a zip that proves itself: stored files, a signed list, a page that checks.", load_default=False
    )
    note = text(LONGEST_NOTE, "For whoever finds it later.", load_default="")


class ExportMissing(Answer):
    """A part of a file's time of which there is no footage."""

    from_ms = count("Where it begins.")
    to_ms = count("Where it ends.")
    reason = said("Why, in words.")


class ExportFile(Answer):
    """A video file of an export."""

    name = said("Its name.")
    camera_id = count("The camera.")
    from_ms = count("Wall time of its first picture.")
    to_ms = count("Wall time of its end.")
    duration_ms = count("How long it plays.")
    size_bytes = count("Its size.")
    sha256 = said("SHA-256 of its bytes, in hex.")
    missing = some(ExportMissing, "What is not there of the time that was asked for.")


class ExportAnswer(Answer):
    """A clip that is made, or was."""

    id = count("The number of the export.")
    camera_ids = some(count("A camera."), "The cameras.")
    from_ms = count("What was asked for: from.")
    to_ms = count("What was asked for: to.")
    has_time_track = flag("Whether it has a track that tells the time.")
    is_evidence = flag("Whether it is a zip that proves itself.")
    note = said("What is to be said about it.")
    state = said("queued, running, ready, failed, cancelled or expired (its file was removed).")
    phase = said("Of a running one: reading, cutting, checking or storing; else empty.")
    permille = count("How far it is, of a thousand.")
    seconds_left = count("About how long it will still take; null: not known.", allow_none=True)
    cause = said("Why it failed, in words; else empty.")
    estimated_bytes = count("About how large it will be.")
    size_bytes = count("Of the file; null: it is not there yet.", allow_none=True)
    file_name = said("How the file is called.", allow_none=True)
    sha256 = said("SHA-256 of the file, in hex.", allow_none=True)
    created_at = moment("When it was asked for.")
    finished_at = moment("When it was over.", allow_none=True)
    keep_until = moment("When its file is removed by itself; null: not by itself.", allow_none=True)


class ExportDetails(ExportAnswer):
    """An export and where to get it."""

    files = some(ExportFile, "The videos in it.")
    download_url = said(
        "Of a finished one: the file, by ranges. An MP4 plays from here in any player.", allow_none=True
    )
    expires_at = moment("From then on the address is dead; ask again before.", allow_none=True)


class ExportPage(Paged):
    """A page of exports."""

    items = some(ExportAnswer, "The exports.")


class ExportQuery(PageQuery):
    """Which exports, in which order."""

    state = choice(ExportState, "Only in this state.")
    sort = choice(
        [*SORTS, *(f"-{name}" for name in SORTS)], "A minus turns it round.", load_default="-created_at"
    )


def export_dict(export: Export) -> dict[str, Any]:
    """For the shape ExportAnswer."""
    is_running = export.state == ExportState.RUNNING
    return {
        "id": export.id,
        "camera_ids": export.camera_ids,
        "from_ms": export.started_ms,
        "to_ms": export.ended_ms,
        "has_time_track": export.has_time_track,
        "is_evidence": export.is_evidence,
        "note": export.note,
        "state": export.state,
        "phase": export.phase,
        "permille": export.permille,
        "seconds_left": export_progress.seconds_left(export) if is_running else None,
        "cause": export.cause,
        "estimated_bytes": export.estimated_bytes,
        "size_bytes": export.size_bytes,
        "file_name": export.file_name,
        "sha256": export.sha256,
        "created_at": export.created_at,
        "finished_at": export.finished_at,
        "keep_until": export.keep_until,
    }


def export_details(user: User, export: Export) -> dict[str, Any]:
    """For the shape ExportDetails."""
    is_ready = export.state == ExportState.READY
    expires_at: datetime | None = _addresses.expires_at(user) if is_ready else None
    return {
        **export_dict(export),
        "files": [_file(one) for one in export.result.get("files", [])],
        "download_url": _address(user, export) if is_ready else None,
        "expires_at": expires_at,
    }


def _address(user: User, export: Export) -> str:
    token, name = export_links.make(user, export), quote(export.file_name or "export")
    return f"{request.host_url.rstrip('/')}/stream/{token}/exports/{export.id}/{name}"


def _file(file: dict[str, Any]) -> dict[str, Any]:
    missing = [{"from_ms": start, "to_ms": end, "reason": why} for start, end, why in file["missing"]]
    return {**file, "from_ms": file["started_ms"], "to_ms": file["ended_ms"], "missing": missing}
