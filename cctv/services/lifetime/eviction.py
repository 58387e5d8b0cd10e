"""Which stored files may go and in which order: verified in the cloud first, then the oldest, never locked.

Finds and removes what it is told to; why something has to go is decided in retention.py and by the rules.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Select, false, func, or_, select, text, tuple_, update

from cctv.extensions import begin_writing, db
from cctv.intervals import Interval
from cctv.models import (
    Camera,
    RemovalReason,
    Run,
    Segment,
    SegmentState,
    Stream,
    StreamKind,
    Transfer,
    TransferState,
)
from cctv.services.footage import gaps
from cctv.services.lifetime import expiry
from cctv.services.proof import chain
from cctv.services.recording import holds
from cctv.services.recording.wanted import lock_cameras

BATCH = 200  # files a transaction: it holds SQLite's only lock for a few milliseconds
_CAMERAS_AT_ONCE = 4
_PAUSE_S = 0.005  # between two of them: SQLite's next writer polls for the lock
# A file that a rule wants in the bucket stays until its copy is verified there; only a full disk is stronger.
_UNDER_WAY = (TransferState.PENDING, TransferState.UPLOADING, TransferState.FAILED)


class Candidate(NamedTuple):
    """A file that may go; `is_copied`: the bucket has a verified copy, so only the local file goes."""

    id: int
    camera_id: int
    kind: str
    started_ms: int
    ended_ms: int
    size_bytes: int
    is_copied: bool


def oldest(node_id: int, state: SegmentState, after: tuple[int, int]) -> list[Candidate]:
    """A page of the files of a node in that state, oldest first, after (ended_ms, id)."""
    return _page(
        _query(node_id)
        .where(Segment.state == state, tuple_(Segment.ended_ms, Segment.id) > after)
        .order_by(Segment.ended_ms, Segment.id)
    )


def oldest_copied(node_id: int, after: tuple[int, int]) -> list[Candidate]:
    """As `oldest`, of the files that the bucket has a verified copy of."""
    return _page(
        _query(node_id)
        .where(
            Transfer.node_id == node_id,
            # As the partial index says it: SQLite does not see that a parameter says the same.
            text("transfer.is_local AND transfer.state = 'verified'"),
            Segment.state == SegmentState.KEPT,
            tuple_(Transfer.ended_ms, Transfer.segment_id) > after,
        )
        .order_by(Transfer.ended_ms, Transfer.segment_id)
    )


def oldest_of(stream_id: int, node_id: int, before_ms: int, after: tuple[int, int]) -> list[Candidate]:
    """A page of the kept files of a stream that ended by `before_ms`, oldest first, after (started_ms, id).

    Without those that wait for their copy in the bucket.
    """
    return _page(
        _query(node_id)
        .where(
            Segment.stream_id == stream_id,
            Segment.started_ms < before_ms,
            Segment.ended_ms <= before_ms,
            # Not "is kept": SQLite would leave the index by time for the one by state.
            Segment.state.not_in([SegmentState.RING, SegmentState.EXPIRING, SegmentState.CLOUD]),
            or_(Transfer.id.is_(None), Transfer.state.not_in(_UNDER_WAY)),
            tuple_(Segment.started_ms, Segment.id) > after,
        )
        .order_by(Segment.started_ms, Segment.id)
    )


def files_of(stream_id: int, node_id: int, after_id: int) -> list[Candidate]:
    """A page of all that a stream has of this node, whatever its state and wherever it lies."""
    return _page(
        _query(node_id)
        .where(Segment.stream_id == stream_id, Segment.state != SegmentState.EXPIRING, Segment.id > after_id)
        .order_by(Segment.id)
    )


def remove(
    chosen: list[Candidate], reason: RemovalReason, *, cause: str = "", spares_manual: bool = False
) -> int:
    """Remove files with their rows, and leave gaps of that cause (none without one); how many went.

    Of what the bucket holds only the local file goes, and the row stays; but all of it with its camera.
    """
    with_copies = reason == RemovalReason.CAMERA
    copied = [candidate for candidate in chosen if candidate.is_copied and not with_copies]
    rest = [candidate for candidate in chosen if with_copies or not candidate.is_copied]
    count = expiry.release(candidate.id for candidate in copied) if copied else 0
    for part in _parts(rest):
        begin_writing()
        lock_cameras(candidate.camera_id for candidate in part)
        # Asked again: somebody may have locked it meanwhile.
        free = holds.unheld(part, spares_manual=spares_manual)
        _mark(free, reason)
        if cause:
            _leave_gaps(free, cause)
        db.session.commit()
        count += expiry.remove_expiring(candidate.id for candidate in free)
        time.sleep(_PAUSE_S)
    return count


def _parts(chosen: list[Candidate]) -> Iterator[list[Candidate]]:
    """The files camera by camera, in parts of few cameras: the gaps of each cost some milliseconds."""
    ordered = sorted(chosen, key=lambda one: (one.camera_id, one.started_ms))
    part: list[Candidate] = []
    cameras: set[int] = set()
    for candidate in ordered:
        if len(part) == BATCH or len(cameras | {candidate.camera_id}) > _CAMERAS_AT_ONCE:
            yield part
            part, cameras = [], set()
        part.append(candidate)
        cameras.add(candidate.camera_id)
    if part:
        yield part


def _mark(chosen: list[Candidate], reason: RemovalReason) -> None:
    db.session.execute(
        update(Segment)
        .where(Segment.id.in_([candidate.id for candidate in chosen]), Segment.is_locked.is_(False))
        .values(**chain.expiring(reason))
        .execution_options(synchronize_session=False)
    )


def _leave_gaps(chosen: list[Candidate], cause: str) -> None:
    spans: dict[int, list[Interval]] = {}
    for candidate in chosen:
        if candidate.kind == StreamKind.MAIN:
            spans.setdefault(candidate.camera_id, []).append((candidate.started_ms, candidate.ended_ms))
    for camera_id in sorted(spans):
        gaps.add(camera_id, spans[camera_id], cause=cause)


def _query(node_id: int) -> Select[Any]:
    return (
        select(
            Segment.id,
            Stream.camera_id,
            Stream.kind,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.size_bytes,
            func.coalesce(Transfer.state == TransferState.VERIFIED, false()),
        )
        .select_from(Segment)
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .join(Camera, Camera.id == Stream.camera_id)
        .outerjoin(Transfer, Transfer.segment_id == Segment.id)
        .where(Run.node_id == node_id, Segment.is_locked.is_(False))
        .limit(BATCH)
    )


def _page(query: Select[Any]) -> list[Candidate]:
    rows = db.session.execute(query).all()
    db.session.commit()  # no transaction waits while files are removed
    return [Candidate(*row) for row in rows]
