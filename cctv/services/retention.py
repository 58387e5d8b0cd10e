"""What goes when room is needed: ring files first, then the oldest footage that nobody locked.

Each early deletion leaves a gap with its cause. Locked footage is never touched, whatever the disk says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select, tuple_, update

from cctv import config
from cctv.clock import from_ms, now_ms
from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, overlaps
from cctv.models import (
    Camera,
    Event,
    Recording,
    RemovalReason,
    Run,
    Segment,
    SegmentState,
    Stream,
    StreamKind,
)
from cctv.services import chain, expiry, gaps, settings
from cctv.services.wanted import lock_cameras
from cctv.storage import disk, paths
from cctv.storage.disk import Usage

INGEST_RESERVE_S = 2 * 3_600  # so much recording must still fit
INGEST_WINDOW_MS = 10 * 60_000  # the rate is measured over the last ten minutes
LARGEST_FLOOR_SHARE = 0.5  # on a disk that is too small for it half is left for footage
LEAST_FREE_INODES = 256
NEARLY_FULL_BYTES = 32 * 1024**2  # below it not even the database may be able to write: the reserve goes
_EPISODE_MS = 24 * 3_600_000  # told once in this time
_BATCH = 200

_log = logging.getLogger(__name__)


class Deletion(NamedTuple):
    """What `enforce_floor` did. `is_stuck`: room is short and nothing may be deleted."""

    files: int
    size_bytes: int
    is_stuck: bool


class _Candidate(NamedTuple):
    id: int
    camera_id: int
    kind: str
    started_ms: int
    ended_ms: int
    size_bytes: int


def housekeep(node_id: int) -> None:
    """What a node does every few seconds with its own disk: make room, and remove what is due."""
    enforce_floor(node_id)
    expiry.expire_ring(node_id)
    expiry.finish_expiring(node_id)
    remove_deleted_cameras(node_id)
    keep_reserve(node_id)


def enforce_floor(
    node_id: int, *, usage: Callable[[Path], Usage] = disk.usage, at_ms: int | None = None
) -> Deletion:
    """Delete as much as brings the free space back to the floor: ring files, then the oldest unlocked ones.

    `usage` is the measure of the disk, for tests. OSError when the disk cannot be asked.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    media_dir = config.current().media_dir
    room = usage(media_dir)
    if room.free_bytes < NEARLY_FULL_BYTES and disk.drop_reserve(media_dir):
        _log.warning("the disk is full: its reserve was freed")
        room = usage(media_dir)
    short_bytes = floor_bytes(node_id, room, at_ms=at_ms) - room.free_bytes
    has_no_inodes = 0 <= room.free_inodes < LEAST_FREE_INODES
    if short_bytes <= 0 and not has_no_inodes:
        return Deletion(0, 0, False)
    return _delete(node_id, short_bytes, least_files=LEAST_FREE_INODES if has_no_inodes else 0, at_ms=at_ms)


def floor_bytes(node_id: int, room: Usage, *, at_ms: int | None = None) -> int:
    """The free space that is kept: what the setting leaves of the disk, or two hours of recording if more."""
    share = (100 - int(settings.get("disk_limit_percent"))) / 100
    by_rate = int(ingest_bytes_per_second(node_id, at_ms=at_ms) * INGEST_RESERVE_S)
    by_setting = int(room.total_bytes * share)
    return max(by_setting, min(by_rate, int(room.total_bytes * LARGEST_FLOOR_SHARE)))


def ingest_bytes_per_second(node_id: int, *, at_ms: int | None = None) -> float:
    """How fast the captures of the node fill its disk: the files closed in the last ten minutes."""
    at_ms = now_ms() if at_ms is None else at_ms
    written = db.session.scalar(
        select(func.sum(Segment.size_bytes))
        .join(Run, Run.id == Segment.run_id)
        .where(
            Segment.state.in_([SegmentState.KEPT, SegmentState.RING]),
            Segment.ended_ms > at_ms - INGEST_WINDOW_MS,
            Segment.ended_ms <= at_ms,
            Run.node_id == node_id,
        )
    )
    db.session.commit()
    return float(written or 0) / (INGEST_WINDOW_MS / 1000)


def remove_deleted_cameras(node_id: int) -> int:
    """Remove a batch of the footage of cameras that were deleted; how many files. Locked footage stays."""
    # Asked by stream: from the cameras' side SQLite reads through every file of the node (0.6 s of 500,000).
    streams = db.session.scalars(
        select(Stream.id)
        .join(Camera, Camera.id == Stream.camera_id)
        .where(Camera.deleted_at.is_not(None))
        .order_by(Stream.id)
    ).all()
    db.session.commit()
    for stream_id in streams:
        after = 0
        while page := _files_of(stream_id, node_id, after):
            if _unlocked(page):
                begin_writing()
                lock_cameras({candidate.camera_id for candidate in page})
                found = _unlocked(page)  # asked again: somebody may have locked it meanwhile
                _mark(found, RemovalReason.CAMERA)
                db.session.commit()
                return expiry.remove_expiring(candidate.id for candidate in found)
            after = page[-1].id
    return 0


def _files_of(stream_id: int, node_id: int, after_id: int) -> list[_Candidate]:
    """A page of the files of a stream."""
    query = _candidates(node_id).where(
        Segment.stream_id == stream_id, Segment.state != SegmentState.EXPIRING, Segment.id > after_id
    )
    found = [_Candidate(*row) for row in db.session.execute(query.order_by(Segment.id).limit(_BATCH))]
    db.session.commit()
    return found


