"""What rules would remove tonight, before anybody saves them: of which camera, from when to when, how much.

Reads the index only; what is held is left out as the removal itself leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from cctv.extensions import db
from cctv.intervals import Interval, overlaps
from cctv.models import Segment
from cctv.services.lifetime.retention_rules import DAY_MS, NOT_LOCAL, Rule, Ruled
from cctv.services.recording import holds
from cctv.services.recording.wanted import FOREVER_MS

_FILES = Segment.__table__.c


@dataclass(frozen=True, slots=True)
class Loss:
    """The footage of one camera that would go. Times in epoch milliseconds."""

    camera_id: int
    files: int
    size_bytes: int
    started_ms: int
    ended_ms: int


def losses(ruled: Iterable[Ruled], at_ms: int, *, spares_manual: bool) -> list[Loss]:
    """What goes of each camera when these rules hold at `at_ms`; cameras that lose nothing are left out."""
    cameras = list(ruled)
    held = holds.intervals([one.camera_id for one in cameras], 0, FOREVER_MS, spares_manual=spares_manual)
    found = [_loss(one, at_ms, held.get(one.camera_id, [])) for one in cameras if any(_limits(one.rule))]
    db.session.commit()
    return [one for one in found if one is not None]


def _limits(rule: Rule) -> tuple[int | None, int | None]:
    return rule.keep_days, rule.keep_bytes


def _loss(one: Ruled, at_ms: int, held: list[Interval]) -> Loss | None:
    before_ms = at_ms - one.rule.keep_days * DAY_MS if one.rule.keep_days else 0
    row = _with_held(one, before_ms, held) if held else _by_sums(one, before_ms)
    return Loss(one.camera_id, *row) if row[0] else None


def _by_sums(one: Ruled, before_ms: int) -> Any:
    """(files, bytes, from, to) of what ended by then or lies beyond the bytes: inside the database."""
    if one.rule.keep_bytes:
        newer = func.sum(_FILES.size_bytes).over(order_by=_FILES.started_ms.desc())
        files = select(_FILES.ended_ms, newer.label("newer")).where(*_local(one)).subquery()
        beyond = select(func.max(files.c.ended_ms)).where(files.c.newer > one.rule.keep_bytes)
        before_ms = max(before_ms, db.session.scalar(beyond) or 0)
    return db.session.execute(
        select(
            func.count(),
            func.sum(_FILES.size_bytes),
            func.min(_FILES.started_ms),
            func.max(_FILES.ended_ms),
        ).where(*_local(one), _FILES.started_ms < before_ms, _FILES.ended_ms <= before_ms)
    ).one()


def _with_held(one: Ruled, before_ms: int, held: list[Interval]) -> tuple[int, int, int, int]:
    """The same, file by file from the newest on: what is held neither goes nor counts."""
    query = select(_FILES.started_ms, _FILES.ended_ms, _FILES.size_bytes).where(*_local(one))
    files = size = newer = 0
    started_ms, ended_ms = FOREVER_MS, 0
    for start, end, size_bytes in db.session.execute(query.order_by(_FILES.started_ms.desc())):
        if overlaps(held, start, end):
            continue
        newer += size_bytes
        if end <= before_ms or (one.rule.keep_bytes and newer > one.rule.keep_bytes):
            files, size = files + 1, size + size_bytes
            started_ms, ended_ms = min(started_ms, start), max(ended_ms, end)
    return files, size, started_ms, ended_ms


def _local(one: Ruled) -> tuple[Any, Any]:
    return _FILES.stream_id == one.stream_id, _FILES.state.not_in(NOT_LOCAL)
