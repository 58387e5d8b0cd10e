"""Makes rows and files of one node agree: what a crash, a power cut or a lost database left apart.

Rebuilds the index from the disk alone. Takes nothing away from a disk, nor rows from the index, that may only
be away for a moment: a volume without its marker, or very much missing at once, stops the pruning.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete, exists, select

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, total_ms
from cctv.media.boxes import NotMedia, read_init
from cctv.models import Event, Node, Run, Segment, SegmentState, Stream, StreamKind
from cctv.services.camera import ring_streams
from cctv.services.footage import gap_causes, gaps, losses, refusals, segments
from cctv.services.footage.losses import Lost
from cctv.services.lifetime.expiry import RING_SECONDS
from cctv.services.proof.verification import Verdict, verify, verify_interval
from cctv.storage import disk, paths
from cctv.storage.measure import ClosedFile, MeasuredSegment, measure
from cctv.storage.runfile import RunFile, read_run, write_run

__all__ = ["Report", "Verdict", "run", "verify", "verify_interval"]

_YOUNG_S = 2 * RING_SECONDS  # a younger file may be on its way into the index, or out of the ring
_REMOVE_AFTER_S = 60  # a file that holds nothing may have been opened a moment ago
_RUN_AFTER_S = 600  # and so may the folder of a run
_SETTLE_BACK_MS = 25 * 3_600_000
_BATCH = 64

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Report:
    """What was found and done. Durations in milliseconds of footage."""

    recovered: int = 0
    recovered_ms: int = 0
    lost: int = 0
    lost_ms: int = 0
    finished: int = 0  # removals that a crash had cut short
    removed_files: int = 0  # in which nothing can be shown, or of small streams that are no more
    removed_runs: int = 0  # folders without a file
    unreadable: int = 0  # files left where they are: not empty, but nothing in them can be shown
    missing: int = 0  # rows without their file, when the breaker kept them
    refused: list[str] = field(default_factory=list)  # files, below MEDIA_DIR, whose row the database refuses
    is_volume_there: bool = True

    @property
    def is_tripped(self) -> bool:
        """Whether pruning was refused."""
        return not self.is_volume_there or self.missing > 0

    @property
    def sentence(self) -> str:
        """For a person."""
        if not self.is_volume_there:
            return "The disk that holds the footage is not there, or is another one: nothing was changed."
        said = f"Recovered {self.recovered} segments ({self.recovered_ms // 1000} s), "
        said += f"lost {self.lost_ms // 1000} s in {self.lost} segments."
        if self.missing:
            said += f" {self.missing} files are missing at once: their entries were kept. Check the disk."
        if self.refused:
            said += f" The database refuses {len(self.refused)} files, which are kept: {self.refused[0]}"
            said += "." if len(self.refused) == 1 else " and others."
        return said

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return asdict(self) | {"is_tripped": self.is_tripped, "sentence": self.sentence}


class _Row(NamedTuple):
    id: int
    number: int
    size_bytes: int
    state: str


def run(node: Node) -> Report:
    """Reconcile the disk of this node with its rows; safe at any time, also while captures go on."""
    report = Report()
    node_id, node_key = node.id, node.key
    media_dir = config.current().media_dir
    report.is_volume_there = _is_our_volume(media_dir)
    if not report.is_volume_there:
        _tell("storage", "bad", report.sentence)
        return report
    report.finished = segments.finish_expiring(node_id)
    ring_streams.give_back(node_id)
    lost: list[Lost] = []
    seen: set[str] = set()
    for camera_id, run_key in _runs_on_disk(media_dir):
        seen.add(run_key)
        lost += _reconcile_run(report, media_dir, camera_id, run_key, node_key=node_key)
    lost += losses.of_vanished_runs(node_id, seen)
    report.is_volume_there = _is_our_volume(media_dir)
    if not report.is_volume_there:  # it went away while it was looked through
        _tell("storage", "bad", report.sentence)
        return report
    pruned = losses.prune(node_id, lost)
    report.lost, report.lost_ms, report.missing = pruned
    report.refused = refusals.here()
    _forget_empty_runs(node_id)
    gaps.settle_all(since_ms=now_ms() - _SETTLE_BACK_MS)
    if report.recovered or report.lost or report.missing:
        _tell("recovered", "bad" if report.missing else "warn" if report.lost else "note", report.sentence)
    return report


def _is_our_volume(media_dir: Path) -> bool:
    """True also before the first capture ever declared a volume."""
    try:
        volume_id = (config.current().data_dir / "volume_id").read_text().strip()
    except FileNotFoundError:
        return media_dir.is_dir()
    return disk.is_volume(media_dir, volume_id)


def _runs_on_disk(media_dir: Path) -> Iterator[tuple[int, str]]:
    for camera_id in paths.list_cameras(media_dir):
        for run_key in paths.list_runs(media_dir, camera_id):
            yield camera_id, run_key


def _reconcile_run(
    report: Report, media_dir: Path, camera_id: int, run_key: str, *, node_key: str
) -> list[Lost]:
    directory = paths.run_dir(media_dir, camera_id, run_key)
    numbers = paths.list_segments(media_dir, camera_id, run_key)
    facts = _facts_of(directory, camera_id, run_key, node_key, numbers)
    is_written = facts is not None and _is_written(facts)
    if facts is not None and not is_written and ring_streams.is_abandoned(facts):
        report.removed_files += ring_streams.remove(media_dir, facts)
        return []
    rows = _rows_of(run_key)
    closed = numbers[:-1] if is_written else numbers
    unknown = [number for number in closed if number not in rows]
    if facts is not None:
        for at in range(0, len(unknown), _BATCH):
            _recover(report, directory, facts, unknown[at : at + _BATCH])
    if not numbers and not rows and not is_written and _age_s(directory) > _RUN_AFTER_S:
        report.removed_runs += disk.remove_run(media_dir, camera_id, run_key)
    present = {number: _size(directory, number) for number in numbers}
    _remove_released(directory, rows, present)
    suspects = [
        row
        for row in rows.values()
        if row.state not in (SegmentState.EXPIRING, SegmentState.CLOUD)
        and present.get(row.number, -1) < row.size_bytes
    ]
    # Looked at again: between the two looks a file may have left the ring as it should.
    still = _rows_of(run_key) if suspects else {}
    return [
        losses.of_file(row.id, camera_id, directory, row.number, facts)
        for row in suspects
        if still.get(row.number, row) == row and row.number in still
    ]


def _remove_released(directory: Path, rows: dict[int, _Row], present: dict[int, int]) -> None:
    """Files whose footage is read from the bucket by now: a crash came between the row and the file."""
    for row in rows.values():
        if row.state == SegmentState.CLOUD and row.number in present:
            with contextlib.suppress(OSError):  # tried again in an hour
                disk.unlink(directory / paths.segment_name(row.number))


def _facts_of(
    directory: Path, camera_id: int, run_key: str, node_key: str, numbers: list[int]
) -> RunFile | None:
    """run.json; made anew from the key and the first readable init when it is lost."""
    facts = read_run(directory)
    if facts is not None:
        is_known = db.session.scalar(select(Node.id).where(Node.key == facts.node)) is not None
        db.session.commit()
        return facts if is_known else replace(facts, node=node_key)
    key = paths.parse_run_key(run_key)
    for number in numbers:
        try:
            with (directory / paths.segment_name(number)).open("rb") as file:
                init = read_init(file.fileno())
        except (OSError, NotMedia):
            continue
        facts = RunFile(
            run=run_key,
            camera_id=camera_id,
            stream_id=key.stream_id,
            node=node_key,
            epoch_ms=key.epoch_s * 1000,
            video_codec=init.video.codec,
            audio_codec=init.audio.codec if init.audio else None,
            width=init.video.width,
            height=init.video.height,
            init_sha256=init.sha256,
            init_size=init.size,
        )
        write_run(directory, facts)
        return facts
    return None


def _is_written(facts: RunFile) -> bool:
    """Whether the run's own ffmpeg lives: same pid, start time (proc(5), stat field 22) and folder."""
    if facts.pid is None:
        return False
    try:
        stat = Path(f"/proc/{facts.pid}/stat").read_bytes().rpartition(b")")[2].split()
        command = Path(f"/proc/{facts.pid}/cmdline").read_bytes()
    except OSError:
        return False
    return int(stat[19]) == facts.pid_started and facts.run.encode() in command


