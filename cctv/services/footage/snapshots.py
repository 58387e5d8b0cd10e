"""Pictures from footage: the newest one of a camera, and the one at a moment.

Key frames only, decoded by a confined child; never a second connection to a camera, nothing is stored.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Lock

from sqlalchemy import select
from sqlalchemy.orm import undefer

from cctv import config
from cctv.clock import now_ms
from cctv.errors import NotFound, Unavailable
from cctv.extensions import db
from cctv.live.recent import Entry
from cctv.live.tail import tails
from cctv.media.boxes import NotMedia, read_init, scan
from cctv.media.clip import still as decode
from cctv.models import Segment, SegmentState, Stream
from cctv.models.segment import unpack_gops
from cctv.services.footage import finding, footage_files, playback

PREVIEW_WIDTH = 192
TILE_WIDTH = 640
_FRESH_SECONDS = 1.0  # a picture is shown to everybody who asks within this
_DECODERS = 2  # at once in this process; the rest wait
_WAIT_SECONDS = 5.0
_RING_MS = 60_000  # a snapshot may be of a moment that nobody records
_BEFORE_MS = 20_000  # how far before the moment a key frame may lie: the longest usual distance of two
# A key frame and its neighbour; what is only in the cloud comes over the line, so little is tried first.
_READ_BYTES = (1 << 20, 8 << 20)


class NoPicture(NotFound):
    """The camera exists, but never sent a picture that is still there."""


_decoders = BoundedSemaphore(_DECODERS)


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG and the true time at which the camera sent it."""

    jpeg: bytes
    taken_ms: int


def newest(camera_id: int, *, width: int | None = None) -> Picture:
    """The newest picture of a camera, at most `width` pixels wide; it may be old when the camera is away.

    Raises:
        NotFound: there is no picture of this camera.
        Unavailable: too many pictures are being made just now.
    """
    return _newest.get(camera_id, width)


def at(camera_id: int, at_ms: int, *, width: int | None = None) -> Picture:
    """The key frame shown at a moment of recorded footage.

    Raises:
        NotFound: nothing was recorded then, or nobody keeps it.
        Unavailable: too many pictures are being made just now, or it is only in the cloud, which is away.
    """
    if at_ms < now_ms() - _RING_MS:
        key = playback.key_frame_at(camera_id, at_ms)
        found = (key.run_key, key.number, key.offset, key.at_ms)
    else:
        found = _just_now(camera_id, at_ms)
    db.session.remove()
    run_key, number, offset, taken_ms = found
    return Picture(_decode(_key_frame(camera_id, run_key, number, offset), width), taken_ms)


def _just_now(camera_id: int, at_ms: int) -> tuple[str, int, int, int]:
    """(run key, file number, offset, true time) of the key frame at a moment of the ring, recorded or not."""
    found = finding.find_segments(camera_id, at_ms - _BEFORE_MS, at_ms + 1, ring=True)
    segment = next((one for one in reversed(found) if one.from_ms <= at_ms), None)
    if segment is None:
        raise NotFound("There is no footage of this moment.")
    offset, ticks = _key_before(segment.list_gops(), segment.ticks_at(at_ms) - segment.start_ticks)
    return segment.run_key, segment.number, offset, segment.ms_at(segment.start_ticks + ticks)


_Key = tuple[Path, int, int | None]


class _Newest:
    """Newest pictures of the last second: a wall of stills asks for each camera once a viewer."""

    def __init__(self) -> None:
        self._pictures: dict[_Key, tuple[float, Picture]] = {}
        self._locks: dict[_Key, Lock] = {}
        self._lock = Lock()

    def get(self, camera_id: int, width: int | None) -> Picture:
        key = (config.current().data_dir, camera_id, width)
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:  # who comes while it is made takes the same one
            until, picture = self._pictures.get(key, (0.0, None))
            if picture is None or time.monotonic() > until:
                picture = _make_newest(camera_id, width, picture)
                self._pictures[key] = (time.monotonic() + _FRESH_SECONDS, picture)
            return picture


_newest = _Newest()


def _make_newest(camera_id: int, width: int | None, before: Picture | None) -> Picture:
    stream_id = db.session.scalar(
        select(Stream.id).where(Stream.camera_id == camera_id, Stream.kind == "main")
    )
    stored = None if stream_id is None else _newest_stored(stream_id)
    db.session.remove()
    if stream_id is None:
        raise NotFound("This camera does not exist (any more).")
    recent = tails.stream(config.current().media_dir, camera_id, stream_id)
    recent.refresh()
    entry = recent.newest_key()
    if entry is not None:
        taken_ms = entry.run.wall_ms(entry.part.fragment.start_ticks)
        if before is not None and before.taken_ms == taken_ms:
            return before
        return Picture(_decode(_from_entry(entry), width), taken_ms)
    if stored is None:
        raise NoPicture("There is no picture of this camera yet.")
    run_key, number, offset, taken_ms = stored
    return Picture(_decode(_key_frame(camera_id, run_key, number, offset), width), taken_ms)


def _from_entry(entry: Entry) -> bytes:
    growing, fragment = entry.run.growing, entry.part.fragment
    try:
        return growing.read_init_bytes() + growing.read_range(
            entry.part.number, fragment.offset, fragment.size
        )
    except (OSError, EOFError):
        raise NoPicture("There is no picture of this camera now.") from None


def _newest_stored(stream_id: int) -> tuple[str, int, int, int] | None:
    """(run key, file number, offset, true time) of the last stored key frame."""
    segment = db.session.scalars(
        select(Segment)
        .where(Segment.stream_id == stream_id, Segment.state != SegmentState.EXPIRING)
        .order_by(Segment.started_ms.desc())
        .limit(1)
        .options(undefer(Segment.gops))
    ).first()
    if segment is None:
        return None
    offset, ticks = _key_before(unpack_gops(segment.gops), segment.duration_ticks)
    return segment.run.key, segment.number, offset, segment.ms_at(segment.start_ticks + ticks)


def _key_before(gops: list[tuple[int, int]], ticks: int) -> tuple[int, int]:
    before = [gop for gop in gops if gop[1] <= ticks]
    if not gops:
        raise NotFound("There is no whole picture at this moment.")
    return before[-1] if before else gops[0]


def _key_frame(camera_id: int, run_key: str, number: int, offset: int) -> bytes:
    """Init, key fragment and the one after it."""
    try:
        for most in _READ_BYTES:
            found = _read_two(camera_id, run_key, number, offset, most)
            if found is not None:
                return found
    except (OSError, ValueError, NotMedia):
        raise NotFound("This footage cannot be read.") from None
    raise NotFound("This footage is damaged.")


def _read_two(camera_id: int, run_key: str, number: int, offset: int, most: int) -> bytes | None:
    """The same from the next `most` bytes; None when no fragment ends in them."""
    descriptor = footage_files.open_part(camera_id, run_key, number, offset, most)
    try:
        init = read_init(descriptor)
        size = os.fstat(descriptor).st_size
        fragments = scan(descriptor, init, offset, end=min(size, offset + most))[:2]
        if not fragments:
            return None
        head = os.pread(descriptor, init.size, 0)
        return head + os.pread(descriptor, fragments[-1].end_offset - offset, offset)
    finally:
        os.close(descriptor)


def _decode(content: bytes, width: int | None) -> bytes:
    if not _decoders.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable("Too many pictures are being made just now. Try again.")
    try:
        jpeg = decode(content, width=width)
    finally:
        _decoders.release()
    if not jpeg:
        raise Unavailable("The picture could not be decoded.")
    return jpeg
