"""The index of stored files: a row once a file is safe on disk, kept when anybody wants it.

Row after file on create; mark, unlink, delete on the way out (expiry.py). Never reads or writes video itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, overlaps
from cctv.models import Node, Run, Segment, SegmentState, Stream, StreamKind
from cctv.models.segment import pack_gops
from cctv.services.footage import gaps, refusals
from cctv.services.footage.finding import LONGEST_FILE_MS, FoundSegment, covered, find_segments
from cctv.services.lifetime.expiry import expire_ring, finish_expiring
from cctv.services.proof import chain
from cctv.services.proof.hashing import hash_some
from cctv.services.recording.wanted import lock_cameras, wanted_by_camera
from cctv.storage.measure import ClosedFile, MeasuredSegment
from cctv.storage.runfile import RunFile

__all__ = [
    "ClosedFile",
    "FoundSegment",
    "covered",
    "expire_ring",
    "find_segments",
    "finish_expiring",
    "hash_some",
    "index",
    "keep",
    "keep_wanted",
]

_log = logging.getLogger(__name__)


def index(files: Iterable[ClosedFile], *, keep_unwanted: bool = False) -> int:
    """Give each file its row, in one transaction; how many are new. Safe to repeat with the same files.

    A file that anybody wants is kept, any other stays in the ring - or is kept as well with `keep_unwanted`,
    for files found without a row. Those of small streams only ever pass through the ring. Gaps that the
    files fill disappear. Files of streams or nodes that do not exist (any more) are left out, and so is,
    told of, a file whose facts the database refuses.
    """
    files = [file for file in files if file.segment.ended_ms > file.segment.started_ms]
    if not files:
        return 0
    try:
        return _enter(files, keep_unwanted=keep_unwanted)
    except refusals.ERRORS as error:
        db.session.rollback()
        if len(files) == 1:
            refusals.tell(files[0], error)
            return 0
    # One of them: each by itself, so that it costs the others nothing but time.
    return sum(index([file], keep_unwanted=keep_unwanted) for file in files)


def _enter(files: list[ClosedFile], *, keep_unwanted: bool) -> int:
    begin_writing()
    streams = _streams(files)
    files = [file for file in files if file.run.stream_id in streams]
    lock_cameras(camera_id for camera_id, _kind in streams.values())
    run_ids = _make_runs({file.run.run: file.run for file in files})
    chain.unlink_grown(run_ids, {(run.run, file.number): file.size_bytes for run, file in files})
    wanted = _wanted(files, streams)
    count = 0
    filled: dict[int, list[Interval]] = {}
    for run, segment in files:
        if run.run not in run_ids:
            continue
        camera_id, kind = streams[run.stream_id]
        is_main = kind == StreamKind.MAIN
        is_wanted = keep_unwanted or overlaps(wanted[camera_id], segment.started_ms, segment.ended_ms)
        state = SegmentState.KEPT if is_main and is_wanted else SegmentState.RING
        if _insert(segment, run.stream_id, run_ids[run.run], state):
            count += 1
            if is_main:
                filled.setdefault(camera_id, []).append((segment.started_ms, segment.ended_ms))
    for camera_id, intervals in filled.items():
        gaps.fill(camera_id, intervals)
    db.session.commit()
    return count


def keep(camera_id: int, start_ms: int, end_ms: int) -> int:
    """Turn ring files of [start_ms, end_ms) into kept ones; how many. Part of the caller's transaction."""
    streams = select(Stream.id).where(Stream.camera_id == camera_id, Stream.kind == StreamKind.MAIN)
    result: Any = db.session.execute(
        update(Segment)
        .where(
            Segment.stream_id.in_(streams),
            Segment.state == SegmentState.RING,
            Segment.started_ms > start_ms - LONGEST_FILE_MS,
            Segment.started_ms < end_ms,
            Segment.ended_ms > start_ms,
        )
        .values(state=SegmentState.KEPT)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)


def keep_wanted(camera_id: int, start_ms: int, end_ms: int) -> int:
    """Keep the ring files that are wanted by now - because something moved -; how many. Part of the caller's
    transaction, which has locked the camera."""
    return sum(keep(camera_id, *span) for span in wanted_by_camera([camera_id], start_ms, end_ms)[camera_id])


