"""How long footage is kept by rule: days and bytes, a default and what single cameras have of their own.

What a rule removes is found here; the order in which a full disk removes more is retention.py's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from flask import current_app
from sqlalchemy import func, select

from cctv.clock import from_ms, now_ms, to_ms
from cctv.extensions import db
from cctv.models import Camera, RemovalReason, Segment, SegmentState, Stream, StreamKind
from cctv.services.lifetime import eviction
from cctv.services.lifetime.eviction import Candidate
from cctv.services.recording import holds
from cctv.services.recording.wanted import FOREVER_MS
from cctv.services.site import settings

DAY_MS = 86_400_000
NIGHT_HOUR = 3  # of the site: when rules that were made stricter begin to hold
_EVERY_S = 60.0  # a look at all cameras, when the last one found nothing
_PASS_S = 2.0  # of every ten seconds: the ring and the floor have their turn
NOT_LOCAL = (SegmentState.RING, SegmentState.EXPIRING, SegmentState.CLOUD)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one camera's footage is kept for; None: no such limit."""

    keep_days: int | None
    keep_bytes: int | None


class Ruled(NamedTuple):
    """A camera with the rule that holds for it."""

    camera_id: int
    stream_id: int
    rule: Rule


def rule_of(keep_days: int | None, keep_bytes: int | None) -> Rule:
    """The rule for what a camera has of its own: None there means the default, 0 no limit."""
    days = settings.get("keep_days") if keep_days is None else keep_days
    size = settings.get("keep_bytes") if keep_bytes is None else keep_bytes
    return Rule(days or None, size or None)


def rules() -> list[Ruled]:
    """Every camera that is not deleted, with its rule; those that are turned off as well."""
    query = (
        select(Camera.id, Stream.id, Camera.keep_days, Camera.keep_bytes)
        .join(Stream, Stream.camera_id == Camera.id)
        .where(Stream.kind == StreamKind.MAIN, Camera.deleted_at.is_(None))
        .order_by(Camera.number)
    )
    rows = db.session.execute(query).all()
    return [Ruled(camera_id, stream_id, rule_of(days, size)) for camera_id, stream_id, days, size in rows]


def days_by_camera() -> dict[int, int]:
    """Camera id -> days asked for, of the cameras that have such a limit."""
    found = {one.camera_id: one.rule.keep_days for one in rules() if one.rule.keep_days}
    db.session.commit()
    return found


def tonight_ms(at_ms: int | None = None) -> int:
    """The next three o'clock of the site."""
    local = from_ms(now_ms() if at_ms is None else at_ms).astimezone(settings.zone())
    night = local.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0, fold=0)
    return to_ms(night if night > local else night + timedelta(days=1))


def expire_when_due(node_id: int) -> int:
    """`expire` now and then; how many files went. Goes on at once where the last time did not finish."""
    due: dict[int, float] = current_app.extensions.setdefault("cctv.rules_due", {})
    if time.monotonic() < due.get(node_id, 0.0):
        return 0
    count = expire(node_id, seconds=_PASS_S)
    due[node_id] = time.monotonic() + (0.0 if count else _EVERY_S)
    return count


def expire(node_id: int, *, at_ms: int | None = None, seconds: float = 3600.0) -> int:
    """Remove this node's files whose time is over by rule, for about `seconds`; how many."""
    at_ms = now_ms() if at_ms is None else at_ms
    if at_ms < settings.get("rules_from_ms"):
        return 0
    until = time.monotonic() + seconds
    spares_manual = bool(settings.get("keeps_manual"))
    count, batch = 0, list[Candidate]()
    for candidate in _overdue(node_id, at_ms, spares_manual=spares_manual):
        batch.append(candidate)
        if len(batch) >= eviction.BATCH:
            count += _remove(batch, spares_manual)
            batch = []
        if time.monotonic() > until:
            break
    return count + _remove(batch, spares_manual)


def _remove(batch: list[Candidate], spares_manual: bool) -> int:
    return eviction.remove(batch, RemovalReason.EXPIRED, cause="deleted_rule", spares_manual=spares_manual)


def _overdue(node_id: int, at_ms: int, *, spares_manual: bool) -> Iterator[Candidate]:
    """Camera by camera, the oldest first."""
    ruled = rules()
    db.session.commit()
    for camera_id, stream_id, rule in ruled:
        before_ms = at_ms - rule.keep_days * DAY_MS if rule.keep_days else 0
        excess = 0
        if rule.keep_bytes:
            excess = unheld_bytes(camera_id, stream_id, spares_manual=spares_manual) - rule.keep_bytes
            db.session.commit()
        horizon_ms = FOREVER_MS if excess > 0 else before_ms
        for candidate in _free_files(stream_id, node_id, horizon_ms, spares_manual=spares_manual):
            if candidate.ended_ms > before_ms and excess <= 0:
                break
            excess -= candidate.size_bytes
            yield candidate


def _free_files(stream_id: int, node_id: int, before_ms: int, *, spares_manual: bool) -> Iterator[Candidate]:
    after = (0, 0)
    while page := eviction.oldest_of(stream_id, node_id, before_ms, after):
        after = page[-1].started_ms, page[-1].id
        yield from holds.unheld(page, spares_manual=spares_manual)
        if len(page) < eviction.BATCH:
            break


def unheld_bytes(camera_id: int, stream_id: int, *, spares_manual: bool) -> int:
    """What the camera has on disks, without what is held: evidence must not push newer footage out."""
    files = Segment.__table__.c
    local = (files.stream_id == stream_id, files.state.not_in(NOT_LOCAL))
    total = int(db.session.scalar(select(func.sum(files.size_bytes)).where(*local)) or 0)
    held = holds.intervals([camera_id], 0, FOREVER_MS, spares_manual=spares_manual).get(camera_id, [])
    for start, end in holds.merged(held):
        inside = select(func.sum(files.size_bytes)).where(
            *local, files.started_ms < end, files.ended_ms > start
        )
        total -= int(db.session.scalar(inside) or 0)
    return total
