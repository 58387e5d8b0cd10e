"""Rows whose file is gone or shorter than it was: reported as gaps, never served as good.

Unless very much is missing at once: then a disk is away, and the index is all that is left of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete, func, select

from cctv import config
from cctv.clock import from_ms, now_ms
from cctv.extensions import begin_writing, db
from cctv.intervals import total_ms
from cctv.models import Camera, Event, RemovalReason, Run, Segment, SegmentState, Stream, StreamKind
from cctv.services.bucket import transfer_rows
from cctv.services.footage import gaps, segments
from cctv.services.proof import chain
from cctv.services.recording.wanted import lock_cameras
from cctv.storage import paths
from cctv.storage.measure import ClosedFile, measure
from cctv.storage.runfile import RunFile

BREAKER_SHARE = 0.2  # more than this of the node's files missing at once is a disk that is away, not a loss
BREAKER_LEAST = 10  # but a few files may always be missing


class Lost(NamedTuple):
    """A row whose file is missing, or smaller than it says; `rest` is what is still there."""

    segment_id: int
    camera_id: int
    kind: str
    started_ms: int
    ended_ms: int
    where: str
    rest: ClosedFile | None


class Pruned(NamedTuple):
    """What was written off; or, when the breaker held, only how many are missing."""

    lost: int
    lost_ms: int
    missing: int


def of_file(segment_id: int, camera_id: int, directory: Path, number: int, facts: RunFile | None) -> Lost:
    """The loss of one file, with what is still there of it."""
    row = db.session.execute(
        select(Segment.started_ms, Segment.ended_ms, Stream.kind)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Segment.id == segment_id)
    ).one()
    db.session.commit()
    rest = None
    if facts is not None:
        try:
            measured = measure(directory / paths.segment_name(number), facts, number)
            rest = ClosedFile(facts, replace(measured, is_damaged=True)) if measured else None
        except OSError:
            rest = None
    where = f"{directory.name}/{paths.segment_name(number)}"
    return Lost(segment_id, camera_id, row.kind, row.started_ms, row.ended_ms, where, rest)


def of_vanished_runs(node_id: int, seen: set[str]) -> list[Lost]:
    """The losses of runs of this node whose whole folder is gone: those whose key was not seen, and that are
    not there now either - a run may have begun while the disk was looked through."""
    media_dir = config.current().media_dir
    keys = db.session.scalars(select(Run.key).where(Run.node_id == node_id)).all()
    lost: list[Lost] = []
    for key in set(keys) - seen:
        query = (
            select(
                Segment.id,
                Stream.camera_id,
                Stream.kind,
                Segment.started_ms,
                Segment.ended_ms,
                Segment.number,
            )
            .join(Run, Run.id == Segment.run_id)
            .join(Stream, Stream.id == Segment.stream_id)
            .where(Run.key == key, Segment.state.not_in([SegmentState.EXPIRING, SegmentState.CLOUD]))
        )
        rows = db.session.execute(query).all()
        if rows and paths.run_dir(media_dir, rows[0].camera_id, key).is_dir():
            continue
        for segment_id, camera_id, kind, started, ended, number in rows:
            where = f"{key}/{paths.segment_name(number)}"
            lost.append(Lost(segment_id, camera_id, kind, started, ended, where, None))
    db.session.commit()
    return lost


def prune(node_id: int, lost: list[Lost]) -> Pruned:
    """Take the rows of lost files out and write their gaps - unless so many are missing that the disk is."""
    if not lost:
        return Pruned(0, 0, 0)
    query = (
        select(func.count(Segment.id))
        .join(Run, Run.id == Segment.run_id)
        .where(Run.node_id == node_id, Segment.state != SegmentState.CLOUD)
    )
    total = db.session.scalar(query) or 0
    db.session.commit()
    if len(lost) >= BREAKER_LEAST and len(lost) > BREAKER_SHARE * total:
        return Pruned(0, 0, len(lost))
    lost = _without_copied(lost)
    cameras = {entry.camera_id for entry in lost}
    lost_ms = sum(
        _prune_camera(camera_id, [entry for entry in lost if entry.camera_id == camera_id])
        for camera_id in cameras
    )
    return Pruned(len(lost), lost_ms, 0)


def _without_copied(lost: list[Lost]) -> list[Lost]:
    """Those of which the bucket has no verified copy; the others are read from there from now on."""
    ids = [entry.segment_id for entry in lost]
    begin_writing()
    copied = transfer_rows.read_from_copies(ids)
    if copied:
        text = (
            f"{len(copied)} stored files are gone or damaged; they are read from their copies in the cloud."
        )
        db.session.add(Event(at_ms=now_ms(), kind="storage", severity="warn", text=text))
    db.session.commit()
    return [entry for entry in lost if entry.segment_id not in copied]


def _prune_camera(camera_id: int, lost: list[Lost]) -> int:
    """Milliseconds of footage that are gone."""
    begin_writing()
    lock_cameras([camera_id])
    chain.record_removals([entry.segment_id for entry in lost], reason=RemovalReason.LOST)
    transfer_rows.let_go([entry.segment_id for entry in lost])
    db.session.execute(
        delete(Segment)
        .where(Segment.id.in_([entry.segment_id for entry in lost]))
        .execution_options(synchronize_session=False)
    )
    spans = [(entry.started_ms, entry.ended_ms) for entry in lost if entry.kind == StreamKind.MAIN]
    gaps.add(camera_id, spans, cause="lost_file")
    _tell(camera_id, lost)
    db.session.commit()
    rest = [entry.rest for entry in lost if entry.rest is not None]
    segments.index(rest, keep_unwanted=True)
    return total_ms(spans) - total_ms((one.segment.started_ms, one.segment.ended_ms) for one in rest)


def _tell(camera_id: int, lost: list[Lost]) -> None:
    first = min(lost, key=lambda entry: entry.started_ms)
    name = db.session.scalar(select(Camera.name).where(Camera.id == camera_id)) or "A camera"
    db.session.add(
        Event(
            at_ms=now_ms(),
            kind="storage",
            severity="bad",
            camera_id=camera_id,
            text=f"{name}: {len(lost)} stored files are gone or damaged, the first of "
            f"{from_ms(first.started_ms):%Y-%m-%d %H:%M:%S} UTC ({first.where}).",
        )
    )
