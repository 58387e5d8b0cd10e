"""Finds the stored files of a camera for an interval, in the order in which they are shown.

Reads the index and, for the last seconds, the file that is being written; it must never change either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Row, ScalarSelect, Select, func, or_, select

from cctv.extensions import db
from cctv.intervals import Interval, subtract, union
from cctv.models import Node, Run, Segment, SegmentState, Stream, StreamKind
from cctv.models.segment import FileTimes, pack_gops, unpack_gops
from cctv.services.footage import open_files

# No file is longer (index cuts the claim): lets a query by time start close to where it wants to be.
LONGEST_FILE_MS = 3_600_000
# Holes shorter than this are not holes: below two frames at 25 per second, and rounding of the mapping.
TOLERANCE_MS = 100
# Queries by time name the stream by its id and exclude states instead of asking for one: otherwise SQLite
# may leave the time index for the one by state, or join first (12 s instead of 10 ms, measured).
NOT_KEPT = (SegmentState.RING, SegmentState.EXPIRING)


@dataclass(frozen=True, slots=True)
class FoundSegment(FileTimes):
    """A file, or the part of it that is shown: `from_ms` to `to_ms` excludes what another node shows better.

    Times as in the table segment. `id` is None while the file has no row (open, or closed a moment ago).
    """

    id: int | None
    camera_id: int
    stream_id: int
    node_id: int | None
    run_key: str
    ordinal: int
    fence: int
    init_size: int
    init_sha256: str
    video_codec: str
    audio_codec: str | None
    number: int
    started_ms: int
    ended_ms: int
    start_ticks: int
    duration_ticks: int
    size_bytes: int
    gops: bytes
    state: str
    is_damaged: bool
    is_locked: bool
    sha256: str | None
    is_open: bool
    from_ms: int
    to_ms: int

    def list_gops(self) -> list[tuple[int, int]]:
        """(byte offset, ticks since start_ticks) of each fragment that begins with a key frame."""
        return unpack_gops(self.gops)


def find_segments(
    camera_id: int,
    start_ms: int,
    end_ms: int,
    *,
    kind: str = StreamKind.MAIN,
    open_file: bool = True,
    ring: bool = False,
) -> list[FoundSegment]:
    """The kept files that overlap [start_ms, end_ms), in order of time, none shown twice.

    Where two nodes recorded the same seconds the higher fence is shown, else the newer run. With `open_file`
    what the running capture wrote since its last row is there too, up to about a second ago. With `ring` also
    files that nobody wants (yet).
    """
    query = _columns().where(
        Segment.stream_id == stream_id_of(camera_id, kind),
        Segment.started_ms > start_ms - LONGEST_FILE_MS,
        Segment.started_ms < end_ms,
        Segment.ended_ms > start_ms,
        Segment.state.not_in([SegmentState.EXPIRING] if ring else NOT_KEPT),
    )
    found = [_from_row(row) for row in db.session.execute(query)]
    if open_file:
        found += [
            entry
            for entry in _scanned(camera_id, kind)
            if entry.started_ms < end_ms and entry.ended_ms > start_ms
        ]
    return without_overlaps(found)


def covered(camera_id: int, start_ms: int, end_ms: int, *, open_file: bool = True) -> list[Interval]:
    """The parts of the time around [start_ms, end_ms) of which footage of the main stream exists.

    Not clipped; holes up to TOLERANCE_MS are closed.
    """
    return covered_by_camera([camera_id], start_ms, end_ms, open_file=open_file)[camera_id]


def covered_by_camera(
    camera_ids: Iterable[int], start_ms: int, end_ms: int, *, open_file: bool = True
) -> dict[int, list[Interval]]:
    """`covered` for several cameras with two queries (and one for the open files)."""
    found: dict[int, list[Interval]] = {camera_id: [] for camera_id in camera_ids}
    streams = main_streams(found)
    files = Segment.__table__.c  # plain columns: for the 1,440 rows of a day the mapper costs as much again
    query = select(files.stream_id, files.started_ms, files.ended_ms).where(
        files.stream_id.in_(streams),
        files.started_ms > start_ms - LONGEST_FILE_MS,
        files.started_ms < end_ms,
        files.ended_ms > start_ms,
        files.state != SegmentState.EXPIRING,
    )
    for stream_id, started, ended in db.session.execute(query).all():
        found[streams[stream_id]].append((started, ended))
    if open_file:
        for camera_id, group in open_intervals(found).items():
            found[camera_id] += group
    return {camera_id: union(group, join_ms=TOLERANCE_MS) for camera_id, group in found.items()}


def main_streams(camera_ids: Iterable[int]) -> dict[int, int]:
    """Camera id by the id of its main stream."""
    query = select(Stream.id, Stream.camera_id).where(
        Stream.camera_id.in_(list(camera_ids)), Stream.kind == StreamKind.MAIN
    )
    return {row.id: row.camera_id for row in db.session.execute(query)}


def stream_id_of(camera_id: int, kind: str = StreamKind.MAIN) -> ScalarSelect[int]:
    """The stream's id inside a query, as one value."""
    return select(Stream.id).where(Stream.camera_id == camera_id, Stream.kind == kind).scalar_subquery()


