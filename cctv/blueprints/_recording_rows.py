"""The list of recordings as its address asks for it: filters in, rows with their words out.

Shape only: which recordings a person sees, and what may be done to them, is said by services.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, request, url_for
from flask_login import current_user

from cctv.blueprints import _htmx, _words
from cctv.blueprints._rights import rights
from cctv.clock import day_bounds_ms, now_ms, parse_typed, site_day
from cctv.models import Recording, RecordingKind
from cctv.services.bucket import cloud
from cctv.services.person.access import Action
from cctv.services.recording import recording_bulk, recording_facts, recording_list
from cctv.services.recording.recording_facts import Facts
from cctv.services.recording.recording_list import Filters

ROWS = 25  # of 1,440 files each in the case of days: counted anew for each page
KINDS = {
    RecordingKind.CONTINUOUS: "Continuous",
    RecordingKind.MANUAL: "Manual",
    RecordingKind.SCHEDULE: "Schedule",
    RecordingKind.ACTIVITY: "Activity",
}
KIND_ICONS = {
    RecordingKind.CONTINUOUS: "history",
    RecordingKind.MANUAL: "filled/player-record",
    RecordingKind.SCHEDULE: "calendar-event",
    RecordingKind.ACTIVITY: "timeline-event",
}
UPLOADS = {
    "local": "Only on this machine",
    "waiting": "On its way",
    "cloud": "In the cloud",
    "cloud_only": "Only in the cloud",
    "failed": "Failed",
}
SORTS = {"-started_ms": "Newest", "started_ms": "Oldest", "camera_id": "Camera"}
_NAMES = ("cam", "from", "to", "time", "kind", "upload", "lock", "q", "sort")
_BETWEEN = re.compile(r"\s*(?:–|-|to)\s*")
_A_MINUTE_MS = 60_000
_LEAST_FOR_MINUTES_MS = 120_000  # shorter ones are told with seconds


@dataclass(frozen=True, slots=True)
class Line:
    """One row. Times in epoch milliseconds."""

    recording: Recording
    facts: Facts
    started_ms: int
    ended_ms: int
    is_running: bool
    is_there: bool  # its camera was not deleted
    still_ms: int | None
    when: str
    day: str
    kind: str
    kind_icon: str
    is_selected: bool

    @property
    def is_moving(self) -> bool:
        """Whether somebody may wait for a change of the row: a day that goes on only grows."""
        is_short = self.recording.kind in (RecordingKind.MANUAL, RecordingKind.ACTIVITY)
        return (self.is_running and is_short) or self.facts.upload in ("waiting", "uploading")

    @property
    def missing_ms(self) -> int:
        """What is missing of it, when that is worth a word."""
        return self.facts.missing_ms if self.facts.missing_ms >= recording_facts.MISSING_FROM_MS else 0

    @property
    def version(self) -> str:
        """Changes with whatever the row says and that changes by itself."""
        facts = (self.facts.upload, self.facts.percent, self.facts.files, self.is_running, self.missing_ms)
        return hashlib.sha256(repr((self.recording.id, facts)).encode()).hexdigest()[:12]


def asked(source: Any = None) -> dict[str, str]:
    """The filters of the address, or of another query, that are set."""
    found = request.args if source is None else source
    return {name: found[name].strip()[:120] for name in _NAMES if found.get(name, "").strip()}


def asked_before(query: str) -> dict[str, str]:
    """The filters of the list that a form came from."""
    return asked(dict(parse_qsl(query[:2000])))


def filters_of(chosen: dict[str, str], *, newest_id: int | None = None) -> Filters:
    """What the filters mean; what cannot be understood filters nothing."""
    start_ms, end_ms = span_of(chosen)
    camera = chosen.get("cam", "")
    lock = chosen.get("lock", "")
    return Filters(
        camera_id=int(camera) if camera.isascii() and camera.isdigit() and len(camera) < 10 else None,
        kind=chosen["kind"] if chosen.get("kind") in KINDS else None,
        from_ms=start_ms,
        to_ms=end_ms,
        is_locked={"locked": True, "open": False}.get(lock),
        upload=chosen["upload"] if chosen.get("upload") in UPLOADS else None,
        search=chosen.get("q", ""),
        newest_id=newest_id,
    )


def span_of(chosen: dict[str, str]) -> tuple[int | None, int | None]:
    """The days and times that were asked for; a time alone is meant today."""
    zone = _words.site_zone()
    first, last = _day(chosen.get("from")), _day(chosen.get("to"))
    if first and last and first > last:
        first, last = last, first
    typed = chosen.get("time", "")
    start_ms = day_bounds_ms(first, zone)[0] if first else None
    end_ms = day_bounds_ms(last, zone)[1] if last else None
    if not typed:
        return start_ms, end_ms
    today = site_day(now_ms(), zone)
    near = [sum(day_bounds_ms(day, zone)) // 2 for day in (first or last or today, last or first or today)]
    parts = _BETWEEN.split(typed, maxsplit=1)
    begin = parse_typed(parts[0], near_ms=near[0], zone=zone)
    if begin is None:
        return start_ms, end_ms
    if len(parts) == 1:
        return begin, begin + _A_MINUTE_MS
    end = parse_typed(parts[1], near_ms=near[1], zone=zone)
    return begin, end if end is not None and end > begin else day_bounds_ms(last or first or today, zone)[1]


def list_url(chosen: dict[str, str], **more: Any) -> str:
    """The address of the list with these filters."""
    values: dict[str, Any] = {**chosen, **more}
    return url_for("recordings.index", **values)


def page_context(
    chosen: dict[str, str], *, number: int = 1, selected: set[int] | None = None
) -> dict[str, Any]:
    """What templates/recordings/index.html and its blocks need."""
    cameras, has_copies = recording_list.choices(current_user)
    sort = chosen["sort"] if chosen.get("sort") in SORTS else "-started_ms"
    found = recording_list.list_page(
        current_user, filters_of(chosen), sort=sort, page=number, page_size=ROWS, with_deleted=True
    )
    lines = lines_of(found.items, selected=selected)
    return {
        "found": found,
        "lines": lines,
        "more": max(0, found.total - found.number * found.size),
        "asked": chosen,
        "query": list_url(chosen).partition("?")[2],
        "sort": sort,
        "cameras": cameras,
        "kinds": KINDS,
        "uploads": UPLOADS,
        "sorts": SORTS,
        "has_cloud": has_copies or cloud.access() is not None,
        "may_export": rights().may(Action.EXPORT),
        "may_lock": rights().may(Action.LOCK),
        "may_transfer": rights().may(Action.TRANSFER),
        "may_delete": rights().may(Action.RECORDING_DELETE),
        "today": site_day(now_ms(), _words.site_zone()).isoformat(),
        "why_none": _why_none(chosen, cameras),
        "most": recording_bulk.MOST,
    }


def render_list(chosen: dict[str, str], *, selected: set[int] | None = None) -> Response:
    """The list again after something was done from a dialog: it takes the place of the one on the page."""
    response = _htmx.render("recordings/index.html", "list", **page_context(chosen, selected=selected))
    return _htmx.close_dialog(_htmx.retarget(response, "#list"))


def lines_of(recordings: list[Recording], *, selected: set[int] | None = None) -> list[Line]:
    """The rows of these recordings."""
    at_ms = now_ms()
    facts = recording_facts.of_recordings(recordings, at_ms=at_ms)
    return [_line(one, facts[one.id], at_ms, is_selected=one.id in (selected or ())) for one in recordings]


def _line(recording: Recording, facts: Facts, at_ms: int, *, is_selected: bool) -> Line:
    end_ms = recording_facts.end_of(recording, at_ms=at_ms)
    is_running = recording.ended_ms is None and end_ms == at_ms
    is_there = recording.camera.deleted_at is None
    return Line(
        recording=recording,
        facts=facts,
        started_ms=recording.started_ms,
        ended_ms=end_ms,
        is_running=is_running,
        is_there=is_there,
        still_ms=facts.first_ms if is_there and facts.files else None,
        when=when(recording.started_ms, None if is_running else end_ms),
        day=_words.short_day(recording.started_ms),
        kind=KINDS[RecordingKind(recording.kind)],
        kind_icon=KIND_ICONS[RecordingKind(recording.kind)],
        is_selected=is_selected,
    )


def when(start_ms: int, end_ms: int | None) -> str:
    """14:30–14:45, 23:50–00:10 (23 Nov), since 14:30; with seconds when it is short."""
    zone = _words.site_zone()
    is_short = end_ms is not None and end_ms - start_ms < _LEAST_FOR_MINUTES_MS
    spell = _words.time_of_day if is_short else _words.hour_and_minute
    if end_ms is None:
        return f"since {spell(start_ms)}"
    first, last = site_day(start_ms, zone), site_day(end_ms, zone)
    if end_ms == day_bounds_ms(first, zone)[1]:
        is_whole = start_ms == day_bounds_ms(first, zone)[0]
        return "all day" if is_whole else f"{spell(start_ms)}–24:00"
    later = "" if last == first else f" ({last.day} {last:%b})"
    return f"{spell(start_ms)}–{spell(end_ms)}{later}"


def _why_none(chosen: dict[str, str], cameras: list[tuple[int, str]]) -> str:
    """No recordings of Reception on 22 Nov between 02:00 and 04:00."""
    names = {str(camera_id): name for camera_id, name in cameras}
    start_ms, end_ms = span_of(chosen)
    parts = [f"of {names[chosen['cam']]}"] if chosen.get("cam") in names else []
    if start_ms is not None and end_ms is not None:
        parts.append(f"between {_words.minute(start_ms)} and {_words.minute(end_ms)}")
    elif start_ms is not None or end_ms is not None:
        parts.append(
            f"since {_words.day(start_ms)}" if start_ms is not None else f"until {_words.day(end_ms or 0)}"
        )
    if chosen.get("q"):
        parts.append(f"with “{chosen['q']}” in their note")
    rest = [name for name in ("kind", "upload", "lock") if chosen.get(name)]
    return f"No recordings {' '.join(parts)}".rstrip() + (" that fit these filters." if rest else ".")


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None
