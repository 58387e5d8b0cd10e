"""Small streams - the camera's own and those made by us - are only ever watched: the ring is all they have.

Finds and removes what is left of them; a file of a main stream is never touched from here.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from cctv.extensions import begin_writing, db
from cctv.models import Run, Segment, SegmentState, Stream, StreamKind
from cctv.storage import disk, paths
from cctv.storage.runfile import RunFile

_KINDS = frozenset(StreamKind) - {StreamKind.MAIN}
_log = logging.getLogger(__name__)


def give_back(node_id: int) -> int:
    """Put files of small streams that were kept into the ring again, which lets them go; how many."""
    begin_writing()
    small = select(Stream.id).where(Stream.kind != StreamKind.MAIN)
    result: Any = db.session.execute(
        update(Segment)
        .where(
            Segment.stream_id.in_(small),
            Segment.state == SegmentState.KEPT,
            Segment.run_id.in_(select(Run.id).where(Run.node_id == node_id)),
        )
        .values(state=SegmentState.RING)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    return int(result.rowcount)


def is_abandoned(run: RunFile) -> bool:
    """Whether the run is that of a small stream which no camera has any more."""
    if run.kind not in _KINDS:
        return False
    is_known = db.session.scalar(select(Stream.id).where(Stream.id == run.stream_id)) is not None
    db.session.commit()
    return not is_known


def remove(media_dir: Path, run: RunFile) -> int:
    """Remove the files and the folder of an abandoned run that nobody writes; how many files."""
    count = 0
    for number in paths.list_segments(media_dir, run.camera_id, run.run):
        try:
            count += disk.unlink(paths.segment_path(media_dir, run.camera_id, run.run, number))
        except OSError as error:
            _log.warning("file %d of run %s stays for now: %s", number, run.run, error.strerror)
    disk.remove_run(media_dir, run.camera_id, run.run)
    return count
