"""Footage that goes before its time is told once, in words: what was asked for and what the disk holds.

An episode is remembered in the settings, so that no restart tells it again; removes nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from cctv import config
from cctv.clock import from_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Event
from cctv.services.lifetime import kept, retention_rules
from cctv.services.lifetime.eviction import Candidate
from cctv.services.site import settings

DAY_MS = 86_400_000
_OVER_MS = DAY_MS  # an episode ends when nothing went early for a day
_NOTED_EVERY_MS = 3_600_000
_MOST_NAMES = 3
BY_RULE, EARLY = "deleted_rule", "deleted_early"  # causes of the gaps


def divide(chosen: list[Candidate], *, at_ms: int) -> dict[str, list[Candidate]]:
    """The files by the cause of the gap that they leave: was somebody promised to have them for longer?"""
    if not chosen:
        return {}
    asked = retention_rules.days_by_camera()
    groups: dict[str, list[Candidate]] = {}
    for candidate in chosen:
        is_early = candidate.ended_ms > at_ms - asked.get(candidate.camera_id, 0) * DAY_MS
        groups.setdefault(EARLY if is_early else BY_RULE, []).append(candidate)
    return groups


def tell_deletions(node_id: int, front_ms: int, *, at_ms: int) -> None:
    """Footage up to `front_ms` went to make room: say it when an episode begins, or got much worse."""
    holds_days = max(0.0, (at_ms - front_ms) / DAY_MS)
    episodes: dict[str, dict[str, Any]] = settings.get("early_deletions")
    episode = episodes.get(str(node_id), {"told_days": 0.0, "last_ms": 0})
    is_new = at_ms - episode["last_ms"] > _OVER_MS
    if is_new or holds_days < episode["told_days"] / 2:
        text, severity = _sentence(front_ms, holds_days, at_ms=at_ms)
        _add("deleted_early", severity, text, at_ms)
        episode = {"told_days": holds_days, "last_ms": at_ms}
    elif at_ms - episode["last_ms"] < _NOTED_EVERY_MS:
        return
    else:
        episode = {**episode, "last_ms": at_ms}
    begin_writing()
    settings.note("early_deletions", {**episodes, str(node_id): episode})
    db.session.commit()


def tell_stuck(*, at_ms: int) -> None:
    """Room is short, and nothing more may go for it; once a day."""
    hours = settings.get("spared_hours")
    rest = "locked, not footage" + (f", or the newest {hours} hours of a camera" if hours else "")
    _tell_daily(
        "The disk is nearly full, and nothing on it may be deleted",
        f": the rest is {rest}. When it is full, recording stops. Make room in {config.current().media_dir}.",
        at_ms,
    )


def tell_eaten(size_bytes: int, *, at_ms: int) -> None:
    """Files that are not footage take its room; once a day."""
    hours = settings.get("spared_hours")
    rest = f" The newest {hours} hours of each camera stay; then recording stops." if hours else ""
    _tell_daily(
        "Other files take the room of footage",
        f": in the last hour {size_bytes / 1e9:.1f} GB more of it went than was recorded. Look at what "
        f"grows on the disk of {config.current().media_dir}.{rest}",
        at_ms,
    )


def _sentence(front_ms: int, holds_days: float, *, at_ms: int) -> tuple[str, str]:
    """(what happened, severity): only a broken promise is a warning."""
    short = _short_of(front_ms, holds_days)
    if not short:
        moment = from_ms(front_ms).astimezone(settings.zone())
        return (
            f"The disk is at its limit: footage up to {moment.day} {moment:%b %H:%M} was deleted to make "
            f"room. The disk holds {_days(holds_days)}.",
            "note",
        )
    asked = max(days for _name, days in short)
    names = ", ".join(name for name, _days in short[:_MOST_NAMES])
    names += f" and {len(short) - _MOST_NAMES} more" if len(short) > _MOST_NAMES else ""
    return (
        f"The disk is full, so footage goes before its time: asked for {asked} days, holds "
        f"{_days(holds_days)} ({names}). Add space, or keep less.",
        "warn",
    )


def _short_of(front_ms: int, holds_days: float) -> list[tuple[str, int]]:
    """(name, days asked for) of the cameras whose oldest footage lies at the front and should be older."""
    asked = retention_rules.days_by_camera()
    oldest = kept.oldest_starts()
    query = select(Camera.id, Camera.name).where(Camera.deleted_at.is_(None)).order_by(Camera.number)
    rows = db.session.execute(query).all()
    db.session.commit()
    return [
        (name, asked[camera_id])
        for camera_id, name in rows
        if asked.get(camera_id, 0) > holds_days and oldest.get(camera_id, 0) < front_ms + DAY_MS
    ]


def _days(days: float) -> str:
    if days >= 2:
        return f"{days:.0f} days"
    return f"{days * 24:.0f} hours" if days * 24 >= 2 else f"{max(1, round(days * 1440))} minutes"


def _tell_daily(headline: str, rest: str, at_ms: int) -> None:
    query = select(Event.id).where(
        Event.kind == "storage", Event.text.startswith(headline), Event.at_ms > at_ms - DAY_MS
    )
    is_told = db.session.scalar(query.limit(1)) is not None
    db.session.commit()
    if not is_told:
        _add("storage", "bad", headline + rest, at_ms)


def _add(kind: str, severity: str, sentence: str, at_ms: int) -> None:
    begin_writing()
    db.session.add(Event(at_ms=at_ms, kind=kind, severity=severity, text=sentence[:500]))
    db.session.commit()
