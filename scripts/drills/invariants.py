"""What must be true after every fault: rows and files agree, time is explained, one ffmpeg a camera.

Each check returns sentences about what is not so; none repairs or waits longer than it is told.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Select, select

from cctv.clock import now_ms
from cctv.intervals import subtract, total_ms, union
from cctv.models import Camera, Gap, Run, Segment, SegmentState, Stream, StreamKind
from cctv.services.footage.finding import find_segments
from cctv.services.recording.wanted import wanted
from cctv.storage import paths
from cctv.storage.measure import measure
from cctv.storage.runfile import read_run
from scripts.drills.onlooker import Onlooker
from scripts.stack import leftovers
from tests.cameras import numbers_in
from tests.capture.rig import Rig

TOLERANCE_MS = 150  # rounding of two borders, over what the product itself calls no hole
_FRESH_SECONDS = 8.0  # a file closed so lately may still wait for its row


def check(
    rig: Rig,
    *,
    since_ms: int = 0,
    damaged_until_ms: int = 0,
    patience_s: float = 40.0,
    decode_at_most: int = 12,
) -> list[str]:
    """Everything about footage and processes. Waits up to `patience_s` for what is written a little later."""
    deadline = time.monotonic() + patience_s
    while True:
        found = rows_without_files(rig) + files_without_rows(rig) + unexplained_time(rig, since_ms=since_ms)
        found += strange_processes(rig)
        if not found or time.monotonic() > deadline:
            break
        time.sleep(1.0)
    decoded = undecodable(rig, since_ms=since_ms, from_ms=damaged_until_ms, at_most=decode_at_most)
    return found + decoded


def rows_without_files(rig: Rig) -> list[str]:
    """Every row has its file, with the same size and hash."""
    found = []
    with rig.rows() as session:
        rows = session.execute(_segments()).all()
    for row in rows:
        path = paths.segment_path(rig.config.media_dir, row.camera_id, row.key, row.number)
        if row.state == SegmentState.EXPIRING:
            continue
        name = f"{row.key}/{row.number}"
        if not path.exists():
            if _has_row(rig, row.id):
                found.append(f"{name}: the row has no file")
            continue
        size = path.stat().st_size
        is_longer = size > row.size_bytes and (row.is_damaged or _is_torn_tail(path, row.size_bytes))
        if size != row.size_bytes and not is_longer:
            found.append(f"{name}: {size} bytes on disk, {row.size_bytes} in the row")
        if row.sha256 and hashlib.sha256(path.read_bytes()[: row.size_bytes]).hexdigest() != row.sha256:
            found.append(f"{name}: another hash")
    return found


def _is_torn_tail(path: Path, at: int) -> bool:
    """An incomplete last fragment stays in the file and does not count in the row."""
    with path.open("rb") as file:
        file.seek(at)
        head = file.read(8)
    return len(head) < 8 or head[4:] in (b"moof", b"\0\0\0\0")


def _has_row(rig: Rig, segment_id: int) -> bool:
    with rig.rows() as session:
        row = session.get(Segment, segment_id)
        return row is not None and row.state != SegmentState.EXPIRING


def files_without_rows(rig: Rig) -> list[str]:
    """Every media file has a row, is being written, was closed a moment ago, or shows no picture."""
    media_dir = rig.config.media_dir
    with rig.rows() as session:
        known = {(row.key, row.number) for row in session.execute(_segments())}
    running = {capture.run_key for capture in rig.captures()}
    found = []
    for camera_id in paths.list_cameras(media_dir):
        for key in paths.list_runs(media_dir, camera_id):
            numbers = paths.list_segments(media_dir, camera_id, key)
            for number in numbers:
                if (key, number) in known or (key in running and number == numbers[-1]):
                    continue
                if not _is_explained(media_dir, camera_id, key, number):
                    found.append(f"{key}/{number}: the file has no row")
    return found


def _is_explained(media_dir: Path, camera_id: int, key: str, number: int) -> bool:
    path = paths.segment_path(media_dir, camera_id, key, number)
    run = read_run(path.parent)
    try:
        if time.time() - path.stat().st_mtime < _FRESH_SECONDS:
            return True
        return run is not None and measure(path, run, number) is None
    except FileNotFoundError:
        return True


def undecodable(rig: Rig, *, since_ms: int = 0, from_ms: int = 0, at_most: int = 12) -> list[str]:
    """The newest files that have rows decode, with about as many pictures as their row's time holds.

    Of those that reach beyond `since_ms` and begin at or after `from_ms`.
    """
    with rig.rows() as session:
        rows = [
            row
            for row in session.execute(_segments().order_by(Segment.started_ms.desc()).limit(at_most))
            if row.ended_ms > since_ms and row.started_ms >= from_ms and row.state != SegmentState.EXPIRING
        ]
    found = []
    for row in rows:
        path = paths.segment_path(rig.config.media_dir, row.camera_id, row.key, row.number)
        if path.exists() and not _pictures(path, row):
            found.append(f"{row.key}/{row.number}: no picture decodes")
    return found


def _pictures(path: Path, row: Any) -> list[int]:
    numbers = numbers_in(path, width=row.width, height=row.height)
    return [number for number in numbers if number is not None]


def unexplained_time(rig: Rig, *, since_ms: int = 0) -> list[str]:
    """Wanted time is footage or a gap row, up to the newest row; nothing is both, nothing is shown twice."""
    found = []
    with rig.rows() as session:
        cameras = list(session.scalars(select(Camera.id).where(Camera.deleted_at.is_(None))))
        for camera_id in cameras:
            found += _timeline(session, camera_id, since_ms)
    return found


def _timeline(session: Any, camera_id: int, since_ms: int) -> list[str]:
    found = []
    shown = find_segments(camera_id, since_ms, now_ms(), open_file=False, ring=True)
    pieces = sorted((entry.from_ms, entry.to_ms) for entry in shown)
    for (_, end), (start, _) in pairwise(pieces):
        if end - start > TOLERANCE_MS:
            found.append(f"camera {camera_id}: {end - start} ms are shown twice at {start}")
    rows = session.execute(
        select(Gap.started_ms, Gap.ended_ms).where(Gap.camera_id == camera_id, Gap.ended_ms > since_ms)
    )
    gaps = sorted((row.started_ms, row.ended_ms) for row in rows)
    for (_, end), (start, _) in pairwise(gaps):
        if end > start:
            found.append(f"camera {camera_id}: two gap rows overlap at {start}")
    covered = union(pieces)
    both = total_ms(gaps) - total_ms(subtract(gaps, covered))
    if both > TOLERANCE_MS:
        found.append(f"camera {camera_id}: {both} ms are footage and gap at once")
    horizon = pieces[-1][1] if pieces else since_ms
    missing = subtract(subtract(wanted(camera_id, since_ms, horizon), covered), gaps)
    for start, end in missing:
        if end - start > TOLERANCE_MS:
            found.append(f"camera {camera_id}: {end - start} ms from {start} are neither footage nor gap")
    return found


def strange_processes(rig: Rig) -> list[str]:
    """At most one ffmpeg a camera, none of a camera that is off, and no zombie of ours."""
    with rig.rows() as session:
        enabled = set(session.scalars(select(Camera.id).where(Camera.is_enabled.is_(True))))
    counts = Counter(capture.camera_id for capture in rig.captures())
    found = [f"camera {camera_id}: {count} ffmpegs" for camera_id, count in counts.items() if count > 1]
    found += [f"camera {camera_id}: off, but captured" for camera_id in counts if camera_id not in enabled]
    ours = {process.pid for process in leftovers.find_marked(rig.config.data_dir)}
    for process in psutil.process_iter(["ppid", "status", "name"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE and process.info["ppid"] in ours:
            parent = " ".join(psutil.Process(process.info["ppid"]).cmdline()[-2:])
            found.append(f"zombie {process.info['name']} ({process.pid}) of {parent}")
    return found


def slow_answers(
    onlooker: Onlooker, since: float, *, limit_s: float = 2.0, allowed: tuple[int, ...] = (200, 204)
) -> list[str]:
    """Every answer since then came in time and with an allowed status (0: none came)."""
    answers = onlooker.since(since)
    found = []
    slow = [answer for answer in answers if answer.seconds > limit_s]
    if slow:
        worst = max(slow, key=lambda answer: answer.seconds)
        found.append(
            f"{len(slow)} of {len(answers)} answers took over {limit_s:g} s: "
            f"{worst.path} {worst.status} after {worst.seconds:.1f} s"
        )
    strange = Counter((answer.path, answer.status) for answer in answers if answer.status not in allowed)
    found += [f"{count} x {path} answered {status}" for (path, status), count in strange.items()]
    return found


def _segments() -> Select[Any]:
    return (
        select(
            Segment.id,
            Segment.number,
            Segment.size_bytes,
            Segment.state,
            Segment.is_damaged,
            Segment.sha256,
            Segment.started_ms,
            Segment.ended_ms,
            Run.key,
            Run.width,
            Run.height,
            Stream.camera_id,
        )
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Stream.kind.in_(list(StreamKind)))
    )
