"""When the disk is full, and how many days of each camera it then holds, beside what was asked for.

Sums and arithmetic over the index; the arithmetic is pure and nothing here removes anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, Node, Run, Segment, Stream, StreamKind
from cctv.services.lifetime import kept, retention_rules
from cctv.services.lifetime.retention_rules import NOT_LOCAL, Rule
from cctv.services.site import settings

DAY_MS = 86_400_000
HORIZON_DAYS = 3_650.0  # what lies further away is never
_RATE_DAYS = 7
_LEAST_AGE_MS = 600_000  # ten files of a minute: less says nothing about a day
_FRESH_S = 300.0  # sums over a week of all cameras cost a few hundred milliseconds
_FILES = Segment.__table__.c


@dataclass(frozen=True, slots=True)
class Flow:
    """What one camera keeps: bytes now, bytes a day that come, and its rule."""

    camera_id: int
    name: str
    now_bytes: int
    bytes_per_day: float
    rule: Rule

    @property
    def ceiling_bytes(self) -> float:
        """What it grows to when nothing but its rule removes anything."""
        limits = [self.rule.keep_days * self.bytes_per_day] if self.rule.keep_days else []
        limits += [float(self.rule.keep_bytes)] if self.rule.keep_bytes else []
        return min(limits, default=float("inf"))

    @property
    def asked_days(self) -> float | None:
        """How long its rule keeps footage, in days; None: as long as there is room."""
        if self.ceiling_bytes == float("inf"):
            return None
        return self.ceiling_bytes / self.bytes_per_day if self.bytes_per_day else self.rule.keep_days


@dataclass(frozen=True, slots=True)
class Forecast:
    """How it goes on. `full_in_days` None: never. `holds_days`: of cameras that ask for more, or no limit."""

    flows: list[Flow]
    free_for_footage: int  # bytes until the limit
    full_in_days: float | None
    holds_days: float | None
    missing_bytes: int  # what the rules ask for and the disk does not have

    @property
    def now_bytes(self) -> int:
        return sum(flow.now_bytes for flow in self.flows)

    @property
    def bytes_per_day(self) -> float:
        return sum(flow.bytes_per_day for flow in self.flows)

    def keeps_days(self, flow: Flow) -> float | None:
        """How long footage of that camera stays; None while it is not recorded."""
        if not flow.bytes_per_day:
            return None
        return min(value for value in (flow.asked_days, self.holds_days, HORIZON_DAYS) if value is not None)

    def is_short(self, flow: Flow) -> bool:
        """Whether the disk holds less of it than its days ask for."""
        keeps = self.keeps_days(flow)
        asked = flow.rule.keep_days
        return (
            asked is not None and keeps is not None and self.holds_days is not None and keeps < asked * 0.98
        )


def work_out(flows: list[Flow], free_for_footage: int) -> Forecast:
    """The forecast for one disk. `free_for_footage` may be negative: beyond the limit already."""
    room = max(0.0, sum(flow.now_bytes for flow in flows) + free_for_footage)
    asked = sum(
        min(flow.ceiling_bytes, max(flow.now_bytes, HORIZON_DAYS * flow.bytes_per_day)) for flow in flows
    )
    limited = sum(flow.ceiling_bytes for flow in flows if flow.ceiling_bytes != float("inf"))
    missing = max(0, int(limited - room))
    if asked <= room or not any(flow.bytes_per_day for flow in flows):
        return Forecast(flows, free_for_footage, None, None, 0)
    return Forecast(flows, free_for_footage, _full_in(flows, room), _holds(flows, room), missing)


def _full_in(flows: list[Flow], room: float) -> float:
    """Days until the sum of all cameras, each growing to its ceiling, is what there is room for."""
    return _bisect(lambda days: sum(_grown(flow, days) for flow in flows) - room)


def _grown(flow: Flow, days: float) -> float:
    return max(float(flow.now_bytes), min(flow.now_bytes + flow.bytes_per_day * days, flow.ceiling_bytes))


def _holds(flows: list[Flow], room: float) -> float:
    """The age at which the oldest goes once the disk is full: everything of all cameras up to it fits."""
    return _bisect(
        lambda days: sum(min(flow.bytes_per_day * days, flow.ceiling_bytes) for flow in flows) - room
    )


def _bisect(excess: Callable[[float], float]) -> float:
    low, high = 0.0, HORIZON_DAYS
    if excess(low) >= 0:
        return 0.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return low


def of_node(node: Node, *, at_ms: int | None = None) -> Forecast | None:
    """The forecast of a machine's disk, a few minutes old at most; None until it told its figures."""
    if not node.total_bytes or node.free_bytes is None:
        return None
    limit = settings.get("disk_limit_percent")
    free = node.free_bytes - node.total_bytes * (100 - limit) // 100
    return work_out(flows_of(node.id, at_ms=at_ms), free)


