"""Exports as pages show them: words, progress and what may be pressed; and the form that asks for one.

Shapes only; nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, SelectMultipleField, StringField

from cctv.blueprints._words import duration, moment, site_zone, time_of_day
from cctv.clock import from_ms, parse_typed, site_day, to_ms
from cctv.errors import Invalid
from cctv.models import Export, ExportState
from cctv.services.export import export_list, export_progress
from cctv.services.export.exports import Wish

_FORM = "%Y-%m-%dT%H:%M:%S"  # of <input type="datetime-local">
_CHIPS = {
    ExportState.QUEUED: ("connecting", "Waiting"),
    ExportState.RUNNING: ("connecting", "Begins"),
    ExportState.READY: ("ok", "Ready"),
    ExportState.FAILED: ("bad", "Failed"),
    ExportState.CANCELLED: ("off", "Cancelled"),
    ExportState.EXPIRED: ("off", "Removed"),
}


class ExportForm(FlaskForm):
    """What is to be taken home. `*_ms`: the same moments exactly, as the timeline marked them."""

    cameras = SelectMultipleField("Cameras", coerce=int, validate_choice=False)
    started = StringField("From")
    ended = StringField("To")
    started_ms = HiddenField()
    ended_ms = HiddenField()
    note = StringField("Note")
    has_time_track = BooleanField("Add a track that tells the time")
    is_evidence = BooleanField("Add proof for a court")
    stays = HiddenField()  # "1": the page underneath goes on


@dataclass(frozen=True, slots=True)
class Line:
    """An export as a row."""

    export: Export
    title: str
    span: str
    icon: str
    word: str
    hint: str
    is_under_way: bool
    created_ms: int
    keep_until_ms: int | None
    is_zip: bool


def lines(exports: list[Export]) -> list[Line]:
    """Rows of a list."""
    names = export_list.names_of(exports)
    return [_line(export, names) for export in exports]


def wish(form: ExportForm) -> Wish:
    """What the form asks for.

    Raises:
        Invalid: keys started, ended.
    """
    problems: dict[str, str] = {}
    times = []
    for name in ("started", "ended"):
        ms = _moment(form[name].data or "", form[f"{name}_ms"].data or "")
        if ms is None:
            problems[name] = "Type a day and a time."
        times.append(ms or 0)
    if problems:
        raise Invalid(problems)
    return Wish(
        camera_ids=tuple(form.cameras.data or ()),
        started_ms=times[0],
        ended_ms=times[1],
        has_time_track=bool(form.has_time_track.data),
        is_evidence=bool(form.is_evidence.data),
        note=form.note.data or "",
    )


def field_errors(errors: dict[str, str]) -> dict[str, str]:
    """The service's names as the form calls them."""
    names = {"camera_ids": "cameras", "started_ms": "started", "ended_ms": "ended"}
    return {names.get(name, name): sentence for name, sentence in errors.items()}


def local(ms: int) -> str:
    """A moment as its field holds it, in site time."""
    return f"{from_ms(ms).astimezone(site_zone()):{_FORM}}"


def span(start_ms: int, end_ms: int) -> str:
    """22 Nov 2026 14:36:00 to 15:06:00."""
    is_one_day = site_day(start_ms, site_zone()) == site_day(end_ms, site_zone())
    return f"{moment(start_ms)} to {time_of_day(end_ms) if is_one_day else moment(end_ms)}"


def _line(export: Export, names: dict[int, str]) -> Line:
    state = ExportState(export.state)
    icon, word = _CHIPS[state]
    if state == ExportState.RUNNING:
        word = export_progress.WORDS.get(export.phase, word)
        word = "Cancelling" if export.wants_cancel else f"{word} {export.permille // 10} %"
    return Line(
        export=export,
        title=export_list.title_of([names.get(one, "a deleted camera") for one in export.camera_ids]),
        span=span(export.started_ms, export.ended_ms),
        icon=icon,
        word=word,
        hint=_hint(export, state),
        is_under_way=state in export_list.UNDER_WAY,
        created_ms=to_ms(export.created_at),
        keep_until_ms=to_ms(export.keep_until) if export.keep_until else None,
        is_zip=(export.file_name or "").endswith(".zip"),
    )


def _hint(export: Export, state: ExportState) -> str:
    if state == ExportState.QUEUED:
        before = export_list.waiting_before(export)
        again = "Begins again: its worker was ended. " if export.result.get("tries") else ""
        return again + (f"{before} before this one" if before else "Next")
    if state == ExportState.RUNNING:
        left = export_progress.seconds_left(export)
        return f"{duration(left * 1000)} left" if left is not None else ""
    return export.cause if state == ExportState.FAILED else ""


def _moment(typed: str, exactly: str) -> int | None:
    """The exact moment while what is typed says the same, else the typed one."""
    known = int(exactly) if exactly.isdecimal() and len(exactly) < 16 else None
    if known is not None and _same(typed, known):
        return known
    try:
        return parse_typed(typed, near_ms=known or 0, zone=site_zone()) if typed.strip() else None
    except (ValueError, OverflowError):
        return None


def _same(typed: str, ms: int) -> bool:
    try:
        return datetime.fromisoformat(typed) == datetime.fromisoformat(local(ms))
    except (ValueError, OverflowError, TypeError):
        return False


def page_of(line: Line) -> dict[str, Any]:
    """What the page of one export shows besides."""
    result = line.export.result
    found = {name: result.get(name, []) for name in ("files", "empty", "left_out")}
    return {"line": line, **found}
