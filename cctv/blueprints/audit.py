"""The audit log as a page and as a file: filters in the address, the newest first, more on demand.

Whose entries a person sees is decided by services/auditing/audit_rows.py.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from cctv.blueprints import _audit_words, _csv, _htmx, _words
from cctv.clock import day_bounds_ms, from_ms, now_ms, site_day
from cctv.extensions import begin_writing, db
from cctv.models import AuditEntry
from cctv.services.auditing import audit, audit_check, audit_rows
from cctv.services.auditing.audit_rows import Filters
from cctv.services.person import access, matrix
from cctv.services.person.access import Action, Scope

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

_ROWS = 50
_NAMES = ("who", "what", "cam", "from", "to")
_COLUMNS = (
    *("number", "time", "who", "user id", "what", "action"),
    *("camera", "address", "device", "details", "hash"),
)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Who did what; `before` continues a list below the entry of that number."""
    access.authorise(current_user, None, Action.AUDIT)
    before_id = request.args.get("before", type=int)
    filters = _filters()
    found = audit_rows.find_entries(current_user, filters, before_id=before_id, limit=_ROWS + 1)
    told = [_audit_words.tell(entry) for entry in found[:_ROWS]]
    sees = matrix.scope(current_user.role, Action.AUDIT)
    is_page = before_id is None and not _htmx.is_htmx()
    return _htmx.render(
        "audit/index.html",
        "entries" if before_id is None else "more",
        told=told,
        has_more=len(found) > _ROWS,
        day=request.args.get("day", "") if before_id else "",
        newest_id=0 if before_id else (found[0].id if found else audit_check.newest_head().id),
        asked=_asked(),
        groups={key: label for key, (label, _) in _audit_words.GROUPS.items()},
        cameras=access.known_cameras(current_user),
        sees_others=sees != Scope.OWN,
        is_technical=sees == Scope.PART,
        chain=audit_check.verify_news() if is_page and sees != Scope.OWN else None,
        today=site_day(now_ms(), _words.site_zone()).isoformat(),
    )


@blueprint.get("/news")
def news() -> ResponseReturnValue:
    """How many entries were added after number `after`: a button instead of rows that jump."""
    access.authorise(current_user, None, Action.AUDIT)
    after_id = request.args.get("after", 0, type=int)
    count = audit_rows.count_news(current_user, _filters(), after_id=after_id)
    if count == request.args.get("shown", 0, type=int):
        return _htmx.no_content()
    return _htmx.render("audit/_news.html", count=count, after=after_id, asked=_asked())


@blueprint.post("/export")
def export() -> ResponseReturnValue:
    """Everything that the filters show, as CSV; that it was exported is an entry itself."""
    access.authorise(current_user, None, Action.AUDIT)
    filters, zone = _filters(), _words.site_zone()
    begin_writing()
    audit.add("audit.export", filters=_asked() or None)
    db.session.commit()
    rows = (_cells(entry, zone) for entry in audit_rows.iterate(current_user, filters))
    return _csv.download(f"audit_{site_day(now_ms(), zone).isoformat()}", _COLUMNS, rows)


def _asked() -> dict[str, str]:
    """The filters of the address, for the next one."""
    return {name: request.args[name][:120] for name in _NAMES if request.args.get(name, "").strip()}


def _filters() -> Filters:
    asked, zone = _asked(), _words.site_zone()
    what = asked.get("what", "")
    first, last = _day(asked.get("from")), _day(asked.get("to"))
    camera = asked.get("cam", "")
    return Filters(
        who=asked.get("who", "").strip(),
        actions=_audit_words.GROUPS[what][1] if what in _audit_words.GROUPS else (what,) if what else (),
        camera_id=int(camera) if camera.isascii() and camera.isdigit() and len(camera) < 10 else None,
        since_ms=day_bounds_ms(first, zone)[0] if first else None,
        until_ms=day_bounds_ms(last, zone)[1] if last else None,
    )


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None


def _cells(entry: AuditEntry, zone: ZoneInfo) -> tuple[Any, ...]:
    changed = [
        f"{one.name}: {one.before} → {one.after}" if one.before is not None else f"{one.name}: {one.after}"
        for one in _audit_words.changes(entry.details)
    ]
    return (
        entry.id,
        from_ms(entry.at_ms).astimezone(zone).isoformat(sep=" ", timespec="seconds"),
        _audit_words.person(entry),
        "" if entry.user_id is None else entry.user_id,
        _audit_words.sentence(entry),
        entry.action,
        "" if entry.camera_id is None else entry.camera_id,
        entry.address,
        entry.device,
        "; ".join(changed),
        entry.hash,
    )
