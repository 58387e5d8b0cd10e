"""How a file goes: mark the row, unlink the file, delete the row - each step safe to repeat after a crash.

Unlinks nothing that is not marked in the database first; so while the database is away nothing is unlinked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, case, delete, func, not_, select, update

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.intervals import overlaps
from cctv.models import Camera, RecordingMode, Run, Segment, SegmentState, Stream, StreamKind
from cctv.services.bucket import transfer_rows
from cctv.services.proof import chain
from cctv.services.recording import holds
from cctv.services.recording.wanted import lock_cameras, wanted_by_camera
from cctv.storage import disk, paths

RING_SECONDS = 60  # the least depth of the ring after a file's end; a longer pre-roll makes it deeper
# Where activity decides what is kept, a file waits until its pictures, and those whose pre-roll it is, were
# compared - but not for ever: a comparison that does not come must not fill the disk.
LONGEST_WAIT_MS = 3_600_000
_LATEST_START_MS = 60_000  # activity is said to begin so much before it was seen, at most
_DECIDED_BY_ACTIVITY = (RecordingMode.ACTIVITY, RecordingMode.SCHEDULE)
_BATCH = 200  # files a transaction: a writer must not hold SQLite for long

_log = logging.getLogger(__name__)


class _Candidate(NamedTuple):
    id: int
    camera_id: int
    kind: str
    started_ms: int
    ended_ms: int


def ring_ms(pre_roll_seconds: int) -> int:
    """How long a file that nobody wants stays after its end."""
    return max(pre_roll_seconds, RING_SECONDS) * 1000


def expire_ring(node_id: int, *, at_ms: int | None = None) -> int:
    """Remove this node's files that left the ring unwanted; how many went. Wanted ones are kept instead."""
    at_ms = now_ms() if at_ms is None else at_ms
    count = 0
    while candidates := _ring_candidates(node_id, at_ms):
        begin_writing()
        lock_cameras(candidate.camera_id for candidate in candidates)
        gone, kept = _divide(candidates)
        _set_state(kept, SegmentState.RING, SegmentState.KEPT)
        _set_state(gone, SegmentState.RING, SegmentState.EXPIRING)
        db.session.commit()
        count += remove_expiring(gone)
        if len(candidates) < _BATCH:
            break
    return count


def finish_expiring(node_id: int) -> int:
    """Complete removals that a crash or a refusing disk left half done; how many."""
    ids = db.session.scalars(
        select(Segment.id)
        .join(Run, Run.id == Segment.run_id)
        .where(Segment.state == SegmentState.EXPIRING, Run.node_id == node_id)
    ).all()
    db.session.commit()
    return remove_expiring(ids)


def remove_expiring(segment_ids: Iterable[int]) -> int:
    """Unlink the files of marked rows, wait for the disk, then delete the rows; how many.

    A file that cannot be unlinked keeps its row, and `finish_expiring` tries again. Of files that have a link
    in the chain it stays known that, why and when they went: mark them with `chain.expiring(reason)`. What
    the bucket has of them goes as well.
    """
    ids = list(segment_ids)
    count = 0
    for at in range(0, len(ids), _BATCH):
        gone = _unlink(ids[at : at + _BATCH])
        begin_writing()
        chain.record_removals(gone)
        transfer_rows.let_go(gone)
        db.session.execute(
            delete(Segment)
            .where(Segment.id.in_(gone), Segment.state == SegmentState.EXPIRING)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
        count += len(gone)
    return count


def release(segment_ids: Iterable[int]) -> int:
    """Remove the local files of rows whose verified copy is in the bucket, and keep the rows; how many.

    From the commit on everybody reads the copy. A file that a crash or a refusing disk leaves behind is
    removed by reconcile. Evidence keeps its local file as well.
    """
    ids = list(segment_ids)
    begin_writing()
    rows = db.session.execute(
        select(Segment.id, Stream.camera_id, Stream.kind, Segment.started_ms, Segment.ended_ms)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Segment.id.in_(ids), Segment.is_locked.is_(False))
    ).all()
    lock_cameras(row.camera_id for row in rows)
    free = [one.id for one in holds.unheld([_Candidate(*row) for row in rows])]
    released = transfer_rows.read_from_copies(free)
    db.session.commit()
    return len(_unlink(list(released), SegmentState.CLOUD))