def _rows_of(run_key: str) -> dict[int, _Row]:
    query = (
        select(Segment.id, Segment.number, Segment.size_bytes, Segment.state)
        .join(Run, Run.id == Segment.run_id)
        .where(Run.key == run_key)
    )
    rows = {row.number: _Row(*row) for row in db.session.execute(query)}
    db.session.commit()
    return rows


def _recover(report: Report, directory: Path, facts: RunFile, numbers: list[int]) -> None:
    """Give files without a row theirs; what cannot hold a picture goes."""
    files: dict[bool, list[ClosedFile]] = {True: [], False: []}
    for number in numbers:
        path = directory / paths.segment_name(number)
        try:
            measured = measure(path, facts, number)
            if measured is None:
                _clear(report, path)
                continue
            is_old = _age_s(path) > _YOUNG_S
            disk.fsync_file(path)
        except OSError as error:
            _log.warning("file %d of run %s is passed over: %s", number, facts.run, error.strerror)
            continue
        files[is_old].append(ClosedFile(facts, measured))
    if files[True] or files[False]:
        disk.fsync_directory(directory)
    for is_old, group in files.items():
        count = segments.index(group, keep_unwanted=is_old)
        if count and facts.kind == StreamKind.MAIN:
            report.recovered += count
            report.recovered_ms += total_ms(_span(file.segment) for file in group)


def _span(segment: MeasuredSegment) -> Interval:
    return segment.started_ms, segment.ended_ms


def _clear(report: Report, path: Path) -> None:
    """Remove a file that holds no fragment at all; the bytes of any other are left where they are."""
    if _age_s(path) < _REMOVE_AFTER_S and path.stat().st_mtime * 1000 > gap_causes.booted_ms():
        return
    with path.open("rb") as file:
        try:
            has_bytes = os.fstat(file.fileno()).st_size > read_init(file.fileno()).size + 8
        except NotMedia:
            has_bytes = False
    if has_bytes:
        report.unreadable += 1
        return
    report.removed_files += disk.unlink(path)


def _forget_empty_runs(node_id: int) -> None:
    """Rows of old runs without a file; the newest runs of a stream still explain gaps."""
    begin_writing()
    has_files = exists().where(Segment.run_id == Run.id)
    is_current = exists().where(Stream.run_key == Run.key)
    db.session.execute(
        delete(Run)
        .where(
            Run.node_id == node_id,
            Run.epoch_ms < now_ms() - _SETTLE_BACK_MS,
            ~has_files,
            ~is_current,
        )
        .execution_options(synchronize_session=False)
    )
    db.session.commit()


def _tell(kind: str, severity: str, sentence: str) -> None:
    begin_writing()
    db.session.add(Event(at_ms=now_ms(), kind=kind, severity=severity, text=sentence))
    db.session.commit()


def _size(directory: Path, number: int) -> int:
    try:
        return (directory / paths.segment_name(number)).stat().st_size
    except OSError:
        return -1


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
