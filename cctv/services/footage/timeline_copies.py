"""What the timeline shows of copies in the cloud: what is only there, what waits for its copy, what failed.

Only reads rows; how files get there is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from cctv.extensions import db
from cctv.intervals import Interval, clip, union
from cctv.models import Segment, SegmentState, Transfer, TransferState
from cctv.services.footage.finding import LONGEST_FILE_MS, NOT_KEPT, TOLERANCE_MS, main_streams

_MOST_COPIES = 5_000  # a backlog of days is not drawn to its end


@dataclass(frozen=True, slots=True)
class LaneCopy:
    """Footage whose copy in the cloud is under way; `state`: waiting or failed."""

    started_ms: int
    ended_ms: int
    state: str
    sentence: str


def only_in_cloud(camera_ids: list[int], start_ms: int, end_ms: int) -> dict[int, list[Interval]]:
    """By camera, the times of files that are no more on any of our disks."""
    found: dict[int, list[Interval]] = {camera_id: [] for camera_id in camera_ids}
    streams = main_streams(camera_ids)
    query = select(Segment.stream_id, Segment.started_ms, Segment.ended_ms).where(
        Segment.stream_id.in_(streams),
        Segment.started_ms > start_ms - LONGEST_FILE_MS,
        Segment.started_ms < end_ms,
        Segment.ended_ms > start_ms,
        # Not "is in the cloud": SQLite would leave the index by time for the one by state.
        Segment.state.not_in([SegmentState.KEPT, *NOT_KEPT]),
    )
    for stream_id, started, ended in db.session.execute(query):
        found[streams[stream_id]].append((started, ended))
    return {camera_id: union(spans, join_ms=TOLERANCE_MS) for camera_id, spans in found.items()}


def under_way(camera_ids: list[int], start_ms: int, end_ms: int) -> dict[int, list[LaneCopy]]:
    """By camera, what waits for its copy or failed; found by the state: mostly there are few."""
    found: dict[int, list[LaneCopy]] = {camera_id: [] for camera_id in camera_ids}
    query = (
        select(Transfer.camera_id, Segment.started_ms, Segment.ended_ms, Transfer.state, Transfer.cause)
        .join(Segment, Segment.id == Transfer.segment_id)
        .where(
            Transfer.camera_id.in_(camera_ids),
            Transfer.state.in_([TransferState.PENDING, TransferState.UPLOADING, TransferState.FAILED]),
            Transfer.ended_ms > start_ms,
            Transfer.ended_ms < end_ms + LONGEST_FILE_MS,
        )
        .limit(_MOST_COPIES)
    )
    rows = sorted(db.session.execute(query).all(), key=lambda row: (row.camera_id, row.started_ms))
    for camera_id, started, ended, state, cause in rows:
        is_failed = state == TransferState.FAILED
        sentence = f"Not copied to the cloud: {cause}" if is_failed else "Waits for its copy in the cloud"
        for start, end in clip([(started, ended)], start_ms, end_ms):
            word = "failed" if is_failed else "waiting"
            found[camera_id].append(LaneCopy(start, end, word, sentence))
    return found


def joined(found: list[LaneCopy], join_ms: int) -> list[LaneCopy]:
    """Neighbours of which the same is to be said are drawn as one."""
    result: list[LaneCopy] = []
    for one in found:
        last = result[-1] if result else None
        if last and last.sentence == one.sentence and one.started_ms - last.ended_ms <= join_ms:
            result[-1] = LaneCopy(last.started_ms, max(last.ended_ms, one.ended_ms), one.state, one.sentence)
        else:
            result.append(one)
    return result
