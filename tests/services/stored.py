"""Stored files of any size for tests of copies: rows with bytes on the disk, which are no video."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cctv import config
from cctv.extensions import db
from cctv.models import Camera, Node, Segment, Transfer
from cctv.services.bucket import transfer_rows, transfers
from cctv.services.footage import segments
from cctv.services.site import nodes
from cctv.storage import paths
from cctv.storage.measure import ClosedFile
from tests.services.footage import MINUTE, T0, closed, make_camera, run_of


def this_node() -> Node:
    """The node that the tests' process works for."""
    node = nodes.this_node()
    db.session.commit()
    return node


def store(camera: Camera, sizes: list[int], *, ordinal: int = 1, start_ms: int = T0) -> list[Segment]:
    """A file a minute of these sizes, kept, with random bytes."""
    run = run_of(camera, node=this_node(), ordinal=ordinal, epoch_ms=start_ms)
    files = []
    for number, size in enumerate(sizes):
        made = closed(run, number, start_ms + number * MINUTE, start_ms + (number + 1) * MINUTE)
        files.append(ClosedFile(run, replace(made.segment, size_bytes=size)))
        path = paths.segment_path(config.current().media_dir, camera.id, run.run, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    segments.index(files)
    rows = db.session.query(Segment).filter(Segment.run.has(key=run.run)).order_by(Segment.number).all()
    db.session.commit()
    return rows


def path_of(segment: Segment) -> Path:
    """Where its file is."""
    camera_id = segment_camera(segment)
    return paths.segment_path(config.current().media_dir, camera_id, segment.run.key, segment.number)


def segment_camera(segment: Segment) -> int:
    """Whose footage it is."""
    from cctv.models import Stream

    stream = db.session.get_one(Stream, segment.stream_id)
    return int(stream.camera_id)


def ask(found: list[Segment], *, priority: int = transfer_rows.ASKED) -> list[Transfer]:
    """Ask for copies of files; their transfers."""
    from cctv.extensions import begin_writing

    ids = [segment.id for segment in found]
    begin_writing()
    made = transfer_rows.add(ids, priority=priority)
    db.session.commit()
    return [db.session.get_one(Transfer, one) for one in made]


def footage_of(sizes: list[int]) -> list[Segment]:
    """Files of a new camera that records all the time."""
    return store(make_camera(since_ms=0), sizes)


def work(seconds: float = 20) -> int:
    """What the job does on this node."""
    return transfers.work_on(this_node().id, seconds=seconds)


def again(transfer: Transfer) -> Transfer:
    """The row as it is now."""
    db.session.expire_all()
    return db.session.get_one(Transfer, transfer.id)
