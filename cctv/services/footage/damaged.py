"""Stored files that are marked as damaged: found for timelines, recordings and settings, and marked.

Knows rows only; finding damage out belongs to capture, reconcile, the scrub and the look for activity.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, literal_column, select, update

from cctv.extensions import begin_writing, db
from cctv.models import Camera, Segment, Stream, StreamKind
from cctv.services.footage import damage
from cctv.services.footage.finding import LONGEST_FILE_MS, NOT_KEPT

# Spelt as in the index of the few that are damaged: else SQLite does not see that it fits.
_IS_DAMAGED: ColumnElement[bool] = literal_column("segment.is_damaged")


class DamagedFile(NamedTuple):
    """A file whose pictures may not all be seen; `code` as in damage.py. Times in epoch milliseconds."""

    camera_id: int
    started_ms: int
    ended_ms: int
    code: str

    @property
    def sentence(self) -> str:
        """For a person."""
        return f"this file {damage.words(self.code)}"

    def clipped(self, start_ms: int, end_ms: int) -> DamagedFile:
        """The part of it in [start_ms, end_ms)."""
        return self._replace(started_ms=max(self.started_ms, start_ms), ended_ms=min(self.ended_ms, end_ms))


def of_cameras(camera_ids: Iterable[int], start_ms: int, end_ms: int) -> dict[int, list[DamagedFile]]:
    """The damaged files of main streams that overlap [start_ms, end_ms), in order; one query."""
    ids = list(camera_ids)
    found: dict[int, list[DamagedFile]] = {camera_id: [] for camera_id in ids}
    streams = select(Stream.id).where(Stream.camera_id.in_(ids), Stream.kind == StreamKind.MAIN)
    query = (
        select(Stream.camera_id, Segment.started_ms, Segment.ended_ms, Segment.damage)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(
            _IS_DAMAGED,
            Segment.stream_id.in_(streams),
            Segment.started_ms > start_ms - LONGEST_FILE_MS,
            Segment.started_ms < end_ms,
            Segment.ended_ms > start_ms,
            Segment.state.not_in(NOT_KEPT),
        )
    )
    # Asked for an order, SQLite goes through all files of the time instead of the few.
    for row in sorted(db.session.execute(query), key=lambda one: one.started_ms):
        found[row.camera_id].append(DamagedFile(*row))
    return found


def mark(segment_ids: Iterable[int], code: str) -> int:
    """Mark files that are damaged, those excepted that are marked already; how many."""
    begin_writing()
    result: Any = db.session.execute(
        update(Segment)
        .where(Segment.id.in_(list(segment_ids)), Segment.is_damaged.is_(False))
        .values(is_damaged=True, damage=code)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    return int(result.rowcount)


def newest(limit: int = 10) -> list[tuple[str, DamagedFile]]:
    """The newest files that came to harm after they were stored, with the names of their cameras."""
    query = (
        select(Camera.name, Stream.camera_id, Segment.started_ms, Segment.ended_ms, Segment.damage)
        .join(Stream, Stream.id == Segment.stream_id)
        .join(Camera, Camera.id == Stream.camera_id)
        .where(_IS_DAMAGED, Segment.damage.in_(damage.SINCE_STORED), Segment.state.not_in(NOT_KEPT))
        .order_by(Segment.started_ms.desc())
        .limit(limit)
    )
    return [(name, DamagedFile(*row)) for name, *row in db.session.execute(query)]
