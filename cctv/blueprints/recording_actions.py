"""What is done to recordings: lock, unlock, delete, copy - one or many, mostly after a question.

The question names exactly what will be done to what; what refuses is said by recording_bulk.py.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import StringField

from cctv.blueprints import _forms, _htmx, _words
from cctv.blueprints._recording_rows import asked_before, filters_of, lines_of, list_url, render_list
from cctv.clock import parse_typed
from cctv.errors import Conflict, Invalid
from cctv.models import Recording
from cctv.services.export.exports import LONGEST_HOURS
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.recording import evidence, recording_bulk, recording_facts, recording_list
from cctv.services.recording.recording_bulk import MOST, Outcome

blueprint = Blueprint("recording_actions", __name__, url_prefix="/recordings")

QUESTIONS = {"lock": Action.LOCK, "unlock": Action.LOCK, "delete": Action.RECORDING_DELETE}
TYPED = "delete"
# From so much on a slip would cost more than a word.
_TYPED_FROM_MS = 24 * 3_600_000
_TYPED_FROM_ROWS = 11
_TEMPLATE = "recordings/ask.html"


class LockForm(FlaskForm):
    """Why it is held, and of one recording which part."""

    reason = StringField("Reason")
    part_from = StringField("From")
    part_to = StringField("To")


class DeleteForm(FlaskForm):
    """The word, where much is to go."""

    typed = StringField(f"Type “{TYPED}” to go on")


@blueprint.post("/ask")
def ask() -> ResponseReturnValue:
    """The question before `do` is done to the ticked recordings, or to `all` that the filters show."""
    do = request.form.get("do", "")
    if do == "export":
        return _export()
    access.authorise(current_user, None, QUESTIONS.get(do, Action.LOCK))
    if do not in QUESTIONS:
        raise Invalid({"do": "Say what is to be done with the recordings."})
    ids = _ids()
    if not ids:
        return _refuse("info", "Tick the recordings first.")
    form = DeleteForm(formdata=None) if do == "delete" else LockForm(formdata=None)
    return _htmx.render(_TEMPLATE, "dialog", form=form, **_question(do, ids))


def _export() -> Response:
    """To the form of a new export, filled with the cameras and the time from the first to the last."""
    access.authorise(current_user, None, Action.EXPORT)
    found = recording_list.list_some(current_user, _ids())
    if not found:
        return _refuse("info", "Tick the recordings first.")
    start_ms = min(one.started_ms for one in found)
    end_ms = max(recording_facts.end_of(one) for one in found)
    if end_ms - start_ms > LONGEST_HOURS * 3_600_000 + 3_600_000:  # a day may have 25 hours
        said = f"They lie more than {LONGEST_HOURS} hours apart: export them one by one."
        return _refuse("warn", said)
    cams = ",".join(str(one) for one in sorted({one.camera_id for one in found}))
    span: dict[str, Any] = {"from": start_ms, "to": end_ms}
    return _htmx.redirect(url_for("exports.new", cams=cams, **span))


def _refuse(level: str, sentence: str) -> Response:
    """Nothing is done; the page stays as it is."""
    return _htmx.toast(_htmx.no_content() if _htmx.is_htmx() else _htmx.redirect(_back()), level, sentence)


@blueprint.post("/lock")
def lock() -> ResponseReturnValue:
    """Hold them as evidence; of a single one perhaps only a part."""
    access.authorise(current_user, None, Action.LOCK)
    form, ids = LockForm(), _ids()
    reason = form.reason.data or ""
    try:
        part = _part(form, ids)
        if part is not None:
            recording, start_ms, end_ms = part
            evidence.lock_part(recording, current_user, start_ms=start_ms, end_ms=end_ms, reason=reason)
            return _done(Outcome(done=ids), "locked in part")
        outcome = recording_bulk.lock(current_user, ids, reason=reason)
    except Invalid as error:
        _forms.add_errors(form, {_FIELDS.get(name, name): said for name, said in error.errors.items()})
        return _forms.problems(_TEMPLATE, form, **_question("lock", ids))
    return _done(outcome, "locked", undo="recording_actions.unlock")


_FIELDS = {"start_ms": "part_from", "end_ms": "part_to"}


@blueprint.post("/unlock")
def unlock() -> ResponseReturnValue:
    """Hold them no longer."""
    access.authorise(current_user, None, Action.LOCK)
    return _done(recording_bulk.unlock(current_user, _ids()), "unlocked")


@blueprint.post("/delete")
def delete() -> ResponseReturnValue:
    """Delete those that nothing keeps."""
    access.authorise(current_user, None, Action.RECORDING_DELETE)
    form, ids = DeleteForm(), _ids()
    question = _question("delete", ids)
    if question["wants_typed"] and (form.typed.data or "").strip().lower() != TYPED:
        form.typed.errors = [f"Type the word {TYPED}: there is no way back."]
        return _forms.problems(_TEMPLATE, form, **question)
    outcome = recording_bulk.delete(current_user, ids, with_copies="with_copies" in request.form)
    return _done(outcome, "deleted")


@blueprint.post("/upload")
def upload() -> ResponseReturnValue:
    """Copy them to the cloud before everything that rules send; what failed is tried again."""
    access.authorise(current_user, None, Action.TRANSFER)
    try:
        outcome = recording_bulk.transfer(current_user, _ids())
    except Conflict as error:
        return _refuse("bad", error.message)
    return _done(outcome, "queued for the cloud")


def _question(do: str, ids: list[int]) -> dict[str, Any]:
    """What the dialog says."""
    found: dict[str, Any] = {"do": do, "ids": ids, "back": _query(), "back_url": _back()}
    if do == "delete":
        preview = recording_bulk.preview(current_user, ids)
        wants_typed = preview.footage_ms >= _TYPED_FROM_MS or len(preview.going) >= _TYPED_FROM_ROWS
        return {**found, "preview": preview, "wants_typed": wants_typed, "typed_word": TYPED}
    recordings = recording_list.list_some(current_user, ids)
    line = lines_of(recordings)[0] if len(recordings) == 1 else None
    return {**found, "recordings": recordings, "line": line, "most": MOST}


def _part(form: LockForm, ids: list[int]) -> tuple[Recording, int, int] | None:
    """(recording, from, to) when a part of a single one is asked for.

    Raises:
        Invalid: keys part_from, part_to.
    """
    typed = {name: (form[name].data or "").strip() for name in ("part_from", "part_to")}
    if len(ids) != 1 or not any(typed.values()):
        return None
    recording = recording_list.get_recording(current_user, ids[0], Action.LOCK)
    first, last = recording.started_ms, recording_facts.end_of(recording)
    start_ms = _moment(typed["part_from"], first, last, default=first, name="part_from")
    end_ms = _moment(typed["part_to"], start_ms, last, default=last, name="part_to")
    return None if (start_ms, end_ms) == (first, last) else (recording, start_ms, end_ms)


def _moment(typed: str, first: int, last: int, *, default: int, name: str) -> int:
    """A time of day inside [first, last]: on the day of the beginning, or else on that of the end."""
    if not typed:
        return default
    for near_ms in (first, last):
        found = parse_typed(typed, near_ms=near_ms, zone=_words.site_zone())
        if found is not None and first <= found <= last + 1000:
            return min(found, last)
    raise Invalid({name: "Type a time inside the recording, like 14:52 or 14:52:30."})


def _ids() -> list[int]:
    """The ticked ones; with `all` what the filters of the list show, up to the newest that was there."""
    if request.form.get("all"):
        newest = request.form.get("newest", type=int)
        filters = filters_of(asked_before(_query() or ""), newest_id=newest)
        return recording_list.list_ids(current_user, filters, limit=MOST)
    asked = dict.fromkeys(request.values.getlist("id", type=int))
    return list(asked)[:MOST]


def _query() -> str | None:
    """The filters of the list that this came from; None: it came from the page of one recording."""
    found = request.values.get("back")
    return None if found is None else found[:2000]


def _back() -> str:
    query, ids = _query(), request.values.getlist("id", type=int)
    if query is None and len(ids) == 1:
        return url_for("recordings.show", recording_id=ids[0])
    return list_url(asked_before(query or ""))


def _done(outcome: Outcome, verb: str, *, undo: str | None = None) -> Response:
    """The list again with what refused still ticked, and the sentence about it."""
    query = _query()
    chosen = asked_before(query or "")
    if query is None:
        response = _htmx.redirect(url_for("recordings.index") if verb == "deleted" else _back())
    elif _htmx.is_htmx():
        response = render_list(chosen, selected=set(outcome.kept))
    else:
        kept = ",".join(str(one) for one in outcome.kept)
        response = _htmx.redirect(list_url(chosen, sel=kept or None))
    level = "ok" if outcome.done and not outcome.kept else "warn"
    actions = []
    if undo and 0 < len(outcome.done) <= 50:
        actions.append({"label": "Undo", "post": url_for(undo, id=outcome.done, back=_query())})
    return _htmx.toast(response, level, words_of(outcome, verb), actions=actions)


def words_of(outcome: Outcome, verb: str) -> str:
    """8 of 10 deleted. 2 are locked."""
    done, asked = len(outcome.done), outcome.asked
    if not asked:
        return "Tick the recordings first."
    if done == asked:
        first = f"{done} recordings {verb}." if done != 1 else f"Recording {verb}."
    else:
        first = f"{done} of {asked} {verb}." if done else f"Nothing was {verb}."
    reasons = (
        (outcome.locked, "already locked" if verb == "locked" else "locked"),
        (outcome.running, "still going on"),
        (outcome.not_locked, "not locked"),
        (outcome.gone, "gone"),
    )
    said = [f"{len(ids)} {'is' if len(ids) == 1 else 'are'} {why}." for ids, why in reasons if ids]
    return " ".join([first, *said])
