"""Footage that another machine is writing: it exists and its row will come, only its end cannot be read here.

Time of which this is true is neither recorded nor missing for whoever asks on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.intervals import Interval
from cctv.models import Node, Run, Segment, Stream, StreamKind, StreamState
from cctv.services.camera import lease
from cctv.services.camera.lease import LEASE_MS
from cctv.services.site import nodes
from cctv.storage import paths

# By then the file has ended, at the first key frame after its minute, and has its row; later it is missed.
ROW_WITHIN_MS = 100_000


class Growing(NamedTuple):
    """What is written there at the moment, up to now."""

    node_name: str
    span: Interval


def growing(camera_ids: Iterable[int], *, at_ms: int | None = None) -> dict[int, Growing]:
    """By camera, what living captures on other machines wrote since their last rows; one query."""
    at_ms = now_ms() if at_ms is None else at_ms
    newest = (
        select(Segment.ended_ms)
        .join(Run, Run.id == Segment.run_id)
        .where(Run.key == Stream.run_key)
        .order_by(Segment.number.desc())
        .limit(1)
        .correlate(Stream)
        .scalar_subquery()
    )
    query = (
        select(Stream.camera_id, Stream.run_key, Node.name, newest.label("ended_ms"))
        .join(Node, Node.id == Stream.owner_node_id)
        .where(
            Stream.camera_id.in_(list(camera_ids)),
            Stream.kind == StreamKind.MAIN,
            Stream.state == StreamState.LIVE,
            Stream.run_key.is_not(None),
            Stream.renewed_ms >= lease.clock() - LEASE_MS,
            Node.key != nodes.key(),
        )
    )
    found: dict[int, Growing] = {}
    for camera_id, run_key, node_name, ended_ms in db.session.execute(query):
        begun_ms = paths.parse_run_key(run_key).epoch_s * 1000
        start = begun_ms if ended_ms is None else ended_ms
        if start < at_ms <= start + ROW_WITHIN_MS:
            found[camera_id] = Growing(node_name, (start, at_ms))
    return found