def without_overlaps(found: list[FoundSegment]) -> list[FoundSegment]:
    """Cut what is shown of each file so that no second is shown twice; in order of time."""
    found = sorted(found, key=lambda entry: (entry.started_ms, entry.ordinal))
    result: list[FoundSegment] = []
    cluster: list[FoundSegment] = []
    cluster_end = 0
    for entry in found:
        if cluster and entry.started_ms >= cluster_end:
            result += _resolve(cluster)
            cluster = []
        cluster.append(entry)
        cluster_end = max(cluster_end, entry.ended_ms) if len(cluster) > 1 else entry.ended_ms
    return result + _resolve(cluster)


def _resolve(cluster: list[FoundSegment]) -> list[FoundSegment]:
    if len(cluster) <= 1:
        return cluster
    shown: list[FoundSegment] = []
    taken: list[Interval] = []
    for entry in sorted(cluster, key=lambda one: (one.fence, one.ordinal), reverse=True):
        for start, end in subtract([(entry.started_ms, entry.ended_ms)], taken):
            if end - start >= TOLERANCE_MS or not taken:
                shown.append(replace(entry, from_ms=start, to_ms=end))
        taken = union(taken, [(entry.started_ms, entry.ended_ms)])
    return sorted(shown, key=lambda one: one.from_ms)


def _columns() -> Select:
    return (
        select(
            Segment.id,
            Stream.camera_id,
            Segment.stream_id,
            Run.node_id,
            Run.key.label("run_key"),
            Run.ordinal,
            Run.fence,
            Run.init_size,
            Run.init_sha256,
            Run.video_codec,
            Run.audio_codec,
            Segment.number,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.start_ticks,
            Segment.duration_ticks,
            Segment.size_bytes,
            Segment.gops,
            Segment.state,
            Segment.is_damaged,
            Segment.is_locked,
            Segment.sha256,
        )
        .select_from(Segment)
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
    )


def _from_row(row: Row) -> FoundSegment:
    return FoundSegment(
        *row,
        is_open=False,
        from_ms=row.started_ms,
        to_ms=row.ended_ms,  # type: ignore[misc]
    )


def _scanned(camera_id: int, kind: str) -> list[FoundSegment]:
    query = _current_runs().where(Stream.camera_id == camera_id, Stream.kind == kind)
    row = db.session.execute(query).first()
    if row is None:
        return []
    return [_from_scan(row, scanned) for scanned in _scan(row)]


def open_intervals(camera_ids: Iterable[int]) -> dict[int, list[Interval]]:
    """What the running captures wrote since their last rows, of main streams; one query."""
    query = _current_runs().where(Stream.camera_id.in_(list(camera_ids)), Stream.kind == StreamKind.MAIN)
    rows = db.session.execute(query).all()
    return {
        row.camera_id: [(one.segment.started_ms, one.segment.ended_ms) for one in _scan(row)] for row in rows
    }


def _current_runs() -> Select:
    """The run that each stream is in now, with the number of its newest file that has a row."""
    newest = (
        select(func.max(Segment.number))
        .join(Run, Run.id == Segment.run_id)
        .where(Run.key == Stream.run_key)
        .scalar_subquery()
    )
    return (
        select(
            Stream.id.label("stream_id"),
            Stream.camera_id,
            Stream.owner_node_id,
            Stream.run_key,
            newest.label("newest"),
        )
        .outerjoin(Node, Node.id == Stream.owner_node_id)
        .where(
            Stream.run_key.is_not(None),
            # A disk that hangs would hang whoever looks at its open files; the index answers without it.
            or_(Node.id.is_(None), Node.storage_state.not_in(["hung", "missing"])),
        )
    )


def _scan(row: Row) -> list[open_files.ScannedFile]:
    first = 0 if row.newest is None else row.newest + 1
    return open_files.scan(row.camera_id, row.run_key, first_number=first)


def _from_scan(row: Row, scanned: open_files.ScannedFile) -> FoundSegment:
    run, init, segment, is_open = scanned
    return FoundSegment(
        id=None,
        camera_id=row.camera_id,
        stream_id=row.stream_id,
        node_id=row.owner_node_id,
        run_key=row.run_key,
        ordinal=run.ordinal,
        fence=run.fence,
        init_size=init.size,
        init_sha256=init.sha256,
        video_codec=init.video.codec,
        audio_codec=init.audio.codec if init.audio else None,
        number=segment.number,
        started_ms=segment.started_ms,
        ended_ms=segment.ended_ms,
        start_ticks=segment.start_ticks,
        duration_ticks=segment.duration_ticks,
        size_bytes=segment.size_bytes,
        gops=pack_gops(list(segment.gops)),
        state=SegmentState.KEPT,
        is_damaged=False,
        is_locked=False,
        sha256=None,
        is_open=is_open,
        from_ms=segment.started_ms,
        to_ms=segment.ended_ms,
    )
