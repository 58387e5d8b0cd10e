"""Fills in the hash of kept files, a little at a time, so that later damage can be told.

Runs at the end of the queue; it must never delay a capture or hold a transaction while it reads.
"""

from __future__ import annotations

import hashlib
import os
import time

from sqlalchemy import select, update

from cctv import config
from cctv.extensions import begin_writing, db
from cctv.models import Run, Segment, Stream
from cctv.services.finding import NOT_KEPT
from cctv.storage import paths

_CHUNK_BYTES = 1 << 20


def hash_some(node_id: int, *, seconds: float) -> int:
    """Hash kept files of this node that have none yet, for about `seconds`; how many files.

    The newest first: their bytes are still in memory. A file that is gone or short is left to reconcile.
    """
    rows = db.session.execute(
        select(Segment.id, Stream.camera_id, Run.key, Segment.number, Segment.size_bytes)
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Segment.sha256.is_(None), Segment.state.not_in(NOT_KEPT), Run.node_id == node_id)
        .order_by(Segment.id.desc())
        .limit(1000)
    ).all()
    db.session.commit()
    digests: dict[int, tuple[str, int]] = {}
    deadline = time.monotonic() + seconds
    for segment_id, camera_id, run_key, number, size in rows:
        if time.monotonic() >= deadline:
            break
        digest = file_sha256(camera_id, run_key, number, size_bytes=size)
        if digest is not None:
            digests[segment_id] = digest, size
    if digests:
        begin_writing()
        for segment_id, (digest, size) in digests.items():
            same = (Segment.id == segment_id, Segment.size_bytes == size)
            db.session.execute(
                update(Segment)
                .where(*same)
                .values(sha256=digest)
                .execution_options(synchronize_session=False)
            )
        db.session.commit()
    return len(digests)


def file_sha256(camera_id: int, run_key: str, number: int, *, size_bytes: int) -> str | None:
    """SHA-256 of the first `size_bytes` of a file, in hex; None when they are not all there."""
    digest = hashlib.sha256()
    try:
        descriptor = paths.open_segment(config.current().media_dir, camera_id, run_key, number)
    except OSError:
        return None
    try:
        offset = 0
        while offset < size_bytes:
            chunk = os.pread(descriptor, min(_CHUNK_BYTES, size_bytes - offset), offset)
            if not chunk:
                return None
            digest.update(chunk)
            offset += len(chunk)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return digest.hexdigest()
