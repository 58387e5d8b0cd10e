"""Where the bytes of a stored file are: on this machine's disk, or only in the bucket; one way to read both.

Whoever asks has authorised before; what is given out of the bucket lives five minutes at most.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from sqlalchemy import select

from cctv import config
from cctv.errors import NotFound, Unavailable
from cctv.extensions import db
from cctv.models import Run, Segment, SegmentState, Transfer, TransferState
from cctv.services.bucket import cloud
from cctv.storage import paths, sending
from cctv.storage.bucket import LONGEST_ADDRESS_S, Bucket
from cctv.storage.bucket_faults import BucketFault

_FETCH_BYTES = 4 << 20
_HEAD_BYTES = 64 * 1024  # an init has a few
_GONE = "This footage is not there (any more)."


class StoredFile(Protocol):
    """What names a file; FoundSegment and KeyFrame do."""

    @property
    def camera_id(self) -> int: ...
    @property
    def run_key(self) -> str: ...
    @property
    def number(self) -> int: ...


@dataclass(frozen=True, slots=True)
class CloudCopy:
    """A verified copy, read in place of a file that is no more on this machine."""

    bucket: str
    object_name: str
    size_bytes: int
    crc32c: str

    def signed_address(self, *, seconds: int = LONGEST_ADDRESS_S) -> str | None:
        """An address that may be given to who asked, for at most five minutes; None when our key cannot sign.

        Raises:
            Unavailable: the bucket is not set up, or its key cannot be read.
        """
        with _reading(self.bucket) as bucket:
            return bucket.signed_address(self.object_name, seconds=seconds)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the copy, fewer at its end.

        Raises:
            Unavailable: the bucket cannot be read now; the sentence says why.
        """
        end = min(offset + size, self.size_bytes)
        with _reading(self.bucket) as bucket:
            return bucket.read(self.object_name, offset, end)

    def blocks(self, offset: int, size: int) -> Iterator[bytes]:
        """The same in blocks of a few megabytes."""
        end = min(offset + size, self.size_bytes)
        for at in range(offset, end, _FETCH_BYTES):
            yield self.read(at, min(_FETCH_BYTES, end - at))


def open_source(camera_id: int, run_key: str, number: int) -> Path | CloudCopy:
    """Where a stored file is read: its path while it is on this machine, else the copy in the bucket.

    Raises:
        NotFound: it is in neither place.
    """
    try:
        path = paths.segment_path(config.current().media_dir, camera_id, run_key, number)
    except ValueError:
        raise NotFound(_GONE) from None
    if path.exists():
        return path
    found = find_copy(camera_id, run_key, number)
    if found is None:
        raise NotFound(_GONE)
    return found


def find_copy(camera_id: int, run_key: str, number: int) -> CloudCopy | None:
    """The verified copy of a file, if there is one."""
    query = (
        select(Transfer.bucket, Transfer.object_name, Transfer.size_bytes, Transfer.crc32c)
        .join(Segment, Segment.id == Transfer.segment_id)
        .join(Run, Run.id == Segment.run_id)
        .where(
            Run.key == run_key,
            Segment.number == number,
            Segment.state != SegmentState.EXPIRING,
            Transfer.camera_id == camera_id,
            Transfer.state == TransferState.VERIFIED,
        )
    )
    row = db.session.execute(query).first()
    return CloudCopy(*row) if row else None


def open_part(camera_id: int, run_key: str, number: int, offset: int, size: int) -> int:
    """A descriptor that reads like the file: all of it, or of a copy its head and `size` bytes from `offset`.

    The caller closes it.

    Raises:
        NotFound: the file is in neither place.
        Unavailable: it is only in the bucket, which cannot be read now.
    """
    source = open_source(camera_id, run_key, number)
    if isinstance(source, Path):
        try:
            return paths.open_segment(config.current().media_dir, camera_id, run_key, number)
        except OSError:
            raise NotFound(_GONE) from None
    head, part = _head(source), source.read(offset, size)
    # A file in memory with holes: whoever scans it finds the boxes where they belong.
    descriptor = os.memfd_create("footage", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, source.size_bytes)
        os.pwrite(descriptor, head, 0)
        os.pwrite(descriptor, part, offset)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def fetch(camera_id: int, run_key: str, number: int, target: Path) -> Path:
    """The whole file on this machine: its own path, or `target`, into which the copy is brought and checked.

    Raises:
        NotFound: it is in neither place.
        Unavailable: the bucket cannot be read now, or the copy is not what it was.
    """
    source = open_source(camera_id, run_key, number)
    if isinstance(source, Path):
        return source
    with target.open("wb+") as file:
        for block in source.blocks(0, source.size_bytes):
            file.write(block)
        file.flush()
        try:
            is_right = sending.fingerprint(file.fileno(), source.size_bytes) == source.crc32c
        except sending.FileChanged:
            is_right = False
    if not is_right:
        target.unlink(missing_ok=True)
        raise Unavailable("The copy of this footage in the cloud is damaged.")
    return target


def forget_heads() -> None:
    """For tests: what was read of copies so far."""
    _head.cache_clear()


@lru_cache(maxsize=64)
def _head(source: CloudCopy) -> bytes:
    """The first bytes of a copy: they never change, and every picture of it needs them."""
    return source.read(0, _HEAD_BYTES)


@contextmanager
def _reading(name: str) -> Iterator[Bucket]:
    bucket = cloud.open_bucket(name)
    db.session.commit()  # no connection to the database waits for the line to Google
    try:
        yield bucket
    except BucketFault as fault:
        raise Unavailable(
            f"This footage is only in the cloud, which cannot be read now. {fault.sentence}"
        ) from None
