"""What goes when room is needed: ring files first, then what the bucket holds, then the oldest footage.

Each deletion leaves a gap with its cause. Locked footage is never touched, whatever the disk says, and the
newest hours of a camera only as fast as newer ones are recorded (pace.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, RemovalReason, SegmentState, Stream
from cctv.services.lifetime import early, eviction, expiry, kept, pace, retention_rules
from cctv.services.lifetime.eviction import Candidate
from cctv.services.lifetime.pace import Amount, Pace
from cctv.services.recording import holds
from cctv.services.site import settings
from cctv.storage import disk, paths
from cctv.storage.disk import Usage

INGEST_RESERVE_S = 2 * 3_600  # so much recording must still fit
INGEST_WINDOW_MS = pace.WINDOW_MS  # the rate is measured over the last ten minutes
LARGEST_FLOOR_SHARE = 0.5  # on a disk that is too small for it half is left for footage
LEAST_FREE_INODES = 256
NEARLY_FULL_BYTES = 32 * 1024**2  # below it not even the database may be able to write: the reserve goes

_AT_ONCE = 4_000  # files that are chosen before the first of them goes

_log = logging.getLogger(__name__)


class Deletion(NamedTuple):
    """What `enforce_floor` did. `is_stuck`: room is still short and nothing more may be deleted."""

    files: int
    size_bytes: int
    is_stuck: bool


@dataclass(slots=True)
class _Shortage:
    """What is still missing: bytes, or files where the disk counts them."""

    size_bytes: int
    files: int
    took_bytes: int = 0
    took_files: int = 0

    @property
    def is_over(self) -> bool:
        return self.took_bytes >= self.size_bytes and self.took_files >= self.files

    @property
    def left_bytes(self) -> int:
        return self.size_bytes - self.took_bytes

    def choose(self, page: list[Candidate]) -> list[Candidate]:
        """As many from the front of the page as are needed."""
        chosen: list[Candidate] = []
        size = 0
        for candidate in page:
            if self.took_bytes + size >= self.size_bytes and self.took_files + len(chosen) >= self.files:
                break
            chosen.append(candidate)
            size += candidate.size_bytes
        return chosen

    def took(self, chosen: list[Candidate], files: int) -> None:
        self.took_bytes += sum(candidate.size_bytes for candidate in chosen)
        self.took_files += files


def housekeep(node_id: int) -> None:
    """What a node does every few seconds with its own disk: make room, and remove what is due."""
    enforce_floor(node_id)
    expiry.expire_ring(node_id)
    expiry.finish_expiring(node_id)
    retention_rules.expire_when_due(node_id)
    remove_deleted_cameras(node_id)
    keep_reserve(node_id)


def enforce_floor(
    node_id: int, *, usage: Callable[[Path], Usage] = disk.usage, at_ms: int | None = None
) -> Deletion:
    """Delete as much as brings the free space back to the floor.

    `usage` is the measure of the disk, for tests. OSError when the disk cannot be asked.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    media_dir = config.current().media_dir
    room = usage(media_dir)
    if room.free_bytes < NEARLY_FULL_BYTES and disk.drop_reserve(media_dir):
        _log.warning("the disk is full: its reserve was freed")
        room = usage(media_dir)
    floor = floor_bytes(node_id, room, at_ms=at_ms)
    limits = pace.of(node_id, at_ms=at_ms)
    limits.follow_floor(at_ms, floor)
    short_bytes = floor - room.free_bytes
    has_no_inodes = 0 <= room.free_inodes < LEAST_FREE_INODES
    if short_bytes <= 0 and not has_no_inodes:
        return Deletion(0, 0, False)
    shortage = _Shortage(short_bytes, LEAST_FREE_INODES if has_no_inodes else 0)
    _make_room(node_id, shortage, limits, at_ms=at_ms)
    # A little of the floor is always being written; it is short when a quarter of it is gone.
    is_stuck = not shortage.is_over and (has_no_inodes or shortage.left_bytes > floor // 4)
    if is_stuck:
        early.tell_stuck(at_ms=at_ms)
    elif limits.eaten_bytes(at_ms) > floor // 4:
        early.tell_eaten(limits.eaten_bytes(at_ms), at_ms=at_ms)
    return Deletion(shortage.took_files, shortage.took_bytes, is_stuck)


def floor_bytes(node_id: int, room: Usage, *, at_ms: int | None = None) -> int:
    """The free space that is kept: what the setting leaves of the disk, or two hours of recording if more."""
    share = (100 - int(settings.get("disk_limit_percent"))) / 100
    by_rate = int(ingest_bytes_per_second(node_id, at_ms=at_ms) * INGEST_RESERVE_S)
    by_setting = int(room.total_bytes * share)
    return max(by_setting, min(by_rate, int(room.total_bytes * LARGEST_FLOOR_SHARE)))


def ingest_bytes_per_second(node_id: int, *, at_ms: int | None = None) -> float:
    """How fast the captures of the node fill its disk: the files closed in the last ten minutes."""
    at_ms = now_ms() if at_ms is None else at_ms
    states = (SegmentState.KEPT, SegmentState.RING)
    written = pace.recorded(node_id, at_ms - INGEST_WINDOW_MS, at_ms, states=states)
    return written.size_bytes / (INGEST_WINDOW_MS / 1000)


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
        while page := eviction.files_of(stream_id, node_id, after):
            if found := holds.unheld(page):
                return eviction.remove(found, RemovalReason.CAMERA)
            after = page[-1].id
    return 0


def _make_room(node_id: int, shortage: _Shortage, limits: Pace, *, at_ms: int) -> None:
    for find in (
        lambda after: eviction.oldest(node_id, SegmentState.RING, after),
        lambda after: eviction.oldest_copied(node_id, after),
    ):
        for page in _pages(find, shortage):
            chosen = shortage.choose(holds.unheld(page))
            shortage.took(chosen, eviction.remove(chosen, RemovalReason.EXPIRED))
    if not shortage.is_over:
        _delete_oldest(node_id, shortage, limits, at_ms=at_ms)


def _delete_oldest(node_id: int, shortage: _Shortage, limits: Pace, *, at_ms: int) -> None:
    """Footage that is nowhere else: whatever is older than the newest hours, and of these at its pace."""
    young_from = _young_from()
    newest_ms = 0
    while not shortage.is_over:
        credit = limits.credit(at_ms) if young_from else Amount(0, 0)
        chosen = _choose_oldest(node_id, replace(shortage), young_from, credit)
        if not chosen:
            break
        young = _amount(one for one in chosen if _is_young(one, young_from))
        limits.take(at_ms, _amount(chosen).size_bytes, young)
        newest_ms = max(newest_ms, chosen[-1].ended_ms)
        for cause, group in early.divide(chosen, at_ms=at_ms).items():
            reason = RemovalReason.EARLY if cause == early.EARLY else RemovalReason.EXPIRED
            shortage.took(group, eviction.remove(group, reason, cause=cause))
    if newest_ms:
        early.tell_deletions(node_id, newest_ms, at_ms=at_ms)


def _choose_oldest(
    node_id: int, shortage: _Shortage, young_from: dict[int, int], credit: Amount
) -> list[Candidate]:
    """What goes next. Chosen before anything is removed, so that it can be removed camera by camera: the gaps
    of a camera are then written once, and not for every page again."""
    all_young_from = max(young_from.values(), default=0)
    found: list[Candidate] = []
    for page in _pages(lambda after: eviction.oldest(node_id, SegmentState.KEPT, after), shortage):
        chosen = shortage.choose(_affordable(holds.unheld(page), young_from, credit))
        if not chosen and young_from and page[0].ended_ms > all_young_from:
            break
        shortage.took(chosen, len(chosen))
        found += chosen
        spent = _amount(one for one in chosen if _is_young(one, young_from))
        credit = Amount(credit.size_bytes - spent.size_bytes, credit.files - spent.files)
        if len(found) >= _AT_ONCE:
            break
    return found


def _young_from() -> dict[int, int]:
    """Camera id -> from when its footage is spared; by its newest footage, not by the clock: what nobody
    records any more does not grow old. Empty when nothing is spared."""
    spared_ms = int(settings.get("spared_hours")) * pace.HOUR_MS
    found = {camera_id: end - spared_ms for camera_id, end in kept.newest_ends().items()} if spared_ms else {}
    db.session.commit()
    return found


def _is_young(candidate: Candidate, young_from: dict[int, int]) -> bool:
    return bool(young_from) and candidate.ended_ms > young_from.get(candidate.camera_id, 0)


def _affordable(page: list[Candidate], young_from: dict[int, int], credit: Amount) -> list[Candidate]:
    """What of the page may go: of the young files no more than the credit."""
    may_go: list[Candidate] = []
    size, files = 0, 0
    for candidate in page:
        if _is_young(candidate, young_from):
            if size + candidate.size_bytes > credit.size_bytes or files >= credit.files:
                continue
            size, files = size + candidate.size_bytes, files + 1
        may_go.append(candidate)
    return may_go


def _amount(candidates: Iterable[Candidate]) -> Amount:
    sizes = [candidate.size_bytes for candidate in candidates]
    return Amount(sum(sizes), len(sizes))


def _pages(
    find: Callable[[tuple[int, int]], list[Candidate]], shortage: _Shortage
) -> Iterator[list[Candidate]]:
    """Page after page, the oldest first, until there is room."""
    after = (0, 0)
    while not shortage.is_over and (page := find(after)):
        after = page[-1].ended_ms, page[-1].id
        yield page
