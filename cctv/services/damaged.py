"""Finds the stored files that are marked as damaged, for timelines, lists of recordings and the settings.

Reads rows only; marking is done where damage is found: capture, reconcile and the scrub.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, literal_column, select

from cctv.extensions import db
from cctv.models import Camera, Segment, Stream
from cctv.services import damage
from cctv.services.finding import LONGEST_FILE_MS, NOT_KEPT, main_streams

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


def of_cameras(camera_ids: Iterable[int], start_ms: int, end_ms: int) -> dict[int, list[DamagedFile]]:
    """The damaged files of main streams that overlap [start_ms, end_ms), in order; two queries."""
    ids = list(camera_ids)
    streams = main_streams(ids)
    found: dict[int, list[DamagedFile]] = {camera_id: [] for camera_id in ids}
    query = (
        select(Segment.stream_id, Segment.started_ms, Segment.ended_ms, Segment.damage)
        .where(
            _IS_DAMAGED,
            Segment.stream_id.in_(streams),
            Segment.started_ms > start_ms - LONGEST_FILE_MS,
            Segment.started_ms < end_ms,
            Segment.ended_ms > start_ms,
            Segment.state.not_in(NOT_KEPT),
        )
        .order_by(Segment.started_ms)
    )
    for stream_id, started, ended, code in db.session.execute(query):
        camera_id = streams[stream_id]
        found[camera_id].append(DamagedFile(camera_id, started, ended, code))
    return found


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
