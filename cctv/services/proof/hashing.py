"""Hashes kept files and gives them their link in the chain, a little at a time, so that changes can be told.

Runs at the end of the queue; it must never delay a capture or hold a transaction while it reads.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import and_, select

from cctv import config
from cctv.extensions import db
from cctv.models import Run, Segment, Stream
from cctv.services.footage.finding import NOT_KEPT
from cctv.services.proof import chain, chain_tips
from cctv.storage import paths

_CHUNK_BYTES = 1 << 20
_BATCH = 200  # links a transaction
_PAGE = 1000
_HASHED_BEFORE = and_(Segment.chain_number.is_(None), Segment.sha256.is_not(None))


def hash_some(node_id: int, *, seconds: float) -> int:
    """Hash and chain kept files of this node that are not yet, for about `seconds`; how many files.

    The newest first: their bytes are still in memory. A file that is gone or short is left to reconcile.
    """
    deadline = time.monotonic() + seconds
    count = 0
    for which in (Segment.sha256.is_(None), _HASHED_BEFORE):
        newest = 2**62
        while rows := _rows(which, Run.node_id == node_id, Segment.id < newest):
            count += _hash(rows, deadline)
            newest = rows[-1].id
            if time.monotonic() >= deadline:
                return count
    return count


def hash_these(segment_ids: Iterable[int]) -> None:
    """Hash and chain those of these files that are not yet, now: for footage that is about to leave."""
    ids = list(segment_ids)
    for at in range(0, len(ids), _BATCH):
        _hash(_rows(Segment.id.in_(ids[at : at + _BATCH]), Segment.chain_number.is_(None)), None)


def _rows(*which: Any) -> list[Any]:
    query = (
        select(Segment.id, Stream.camera_id, Run.key, Segment.number, Segment.size_bytes, Segment.sha256)
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(*which, Segment.state.not_in(NOT_KEPT))
        .order_by(Segment.id.desc())
        .limit(_PAGE)
    )
    rows = list(db.session.execute(query))
    db.session.commit()
    return rows


def _hash(rows: list[Any], deadline: float | None) -> int:
    found: dict[int, dict[int, tuple[str, int]]] = {}
    for segment_id, camera_id, run_key, number, size, known in rows:
        if deadline is not None and time.monotonic() >= deadline:
            break
        # What an older version hashed keeps that hash: whether the file still has it, the scrub tells.
        digest = known or file_sha256(camera_id, run_key, number, size_bytes=size)
        if digest is not None:
            found.setdefault(camera_id, {})[segment_id] = digest, size
    return sum(_append(camera_id, digests) for camera_id, digests in found.items())


def _append(camera_id: int, digests: dict[int, tuple[str, int]]) -> int:
    ids = sorted(digests)
    count = 0
    for at in range(0, len(ids), _BATCH):
        done = chain.append(camera_id, {one: digests[one] for one in ids[at : at + _BATCH]})
        chain_tips.keep(camera_id, done.before, done.after)
        count += done.links
    return count


def file_sha256(camera_id: int, run_key: str, number: int, *, size_bytes: int) -> str | None:
    """SHA-256 of the first `size_bytes` of a file, in hex; None when they are not all there."""
    try:
        descriptor = paths.open_segment(config.current().media_dir, camera_id, run_key, number)
    except OSError:
        return None
    try:
        return sha256_of(descriptor, size_bytes=size_bytes)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def sha256_of(
    descriptor: int, *, size_bytes: int, after_each: Callable[[int], None] | None = None
) -> str | None:
    """SHA-256 of the first bytes of an open file, in hex; None when there are fewer. May raise OSError.

    `after_each` is told how many bytes were just read, so that it can slow the reading down.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    offset = 0
    while offset < size_bytes:
        count = os.preadv(descriptor, [buffer[: min(_CHUNK_BYTES, size_bytes - offset)]], offset)
        if not count:
            return None
        digest.update(buffer[:count])
        offset += count
        if after_each is not None:
            after_each(count)
    return digest.hexdigest()
