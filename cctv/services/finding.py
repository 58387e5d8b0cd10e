"""Finds the stored files of a camera for an interval, in the order in which they are shown.

Reads the index and, for the last seconds, the file that is being written; it must never change either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Row, Select, select

from cctv.extensions import db
from cctv.intervals import Interval, subtract, union
from cctv.models import Run, Segment, SegmentState, Stream, StreamKind
from cctv.models.segment import pack_gops, unpack_gops
from cctv.services import open_files

# No file is longer (index cuts the claim): lets a query by time start close to where it wants to be.
LONGEST_FILE_MS = 3_600_000
# Holes shorter than this are not holes: below two frames at 25 per second, and rounding of the mapping.
TOLERANCE_MS = 100


@dataclass(frozen=True, slots=True)
class FoundSegment:
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

    def ticks_at(self, ms: int) -> int:
        """Content time at a wall time inside the file, 90 kHz."""
        span = max(1, self.ended_ms - self.started_ms)
        return self.start_ticks + (ms - self.started_ms) * self.duration_ticks // span

    def ms_at(self, ticks: int) -> int:
        """Wall time at a content time inside the file."""
        span = self.ended_ms - self.started_ms
        return self.started_ms + (ticks - self.start_ticks) * span // max(1, self.duration_ticks)

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
    states = [SegmentState.KEPT, SegmentState.RING] if ring else [SegmentState.KEPT]
    query = _overlapping(_columns(), start_ms, end_ms).where(
        Stream.camera_id == camera_id, Stream.kind == kind, Segment.state.in_(states)
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
    """`covered` for several cameras with one query (and one for the open files)."""
    found: dict[int, list[Interval]] = {camera_id: [] for camera_id in camera_ids}
    query = _overlapping(select(Stream.camera_id, Segment.started_ms, Segment.ended_ms), start_ms, end_ms)
    query = query.where(
        Stream.camera_id.in_(found),
        Stream.kind == StreamKind.MAIN,
        Segment.state.in_([SegmentState.KEPT, SegmentState.RING]),
    )
    for camera_id, started, ended in db.session.execute(query):
        found[camera_id].append((started, ended))
    if open_file:
        for camera_id, group in _open_by_camera(found).items():
            found[camera_id] += group
    return {camera_id: union(group, join_ms=TOLERANCE_MS) for camera_id, group in found.items()}


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
    return select(
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
    ).join(Run, Run.id == Segment.run_id)


def _overlapping(query: Select, start_ms: int, end_ms: int) -> Select:
    return query.join(Stream, Stream.id == Segment.stream_id).where(
        Segment.started_ms > start_ms - LONGEST_FILE_MS,
        Segment.started_ms < end_ms,
        Segment.ended_ms > start_ms,
    )


def _from_row(row: Row) -> FoundSegment:
    return FoundSegment(*row, False, row.started_ms, row.ended_ms)


def _scanned(camera_id: int, kind: str) -> list[FoundSegment]:
    query = _current_runs().where(Stream.camera_id == camera_id, Stream.kind == kind)
    row = db.session.execute(query).first()
    if row is None:
        return []
    return [_from_scan(row, scanned) for scanned in _scan(row)]


def _open_by_camera(camera_ids: Iterable[int]) -> dict[int, list[Interval]]:
    query = _current_runs().where(Stream.camera_id.in_(list(camera_ids)), Stream.kind == StreamKind.MAIN)
    rows = db.session.execute(query).all()
    return {
        row.camera_id: [(one.segment.started_ms, one.segment.ended_ms) for one in _scan(row)] for row in rows
    }


def _current_runs() -> Select:
    """The run that each stream is in now, with the number of its newest file that has a row."""
    newest = (
        select(Segment.number)
        .join(Run, Run.id == Segment.run_id)
        .where(Run.key == Stream.run_key)
        .order_by(Segment.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(
        Stream.id.label("stream_id"),
        Stream.camera_id,
        Stream.owner_node_id,
        Stream.run_key,
        newest.label("newest"),
    ).where(Stream.run_key.is_not(None))


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
