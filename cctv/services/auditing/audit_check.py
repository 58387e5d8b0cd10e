"""Is the audit log whole? Follows the chain from the first entry and names the first that was changed.

Changes no entry; what the head outside says counts as much as the rows themselves.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import select

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import AuditEntry, Event
from cctv.services.auditing import audit, audit_chain
from cctv.services.auditing.audit_chain import Head

_log = logging.getLogger(__name__)

_BATCH = 2000  # entries read at once: a statement of a second at most, and memory stays flat


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was checked and what was found. `sentence` is for people."""

    is_whole: bool
    sentence: str
    checked: int
    first_bad_id: int | None
    newest_at_ms: int | None
    is_complete: bool  # whether it came to the end in the time it had
    seconds: float

    @property
    def per_second(self) -> int:
        """Entries checked in a second."""
        return round(self.checked / self.seconds) if self.seconds else 0

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"entries_per_second": self.per_second}


@dataclass(slots=True)
class _Walk:
    """How far the chain was followed."""

    at: Head
    at_ms: int | None = None
    checked: int = 0
    bad_id: int | None = None
    problem: str = ""


def verify(*, limit_seconds: float | None = None) -> Verdict:
    """Follow the whole chain, or as much of it as fits into the time."""
    return _verify(_Walk(audit_chain.START), limit_seconds)


def verify_news(*, limit_seconds: float = 0.3) -> Verdict:
    """As `verify`, from where this process or the hourly check came to: for a page that is opened often."""
    known: Head = current_app.extensions.get("cctv.audit_walk") or _checked_head() or audit_chain.START
    found = db.session.execute(
        select(AuditEntry.hash, AuditEntry.at_ms).where(AuditEntry.id == known.id)
    ).one_or_none()
    # When what had been checked is different now, all is checked, so that the first bad one is named.
    is_same = found is not None and found.hash == known.hash
    walk = _Walk(known, found.at_ms) if found is not None and is_same else _Walk(audit_chain.START)
    verdict = _verify(walk, limit_seconds)
    if verdict.is_whole:
        current_app.extensions["cctv.audit_walk"] = walk.at
    return verdict


def verify_hourly(*, limit_seconds: float = 120.0) -> Verdict:
    """Follow the whole chain; remember for the pages how far it is whole, else tell the overview."""
    walk = _Walk(audit_chain.START)
    verdict = _verify(walk, limit_seconds)
    if verdict.is_whole:
        _checked_path().write_bytes(audit_chain.spell(walk.at))
        return verdict
    _log.error("audit log: %s", verdict.sentence)
    text = f"The audit log is not as it was written. {verdict.sentence}"
    begin_writing()
    if db.session.scalar(select(Event.id).where(Event.kind == "audit", Event.text == text).limit(1)) is None:
        db.session.add(Event(at_ms=now_ms(), kind="audit", severity="bad", text=text))
    db.session.commit()
    return verdict


def accept() -> Head:
    """Believe the entries that are there, after a restored backup; the log says that somebody did."""
    kept = audit_chain.kept_head()
    begin_writing()
    newest = audit_chain.lock(db.session())
    missing = max(0, kept.id - newest.id) if kept else 0
    audit.add("audit.accept", missing=missing)
    db.session.commit()
    head = newest_head()
    audit_chain.replace_head(head)
    return head


def newest_head() -> Head:
    """The newest entry, without any lock."""
    newest = select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
    row = db.session.execute(newest).one_or_none()
    return Head(row.id, row.hash) if row else audit_chain.START


def _verify(walk: _Walk, limit_seconds: float | None) -> Verdict:
    began = time.monotonic()
    kept = audit_chain.kept_head()  # before the rows: whoever writes meanwhile only adds to what it names
    is_complete = False
    while not walk.problem and not is_complete:
        is_complete = _follow(walk, kept) < _BATCH
        if limit_seconds is not None and time.monotonic() - began > limit_seconds:
            break
    if not walk.problem and is_complete and kept and kept.id > walk.at.id:
        walk.bad_id = walk.at.id + 1
        missing = kept.id - walk.at.id
        walk.problem = f"The newest {missing} {'entry is' if missing == 1 else 'entries are'} missing"
    return Verdict(
        is_whole=not walk.problem,
        sentence=_sentence(walk, is_complete),
        checked=walk.checked,
        first_bad_id=walk.bad_id,
        newest_at_ms=walk.at_ms,
        is_complete=is_complete or bool(walk.problem),
        seconds=round(time.monotonic() - began, 3),
    )


def _follow(walk: _Walk, kept: Head | None) -> int:
    """Check the next entries; how many there were."""
    columns = [getattr(AuditEntry, name) for name in (*audit_chain.HASHED, "hash")]
    query = select(*columns).where(AuditEntry.id > walk.at.id).order_by(AuditEntry.id).limit(_BATCH)
    rows = db.session.execute(query).mappings().all()
    if len(rows) == _BATCH:
        db.session.rollback()  # SQLite: a long read would keep the write-ahead log from being emptied
    for row in rows:
        problem = _problem(walk.at, row, kept)
        if problem:
            walk.problem, walk.bad_id = problem, walk.at.id + 1
            break
        walk.at, walk.at_ms = Head(row["id"], row["hash"]), row["at_ms"]
        walk.checked += 1
    return len(rows)


def _problem(before: Head, row: Any, kept: Head | None) -> str:
    number = before.id + 1
    if row["id"] != number:
        return f"Entry {number} is missing"
    if row["hash"] != audit_chain.hash_of(row, before.hash):
        return f"Entry {number} was changed"
    if kept and kept.id == number and kept.hash != row["hash"]:
        return f"Entry {number} is not the one that was written"
    return ""


def _sentence(walk: _Walk, is_complete: bool) -> str:
    if walk.problem:
        return f"{walk.problem}. The log is whole up to entry {walk.at.id}."
    if not walk.at.id:
        return "The log is empty."
    return f"Whole up to entry {walk.at.id}" + ("." if is_complete else "; the rest was not reached in time.")


def _checked_path() -> Path:
    return config.current().data_dir / "audit_checked"


def _checked_head() -> Head | None:
    try:
        return audit_chain.parse(_checked_path().read_bytes())
    except OSError:
        return None