def _streams(files: list[ClosedFile]) -> dict[int, tuple[int, str]]:
    """Stream id -> (camera id, kind) of those that exist."""
    ids = {file.run.stream_id for file in files}
    rows = db.session.execute(select(Stream.id, Stream.camera_id, Stream.kind).where(Stream.id.in_(ids)))
    known = {row.id: (row.camera_id, row.kind) for row in rows}
    for stream_id in ids - known.keys():
        _log.warning("files of stream %d are not indexed: there is no such stream", stream_id)
    return known


def _make_runs(runs: dict[str, RunFile]) -> dict[str, int]:
    """Row id by run key; rows that are missing are made, the cause of an end is added."""
    node_keys = {run.node for run in runs.values()}
    nodes = dict(db.session.execute(select(Node.key, Node.id).where(Node.key.in_(node_keys))).tuples().all())
    known = dict(db.session.execute(select(Run.key, Run.id).where(Run.key.in_(runs))).tuples().all())
    fresh = [run for run in runs.values() if run.run not in known or run.ended_cause]
    for run in fresh:
        if run.node not in nodes:
            _log.warning("files of run %s are not indexed: node %s is not known here", run.run, run.node)
            continue
        statement = _insert_into(Run).values(**_facts(run), node_id=nodes[run.node])
        if run.ended_cause:
            statement = statement.on_conflict_do_update(
                index_elements=["key"], set_={"ended_cause": run.ended_cause}
            )
        else:
            statement = statement.on_conflict_do_nothing(index_elements=["key"])
        db.session.execute(statement)
    if not fresh:
        return known
    return dict(db.session.execute(select(Run.key, Run.id).where(Run.key.in_(runs))).tuples().all())


def _facts(run: RunFile) -> dict[str, Any]:
    return {
        "key": run.run,
        "stream_id": run.stream_id,
        "ordinal": run.ordinal,
        "fence": run.fence,
        "epoch_ms": run.epoch_ms,
        "video_codec": run.video_codec or "",
        "audio_codec": run.audio_codec,
        "width": run.width or 0,
        "height": run.height or 0,
        "init_size": run.init_size or 0,
        "init_sha256": run.init_sha256 or "",
        "ended_cause": run.ended_cause,
    }


def _wanted(files: list[ClosedFile], streams: dict[int, tuple[int, str]]) -> dict[int, list[Interval]]:
    start = min((file.segment.started_ms for file in files), default=0)
    end = max((file.segment.ended_ms for file in files), default=0)
    return wanted_by_camera({camera_id for camera_id, _kind in streams.values()}, start, end)


def _insert(file: MeasuredSegment, stream_id: int, run_id: int, state: SegmentState) -> bool:
    """False when the row was there. One that knew less of the file (read too early) learns the rest."""
    facts: dict[str, Any] = {
        "started_ms": file.started_ms,
        "ended_ms": min(file.ended_ms, file.started_ms + LONGEST_FILE_MS),
        "start_ticks": file.start_ticks,
        "duration_ticks": file.duration_ticks,
        "size_bytes": file.size_bytes,
        "gops": pack_gops(list(file.gops)),
        "is_damaged": file.is_damaged,
        "damage": "torn" if file.is_damaged else "",
    }
    facts |= {
        "stream_id": stream_id,
        "run_id": run_id,
        "number": file.number,
        "state": state,
        "is_locked": False,
        "sha256": None,
    }
    connection = db.session.connection()
    result: Any = connection.execute(_segment_insert(connection.dialect.name), facts)
    return bool(result.rowcount)


@cache
def _segment_insert(dialect_name: str) -> Any:
    """The one INSERT of the index, made once: making it costs more than running it (measured)."""
    insert = postgresql.insert if dialect_name == "postgresql" else sqlite.insert
    statement = insert(Segment.__table__)
    learnt = (
        "started_ms",
        "ended_ms",
        "start_ticks",
        "duration_ticks",
        "size_bytes",
        "gops",
        "is_damaged",
        "damage",
        "sha256",
    )
    return statement.on_conflict_do_update(
        index_elements=["run_id", "number"],
        set_={name: statement.excluded[name] for name in learnt},
        where=Segment.size_bytes < statement.excluded.size_bytes,
    )


def _insert_into(table: type) -> Any:
    """INSERT with ON CONFLICT, which both databases have and SQLAlchemy spells once for each."""
    is_postgresql = db.session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)
