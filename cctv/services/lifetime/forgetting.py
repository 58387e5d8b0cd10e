"""The history of times without footage is forgotten ninety days later: states, gaps, activity, events.

Deletes rows only, in small batches, so that nobody who writes waits for it; never footage, never a promise.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, select

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Activity, Camera, Event, Gap, Segment, StateChange, Stream
from cctv.services.footage.finding import NOT_KEPT

KEPT_MS = 90 * 86_400_000  # the least; longer where there is older footage
_BATCH = 500  # rows a transaction: 5 to 20 ms
_PAUSE_S = 0.02  # between two of them: SQLite's next writer polls for the lock


class Forgotten(NamedTuple):
    """How many rows went."""

    states: int
    gaps: int
    events: int
    activity: int


class _Horizon(NamedTuple):
    """What ended before `before_ms` explains nothing of this camera any more."""

    camera_id: int
    stream_ids: list[int]
    before_ms: int


def forget_history(*, at_ms: int | None = None, seconds: float = 240.0) -> Forgotten:
    """Remove what is older than ninety days and than the oldest footage of its camera.

    Ends after `seconds`; the next time goes on.
    """
    limit_ms = (now_ms() if at_ms is None else at_ms) - KEPT_MS
    until = time.monotonic() + seconds
    horizons = _horizons(limit_ms)
    states = gaps = activity = events = 0
    for camera_id, stream_ids, before_ms in horizons:
        told = (StateChange.started_ms < before_ms, StateChange.ended_ms < before_ms)
        states += _forget(StateChange, StateChange.stream_id.in_(stream_ids), *told, until=until)
        gone = (Gap.started_ms < before_ms, Gap.ended_ms < before_ms)
        gaps += _forget(Gap, Gap.camera_id == camera_id, *gone, until=until)
        activity += _forget(
            Activity, Activity.camera_id == camera_id, Activity.started_ms < before_ms, until=until
        )
        events += _forget(Event, Event.camera_id == camera_id, Event.at_ms < before_ms, until=until)
    oldest_ms = min((horizon.before_ms for horizon in horizons), default=limit_ms)
    events += _forget(Event, Event.camera_id.is_(None), Event.at_ms < oldest_ms, until=until)
    return Forgotten(states, gaps, events, activity)


def _horizons(limit_ms: int) -> list[_Horizon]:
    """Of every camera, also of deleted ones."""
    oldest = (
        select(Segment.started_ms)
        .where(Segment.stream_id == Stream.id, Segment.state.not_in(NOT_KEPT))
        .order_by(Segment.started_ms)
        .limit(1)
        .correlate(Stream)
        .scalar_subquery()
    )
    query = (
        select(Camera.id, Stream.id, oldest)
        .join(Stream, Stream.camera_id == Camera.id)
        .order_by(Camera.id, Stream.id)
    )
    found: dict[int, _Horizon] = {}
    for camera_id, stream_id, oldest_ms in db.session.execute(query):
        known = found.setdefault(camera_id, _Horizon(camera_id, [], limit_ms))
        known.stream_ids.append(stream_id)
        before_ms = min(known.before_ms, limit_ms if oldest_ms is None else oldest_ms)
        found[camera_id] = known._replace(before_ms=before_ms)
    db.session.commit()
    return list(found.values())


def _forget(table: Any, *conditions: ColumnElement[bool], until: float) -> int:
    count = 0
    while time.monotonic() < until:
        ids = db.session.scalars(select(table.id).where(*conditions).limit(_BATCH)).all()
        db.session.commit()  # looked for without the lock of a writer
        if ids:
            begin_writing()
            db.session.execute(
                delete(table).where(table.id.in_(ids)), execution_options={"synchronize_session": False}
            )
            db.session.commit()
            count += len(ids)
        if len(ids) < _BATCH:
            break
        time.sleep(_PAUSE_S)
    return count