def _ring_candidates(node_id: int, at_ms: int) -> list[_Candidate]:
    depth = case((Camera.pre_roll_seconds > RING_SECONDS, Camera.pre_roll_seconds), else_=RING_SECONDS)
    rows = db.session.execute(
        select(Segment.id, Stream.camera_id, Stream.kind, Segment.started_ms, Segment.ended_ms)
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .join(Camera, Camera.id == Stream.camera_id)
        .where(
            Segment.state == SegmentState.RING,
            Segment.ended_ms < at_ms - depth * 1000,
            Segment.is_locked.is_(False),
            Run.node_id == node_id,
            not_(_waits_for_activity(at_ms)),
        )
        .order_by(Segment.ended_ms)
        .limit(_BATCH)
    ).all()
    db.session.commit()
    return [_Candidate(*row) for row in rows]


def _waits_for_activity(at_ms: int) -> ColumnElement[bool]:
    """Whether something that moved, not looked for yet, may still want the file."""
    needed_ms = Segment.ended_ms + Camera.pre_roll_seconds * 1000 + _LATEST_START_MS
    return and_(
        Camera.watches_activity,
        Camera.recording_mode.in_(_DECIDED_BY_ACTIVITY),
        Segment.ended_ms > at_ms - LONGEST_WAIT_MS,
        func.coalesce(Camera.activity_seen_ms, 0) < needed_ms,
    )


def _divide(candidates: list[_Candidate]) -> tuple[list[int], list[int]]:
    """(ids nobody wants, ids that somebody wants by now)."""
    start = min(candidate.started_ms for candidate in candidates)
    end = max(candidate.ended_ms for candidate in candidates)
    wanted = wanted_by_camera({candidate.camera_id for candidate in candidates}, start, end)
    kept = [
        candidate.id
        for candidate in candidates
        if candidate.kind == StreamKind.MAIN
        and overlaps(wanted[candidate.camera_id], candidate.started_ms, candidate.ended_ms)
    ]
    return [candidate.id for candidate in candidates if candidate.id not in kept], kept


def _set_state(ids: list[int], old: SegmentState, new: SegmentState) -> None:
    if ids:
        db.session.execute(
            update(Segment)
            .where(Segment.id.in_(ids), Segment.state == old)
            .values(state=new)
            .execution_options(synchronize_session=False)
        )


def _unlink(ids: list[int], state: SegmentState = SegmentState.EXPIRING) -> list[int]:
    """Ids whose file is surely gone. Rows that are not in that state (any more) are passed over."""
    rows: Any = db.session.execute(
        select(Segment.id, Stream.camera_id, Run.key, Segment.number)
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Segment.id.in_(ids), Segment.state == state)
    ).all()
    db.session.commit()  # the disk may be slow; no transaction waits for it
    media_dir = config.current().media_dir
    gone: list[int] = []
    directories: set[Path] = set()
    for segment_id, camera_id, run_key, number in rows:
        path = paths.segment_path(media_dir, camera_id, run_key, number)
        try:
            disk.unlink(path)
        except OSError as error:
            _log.warning("file %d of run %s stays for now: %s", number, run_key, error.strerror)
            continue
        gone.append(segment_id)
        directories.add(path.parent)
    for directory in directories:
        _settle_directory(directory)
    return gone


def _settle_directory(directory: Path) -> None:
    # Else a power cut could bring a file back after its row went, and reconcile would keep it for ever.
    try:
        disk.fsync_directory(directory)
    except FileNotFoundError:
        pass