def keep_reserve(node_id: int, *, usage: Callable[[Path], Usage] = disk.usage) -> bool:
    """Set the reserve aside (again) once there is ample room; True when it was made now."""
    media_dir = config.current().media_dir
    if paths.reserve_path(media_dir).exists():
        return False
    room = usage(media_dir)
    size = min(disk.RESERVE_BYTES, room.total_bytes // 50)
    if room.free_bytes < floor_bytes(node_id, room) + 2 * size:
        return False
    return disk.make_reserve(media_dir, size_bytes=size)


def _delete(node_id: int, short_bytes: int, *, least_files: int, at_ms: int) -> Deletion:
    files, size, newest_ms = 0, 0, 0
    for state in (SegmentState.RING, SegmentState.KEPT):
        after: tuple[int, int] = (0, 0)
        while size < short_bytes or files < least_files:
            page = _oldest(node_id, state, after)
            if not page:
                break
            after = page[-1].ended_ms, page[-1].id
            chosen = _enough(_unlocked(page), short_bytes - size, least_files - files)
            gone = _expire_early(chosen, is_footage=state == SegmentState.KEPT)
            files += gone
            size += sum(candidate.size_bytes for candidate in chosen)
            if state == SegmentState.KEPT and chosen:
                newest_ms = max(newest_ms, chosen[-1].ended_ms)
    is_stuck = size < short_bytes or files < least_files
    if newest_ms:
        _tell_deletion(newest_ms, at_ms)
    if is_stuck:
        _tell_stuck(at_ms)
    return Deletion(files, size, is_stuck)


def _candidates(node_id: int) -> Any:
    return (
        select(
            Segment.id,
            Stream.camera_id,
            Stream.kind,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.size_bytes,
        )
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .join(Camera, Camera.id == Stream.camera_id)
        .where(Run.node_id == node_id, Segment.is_locked.is_(False))
    )


def _oldest(node_id: int, state: SegmentState, after: tuple[int, int]) -> list[_Candidate]:
    query = (
        _candidates(node_id)
        .where(Segment.state == state, tuple_(Segment.ended_ms, Segment.id) > after)
        .order_by(Segment.ended_ms, Segment.id)
        .limit(_BATCH)
    )
    found = [_Candidate(*row) for row in db.session.execute(query)]
    db.session.commit()
    return found


def _unlocked(page: list[_Candidate]) -> list[_Candidate]:
    """Without the files of locked recordings (DECISIONS 21)."""
    if not page:
        return []
    query = select(Recording.camera_id, Recording.started_ms, Recording.ended_ms).where(
        Recording.locked_by.is_not(None),
        Recording.camera_id.in_({candidate.camera_id for candidate in page}),
        Recording.started_ms < max(candidate.ended_ms for candidate in page),
        or_(
            Recording.ended_ms.is_(None),
            Recording.ended_ms > min(candidate.started_ms for candidate in page),
        ),
    )
    locked: dict[int, list[Interval]] = {}
    for camera_id, started, ended in db.session.execute(query):
        locked.setdefault(camera_id, []).append((started, 2**53 if ended is None else ended))
    return [
        candidate
        for candidate in page
        if not overlaps(locked.get(candidate.camera_id, []), candidate.started_ms, candidate.ended_ms)
    ]


def _enough(page: list[_Candidate], short_bytes: int, least_files: int) -> list[_Candidate]:
    chosen: list[_Candidate] = []
    size = 0
    for candidate in page:
        if size >= short_bytes and len(chosen) >= least_files:
            break
        chosen.append(candidate)
        size += candidate.size_bytes
    return chosen


def _expire_early(chosen: list[_Candidate], *, is_footage: bool) -> int:
    if not chosen:
        return 0
    begin_writing()
    lock_cameras(candidate.camera_id for candidate in chosen)
    chosen = _unlocked(chosen)  # asked again: somebody may have locked it meanwhile
    _mark(chosen, RemovalReason.EARLY)
    if is_footage:
        for camera_id in sorted({candidate.camera_id for candidate in chosen}):
            spans = [
                (candidate.started_ms, candidate.ended_ms)
                for candidate in chosen
                if candidate.camera_id == camera_id and candidate.kind == StreamKind.MAIN
            ]
            gaps.add(camera_id, spans, cause="deleted_rule")
    db.session.commit()
    return expiry.remove_expiring(candidate.id for candidate in chosen)


def _mark(chosen: list[_Candidate], reason: RemovalReason) -> None:
    db.session.execute(
        update(Segment)
        .where(Segment.id.in_([candidate.id for candidate in chosen]), Segment.is_locked.is_(False))
        .values(**chain.expiring(reason))
        .execution_options(synchronize_session=False)
    )


def _tell_deletion(newest_ms: int, at_ms: int) -> None:
    moment = from_ms(newest_ms).astimezone(settings.zone())
    days = (at_ms - newest_ms) / 86_400_000
    _tell_once(
        "deleted_early",
        "warn",
        f"The disk is at its limit: footage up to {moment:%d %b %H:%M} was deleted to make room. "
        f"The disk holds {days:.1f} days.",
        at_ms,
    )


def _tell_stuck(at_ms: int) -> None:
    _tell_once(
        "storage",
        "bad",
        "The disk is nearly full, and nothing on it may be deleted: the rest is locked or not footage.",
        at_ms,
    )


def _tell_once(kind: str, severity: str, sentence: str, at_ms: int) -> None:
    """One event an episode: deleting goes on every minute once a disk is full."""
    begin_writing()
    query = select(Event.id).where(
        Event.kind == kind, Event.severity == severity, Event.at_ms > at_ms - _EPISODE_MS
    )
    if db.session.scalar(query.limit(1)) is None:
        db.session.add(Event(at_ms=at_ms, kind=kind, severity=severity, text=sentence))
    db.session.commit()
