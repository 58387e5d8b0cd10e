"""The disk of the footage fills up, runs out of inodes, or loses files by hand (rows 24 to 26, 33).

On small file systems of the drill's own; hung and slow disks have other drills.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from sqlalchemy import select

from cctv.clock import now_ms
from cctv.extensions import begin_writing
from cctv.models import Event, Node, Recording, Segment, SegmentState
from cctv.services.footage import reconcile
from cctv.services.site import nodes
from scripts.drills import invariants
from scripts.drills.catalogue import drill
from scripts.drills.old_footage import lay_down
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from tests.capture.rig import Cam

MB = 1024**2


@drill(
    "disk-floor",
    "24",
    "recording itself brings the free space below the floor; the oldest footage is locked",
    "the oldest unlocked files go, locked ones stay, recording goes on, the deletion is told",
    volume="tmpfs",
    is_shared=False,  # its old footage would make room for the others
)
def floor(stage: Stage, trial: Trial) -> None:
    assert stage.volume is not None
    locked, free = stage.camera(), stage.camera()
    stays = lay_down(stage, locked, files=5, size_bytes=4 * MB, hours_ago=99)
    _lock(stage, locked)
    room = shutil.disk_usage(stage.config.media_dir)
    files = (room.free - room.total // 10) // (4 * MB) - 1
    goes = lay_down(stage, free, files=files, size_bytes=4 * MB, hours_ago=50)
    trial.fault = f"{files + 5} files of 4 MB of the days before, and a file of ours over the floor"
    at_ms = now_ms()
    lay_down(stage, free, files=3, size_bytes=4 * MB, hours_ago=30)
    trial.within("the oldest gone", 30, lambda: _is_gone(stage, goes[0]), patience_s=60)
    trial.within("told", 15, lambda: _has_event(stage, "deleted_early"), patience_s=30)
    trial.require(not any(_is_gone(stage, one) for one in stays), "a locked file went")
    trial.require(not _is_gone(stage, goes[-1]), "more went than the floor needs")
    for cam in (locked, free):
        trial.within("recorded", 10, stage.is_flowing(cam), patience_s=30)
    stage.wait_row_after(locked, now_ms())
    lost_ms = stage.lost_ms(locked, at_ms)
    gone = sum(_is_gone(stage, one) for one in goes)
    trial.lost.append(f"{gone} of {files} old files; {lost_ms} ms of camera {locked.number}")
    trial.require(lost_ms == 0, "footage of the locked camera is missing")


@drill(
    "disk-foreign",
    "25",
    "files of others take the disk, a little at first, then all of it, and go again",
    "old footage goes, which is told; the newest hours stay; recording stops with its cause, goes on <= 60 s",
    volume="tmpfs",
    is_shared=False,
)
def foreign(stage: Stage, trial: Trial) -> None:
    assert stage.volume is not None
    cam = stage.camera()
    old = lay_down(stage, cam, files=10, size_bytes=4 * MB, hours_ago=50)
    young = lay_down(stage, cam, files=10, size_bytes=4 * MB, hours_ago=3)
    room = shutil.disk_usage(stage.config.media_dir)
    trial.fault = "a foreign file takes half of the floor, another one the rest of the disk"
    at_ms = now_ms()
    first = stage.volume.fill(leave_bytes=room.total // 20)
    trial.within("old footage gone", 30, lambda: _is_gone(stage, old[0]), patience_s=60)
    trial.within("told", 15, lambda: _has_event(stage, "storage"), patience_s=30)
    trial.within("recorded", 10, stage.is_flowing(cam), patience_s=30)
    trial.require(not any(_is_gone(stage, one) for one in young), "young footage went")
    second = stage.volume.fill(leave_bytes=0, name="second.bin")
    trial.within("told on the camera", 30, lambda: stage.rig.stream(cam).state == "storage", patience_s=90)
    time.sleep(trial.pick(6, 60))
    trial.require(not any(_is_gone(stage, one) for one in young), "young footage went for a foreign file")
    went = [sum(_is_gone(stage, one) for one in group) for group in (old, young)]
    trial.seen.append(f"{went[0]} of 10 old and {went[1]} of 10 young files went")
    for path in (first, second):
        path.unlink()
    trial.within("recorded again", 60, stage.is_flowing(cam), patience_s=90)
    stage.wait_row_after(cam, now_ms())
    trial.lost.append(f"{stage.lost_ms(cam, at_ms) / 1000:.1f} s while there was no room")
    limit = 2.0 if trial.is_long else 4.0
    trial.failures += invariants.slow_answers(stage.onlooker, trial.began, limit_s=limit)


def _lock(stage: Stage, cam: Cam) -> None:
    """All that the camera has so far is evidence."""
    with stage.rig.rows() as session:
        begin_writing()
        session.add(
            Recording(
                camera_id=cam.camera_id,
                kind="manual",
                started_ms=0,
                ended_ms=now_ms(),
                locked_by="Olive Owner",
                locked_reason="Accident",
            )
        )
        session.commit()


@drill(
    "disk-full",
    "25",
    "a foreign file takes all of the disk and goes again",
    "told within 30 s, pages and database live, recording again within 60 s, no torn file counts",
    volume="tmpfs",
)
def full(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    stage.rig.wait_closed(cam)
    assert stage.volume is not None
    away = trial.pick(6, 60)
    trial.fault = f"{stage.volume.kind}: no byte left for {away:g} s"
    at_ms = now_ms()
    foreign = stage.volume.fill(leave_bytes=0)
    _away_and_back(stage, trial, away, at_ms, foreign)


@drill(
    "disk-inodes",
    "26",
    "no inode is left on the disk",
    "as a full disk",
    volume="tmpfs",
)
def inodes(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    stage.rig.wait_closed(cam)
    away = trial.pick(6, 60)
    trial.fault = f"no inode left for {away:g} s"
    at_ms = now_ms()
    folder = stage.config.media_dir / "foreign"
    folder.mkdir()
    count = 0
    try:
        while True:
            (folder / str(count)).touch()
            count += 1
    except OSError:
        pass
    _away_and_back(stage, trial, away, at_ms, folder)


def _away_and_back(stage: Stage, trial: Trial, away: float, at_ms: int, foreign: Path) -> None:
    cam = stage.cameras[-1]
    trial.within("told", 30, lambda: stage.rig.stream(cam).state == "storage", patience_s=60)
    trial.within("the node told", 30, lambda: _storage_state(stage) == "full", patience_s=60)
    time.sleep(away)
    trial.require(not stage.rig.captures(cam), "an ffmpeg goes on against a full disk")
    if foreign.is_dir():
        shutil.rmtree(foreign)
    else:
        foreign.unlink()
    began = time.monotonic()
    trial.within("recorded again", 60, stage.is_flowing(cam), patience_s=90)
    stage.wait_row_after(cam, now_ms())
    took = time.monotonic() - began
    trial.lost.append(
        f"{stage.lost_ms(cam, at_ms) / 1000:.1f} s, {took:.0f} s of it after the space came back"
    )
    limit = 2.0 if trial.is_long else 4.0
    trial.failures += invariants.slow_answers(stage.onlooker, trial.began, limit_s=limit)
    tiny = [row for row in stage.rig.segments(cam) if row.size_bytes <= 4096]
    trial.require(not tiny, f"{len(tiny)} rows of files that hold nothing")


@drill(
    "files-altered",
    "33",
    "files of the footage are deleted, cut and overwritten by hand",
    "reported missing or damaged, gap rows for what is gone; nothing served as good",
)
def altered(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    rows = stage.rig.wait_closed(cam, 5, timeout=60)
    gone, cut = rows[1], rows[2]
    trial.fault = "one file deleted, one cut in half"
    stage.rig.path(cam, gone).unlink()
    path = stage.rig.path(cam, cut)
    os.truncate(path, path.stat().st_size // 2)
    with stage.rig.rows():
        report = reconcile.run(nodes.this_node())
    trial.seen.append(f"reconcile: {report}")
    left = {row.number for row in stage.rig.segments(cam)}
    trial.require(gone.number not in left, "the row of a deleted file is still there")
    gaps = [(gap.started_ms, gap.ended_ms, gap.cause) for gap in stage.rig.gaps(cam)]
    told = [
        cause for start, end, cause in gaps if start <= gone.started_ms + 200 and end >= gone.ended_ms - 200
    ]
    trial.seen.append(f"told as {', '.join(told) or 'nothing'}")
    trial.require(bool(told), f"no gap row for the deleted file: {gaps}")
    trial.lost.append(f"{(gone.ended_ms - gone.started_ms) / 1000:.1f} s and half of another file, by hand")


@drill(
    "files-missing",
    "33",
    "nearly all files vanish at once, as with a wrong or empty disk",
    "the index is not pruned; an alarm",
)
def missing(stage: Stage, trial: Trial) -> None:
    cams = [stage.camera(wait=False) for _ in range(4)]  # fewer than ten files may always be missing
    for cam in cams:
        stage.rig.wait_closed(cam, 4, timeout=60)
    files = [(cam, row) for cam in cams for row in stage.rig.segments(cam)]
    rows = [row for _, row in files]
    aside = stage.top / "aside"
    aside.mkdir()
    moved = [(stage.rig.path(cam, row), aside / f"{row.run_id}-{row.number}") for cam, row in files]
    for path, target in moved:
        shutil.move(path, target)
    trial.fault = f"{len(moved)} files of {len(cams)} cameras moved away"
    with stage.rig.rows():
        report = reconcile.run(nodes.this_node())
    trial.seen.append(f"reconcile: {report}")
    left = {row.id for cam in cams for row in stage.rig.segments(cam)}
    pruned = {row.id for row in rows} - left
    trial.require(not pruned, f"{len(pruned)} rows were pruned")
    for path, target in moved:
        shutil.move(target, path)
    shutil.rmtree(aside)


def _is_gone(stage: Stage, segment_id: int) -> bool:
    with stage.rig.rows() as session:
        row = session.get(Segment, segment_id)
        return row is None or row.state == SegmentState.EXPIRING


def _has_event(stage: Stage, kind: str) -> bool:
    with stage.rig.rows() as session:
        return session.scalar(select(Event.id).where(Event.kind == kind).limit(1)) is not None


def _storage_state(stage: Stage) -> str:
    with stage.rig.rows() as session:
        return str(session.scalar(select(Node.storage_state)))