def flows_of(node_id: int, *, at_ms: int | None = None) -> list[Flow]:
    """What the cameras whose footage comes to this machine keep."""
    node_of = (
        select(Run.node_id)
        .where(Run.stream_id == Stream.id)
        .order_by(Run.ordinal.desc())
        .limit(1)
        .correlate(Stream)
        .scalar_subquery()
    )
    query = (
        select(Camera.id, Camera.name, func.coalesce(node_of, Stream.owner_node_id, Camera.node_id))
        .join(Stream, Stream.camera_id == Camera.id)
        .where(Stream.kind == StreamKind.MAIN)
    )
    places = {camera_id: (name, place) for camera_id, name, place in db.session.execute(query)}
    sums = _fresh_sums(now_ms() if at_ms is None else at_ms)
    return [
        Flow(one.camera_id, places[one.camera_id][0], *sums.get(one.camera_id, (0, 0.0)), one.rule)
        for one in retention_rules.rules()
        if places[one.camera_id][1] == node_id
    ]


def _fresh_sums(at_ms: int) -> dict[int, tuple[int, float]]:
    cached: tuple[float, dict[int, tuple[int, float]]] | None = current_app.extensions.get("cctv.flows")
    if cached is None or time.monotonic() - cached[0] > _FRESH_S:
        cached = time.monotonic(), _sums(at_ms)
        current_app.extensions["cctv.flows"] = cached
    return cached[1]


def _sums(at_ms: int) -> dict[int, tuple[int, float]]:
    """Camera id -> (bytes kept on disks, bytes a day). From the covering index alone."""
    query = select(Stream.id, Stream.camera_id).where(Stream.kind == StreamKind.MAIN)
    streams = db.session.execute(query).all()
    oldest = kept.oldest_starts()
    found = {}
    for stream_id, camera_id in streams:
        age_ms = at_ms - oldest.get(camera_id, at_ms)
        total = db.session.scalar(select(func.sum(_FILES.size_bytes)).where(*_local(stream_id)))
        found[camera_id] = int(total or 0), _rate(_by_day(stream_id, at_ms), age_ms)
    return found


def _local(stream_id: int) -> tuple[Any, Any]:
    return _FILES.stream_id == stream_id, _FILES.state.not_in(NOT_LOCAL)


def _by_day(stream_id: int, at_ms: int) -> dict[int, int]:
    """Bytes of each of the last days, counted back from now: 0 is the last 24 hours."""
    since_ms = at_ms - _RATE_DAYS * DAY_MS
    day = (_FILES.started_ms - since_ms - 1) // DAY_MS
    rows = db.session.execute(
        select(day, func.sum(_FILES.size_bytes))
        .where(*_local(stream_id), _FILES.started_ms > since_ms, _FILES.started_ms <= at_ms)
        .group_by(day)
    )
    return {_RATE_DAYS - 1 - int(number): int(size) for number, size in rows}


def _rate(by_day: dict[int, int], age_ms: int) -> float:
    """Bytes a day: the median of the whole days that there are, else what the first hours promise."""
    whole_days = min(_RATE_DAYS, age_ms // DAY_MS)
    if whole_days:
        # A camera that was turned off a day ago fills nothing any more.
        return float(median(by_day.get(day, 0) for day in range(whole_days))) if by_day.get(0) else 0.0
    return by_day.get(0, 0) * DAY_MS / age_ms if age_ms >= _LEAST_AGE_MS else 0.0
