"""How a camera fared: its states as a strip of seven days, reconnects, and the gaps in its footage.

Reads the history that capture writes; never judges what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from cctv import intervals
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, Gap, StateChange, StreamState

DAY_MS = 86_400_000
DAYS = 7
_MOST_GAPS = 20
_BROKEN = (StreamState.OFFLINE, StreamState.REFUSED, StreamState.FROZEN, StreamState.STORAGE)


@dataclass(frozen=True, slots=True)
class Spell:
    """An unbroken time in one state. Times in epoch milliseconds."""

    started_ms: int
    ended_ms: int
    state: str
    cause: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class History:
    """Seven days of one camera up to `until_ms`."""

    from_ms: int
    until_ms: int
    spells: list[Spell]
    live_percent: float | None  # of the time that is known; None when nothing is
    reconnects_per_hour: float  # over the last 24 hours
    gaps: list[Gap]  # newest first, the most recent ones
    gap_count: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """Missing footage of one camera in a time."""

    camera_id: int
    count: int
    longest_ms: int


def of_camera(camera: Camera) -> History:
    """The last seven days of the camera's main stream."""
    until = now_ms()
    since = until - DAYS * DAY_MS
    spells = _spells(camera.main.id, since, until)
    query = select(Gap).where(Gap.camera_id == camera.id, Gap.ended_ms > since)
    gaps = list(db.session.scalars(query.order_by(Gap.started_ms.desc()).limit(_MOST_GAPS)))
    count = db.session.scalar(
        select(func.count(Gap.id)).where(Gap.camera_id == camera.id, Gap.ended_ms > since)
    )
    return History(
        since, until, spells, _live_percent(spells), _reconnects_per_hour(spells, until), gaps, count or 0
    )


def gaps_since(since_ms: int) -> list[Gaps]:
    """Missing footage by camera from then on, the longest first."""
    longest = func.max(Gap.ended_ms - Gap.started_ms)
    query = (
        select(Gap.camera_id, func.count(Gap.id), longest)
        .where(Gap.ended_ms > since_ms)
        .group_by(Gap.camera_id)
        .order_by(longest.desc())
    )
    return [Gaps(camera_id, count, span) for camera_id, count, span in db.session.execute(query)]


def _spells(stream_id: int, since: int, until: int) -> list[Spell]:
    query = (
        select(StateChange)
        .where(
            StateChange.stream_id == stream_id,
            StateChange.started_ms < until,
            (StateChange.ended_ms.is_(None)) | (StateChange.ended_ms > since),
        )
        .order_by(StateChange.started_ms)
    )
    return [
        Spell(
            max(since, change.started_ms),
            min(until, change.ended_ms or until),
            change.state,
            change.cause,
            change.detail,
        )
        for change in db.session.scalars(query)
    ]


def _live_percent(spells: list[Spell]) -> float | None:
    asked = [spell for spell in spells if spell.state != StreamState.OFF]
    known = sum(spell.ended_ms - spell.started_ms for spell in asked)
    live = intervals.total_ms([(s.started_ms, s.ended_ms) for s in asked if s.state == StreamState.LIVE])
    return 100 * live / known if known else None


def _reconnects_per_hour(spells: list[Spell], until: int) -> float:
    """How often the picture came back after it had been lost."""
    recent = [spell for spell in spells if spell.ended_ms > until - DAY_MS]
    hours = max(1.0, (until - recent[0].started_ms) / 3_600_000) if recent else 1.0
    was_broken, count = False, 0
    for spell in recent:
        if spell.state in _BROKEN:
            was_broken = True
        elif spell.state == StreamState.LIVE and was_broken:
            was_broken, count = False, count + 1
    return count / min(24.0, hours)
