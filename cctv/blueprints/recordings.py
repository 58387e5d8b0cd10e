"""The recordings as people know them: a list with filters in its address, and one recording with its player.

Shape only; what is shown to whom is said by services/recording/recording_list.py.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _htmx
from cctv.blueprints._recording_rows import KINDS, UPLOADS, Line, asked, lines_of, list_url, page_context
from cctv.blueprints._rights import rights
from cctv.errors import Invalid
from cctv.models import Recording, RecordingKind
from cctv.services.footage import timeline
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.recording import evidence, recording_bulk, recording_facts, recording_list

blueprint = Blueprint("recordings", __name__, url_prefix="/recordings")

# What the row plays in place; a day is for the playback page.
_PLAYS_MS = 3_600_000


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All recordings that the person may play back; `sel` names those that are ticked."""
    access.authorise(current_user, None, Action.PLAYBACK)
    number = max(1, request.args.get("p", 1, type=int))
    chosen = asked()
    selected = {int(part) for part in request.args.get("sel", "").split(",") if part.isdecimal()}
    context = page_context(chosen, number=number, selected=selected)
    response = _htmx.render("recordings/index.html", "list" if number == 1 else "more", **context)
    if _htmx.is_htmx() and number == 1:
        return _htmx.push_url(response, list_url(chosen))
    return response


@blueprint.get("/states")
def show_states() -> ResponseReturnValue:
    """The cells of rows that change by themselves; 204 while nothing changed."""
    access.authorise(current_user, None, Action.PLAYBACK)
    known = dict(part.split("-", 1) for part in request.args.getlist("moving")[:200] if "-" in part)
    ids = [int(text) for text in known if text.isdecimal() and len(text) < 10]
    lines = lines_of(recording_list.list_some(current_user, ids))
    changed = [line for line in lines if line.version != known[str(line.recording.id)]]
    if not changed:
        return _htmx.no_content()
    text = render_template("recordings/states.html", lines=changed, **_tools())
    return _htmx.vary(make_response(text))


@blueprint.get("/<int:recording_id>")
def show(recording_id: int) -> ResponseReturnValue:
    """One recording: its player, what is missing, its note and its lock."""
    recording = recording_list.get_recording(current_user, recording_id)
    return _htmx.render("recordings/show.html", "detail", **_detail(recording))


@blueprint.get("/<int:recording_id>/note")
def edit_note(recording_id: int) -> ResponseReturnValue:
    """The note as a field, in place."""
    recording = _noted(recording_id)
    return _htmx.render("recordings/_note_form.html", recording=recording, typed=recording.note, problem=None)


@blueprint.get("/<int:recording_id>/note/shown")
def show_note(recording_id: int) -> ResponseReturnValue:
    """The note as text again (Esc)."""
    recording = recording_list.get_recording(current_user, recording_id)
    return _htmx.render("recordings/_note.html", recording=recording, may_note=may_note(recording))


@blueprint.post("/<int:recording_id>/note")
def write_note(recording_id: int) -> ResponseReturnValue:
    """Keep what was typed."""
    recording, typed = _noted(recording_id), request.form.get("note", "")
    try:
        evidence.write_note(recording, typed)
    except Invalid as error:
        problem = error.errors["note"]
        return _htmx.render(
            "recordings/_note_form.html", status=422, recording=recording, typed=typed, problem=problem
        )
    if not _htmx.is_htmx():
        return _htmx.redirect(url_for("recordings.show", recording_id=recording_id))
    return _htmx.render("recordings/_note.html", recording=recording, may_note=True)


def may_note(recording: Recording) -> bool:
    """Whoever locks footage may write on all of it; who records, on what they started."""
    mine = rights()
    is_own = recording.kind == RecordingKind.MANUAL and recording.user_id == current_user.id
    if mine.may(Action.LOCK):
        return True
    return is_own and mine.of(recording.camera).record


def _noted(recording_id: int) -> Recording:
    recording = recording_list.get_recording(current_user, recording_id)
    if not may_note(recording):
        recording_list.get_recording(current_user, recording_id, Action.LOCK)  # refuses with its sentence
    return recording


def _tools() -> dict[str, Any]:
    return {
        "kinds": KINDS,
        "uploads": UPLOADS,
        "has_cloud": recording_bulk.has_copies(),
        "may_lock": rights().may(Action.LOCK),
        "may_transfer": rights().may(Action.TRANSFER),
        "may_delete": rights().may(Action.RECORDING_DELETE),
    }


def _detail(recording: Recording) -> dict[str, Any]:
    (line,) = lines_of([recording])
    return {
        "line": line,
        "recording": recording,
        "playlist": _playlist(line),
        "is_cut": line.ended_ms - line.started_ms > _PLAYS_MS,
        "may_note": may_note(recording),
        "gaps": _gaps(line),
        "is_part": _htmx.is_htmx(),  # below a row of the list
        "may_export": line.is_there and rights().of(recording.camera).export,
        **_tools(),
    }


def _playlist(line: Line) -> str | None:
    """The address of its first hour with footage, signed for this person; None without footage."""
    if line.facts.first_ms is None or not line.is_there:
        return None
    camera_id, start_ms = line.recording.camera_id, line.facts.first_ms
    token = access.media_token(current_user, camera_id, Action.PLAYBACK)
    end_ms = min(line.ended_ms, start_ms + _PLAYS_MS)
    return f"/stream/{token}/{camera_id}/play/playlist.m3u8?from={start_ms}&to={end_ms}"


def _gaps(line: Line) -> list[tuple[int, int, str]]:
    """The longest gaps in it, (from, to, why)."""
    if not line.missing_ms:
        return []
    found = recording_facts.longest_gaps(line.recording)
    return [(gap.started_ms, gap.ended_ms, timeline.sentence_of(gap.cause, gap.detail)) for gap in found]
