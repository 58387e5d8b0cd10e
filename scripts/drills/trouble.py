"""The disk of the footage does not do what it should: refuses, hangs, is slow, gone, or another (27 to 30).

On an ext4 of the drill's own, in an image; what a disk does when it is full stands in disk.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator

from sqlalchemy import select

from cctv.clock import now_ms
from cctv.models import Event, Node, Segment
from cctv.services.footage import reconcile
from cctv.services.site import nodes
from scripts.drills import invariants
from scripts.drills.catalogue import drill
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from scripts.drills.volumes import Volume
from tests.capture.rig import Cam


@drill(
    "disk-read-only",
    "27",
    "the file system becomes read-only, as ext4 does after an error, and is checked and mounted again",
    "told within 30 s, nothing deleted, pages live; recording again after the remount",
    volume="ext4",
    is_shared=False,
)
def read_only(stage: Stage, trial: Trial) -> None:
    cam, at_ms = _recorded(stage)
    away = trial.pick(6, 60)
    trial.fault = f"aborted, and so read-only, for {away:g} s"
    before = _ids(stage, cam)
    subprocess.run(["mount", "-o", "remount,abort", str(stage.config.media_dir)], check=True)
    _told(stage, trial, cam, "read_only")
    time.sleep(away)
    trial.require(before <= _ids(stage, cam), "rows were pruned")
    _mount_again(stage)
    _recorded_again(stage, trial, cam, at_ms)


@drill(
    "disk-error",
    "27",
    "the disk answers writes with I/O errors; later it takes them, is checked and mounted again",
    "told within 30 s, nothing of the index pruned, pages live; recording again after the remount",
    volume="thin",
    is_shared=False,
)
def error(stage: Stage, trial: Trial) -> None:
    assert stage.volume is not None
    cam, at_ms = _recorded(stage)
    before = _ids(stage, cam)
    away = trial.pick(6, 60)
    trial.fault = f"every write that needs a new block fails with EIO for {away:g} s"
    with stage.volume.failing():
        _told(stage, trial, cam, "read_only")
        time.sleep(away)
        trial.require(before <= _ids(stage, cam), "rows were pruned")
    _mount_again(stage)  # an ext4 whose journal met an error stays read-only until then
    _recorded_again(stage, trial, cam, at_ms)


@drill(
    "disk-hung",
    "28",
    "the disk does not answer any write, as a dead network disk",
    "told within 30 s, pages within 2 s, no second writer; goes on by itself",
    volume="ext4",
    is_shared=False,
)
def hung(stage: Stage, trial: Trial) -> None:
    cam, at_ms = _recorded(stage)
    away = trial.pick(8, 60)
    trial.fault = f"frozen for {away:g} s"
    with _frozen(stage):
        _told(stage, trial, cam, "hung")
        trial.within("stated", 30, lambda: stage.rig.stream(cam).cause == "disk_hung", patience_s=60)
        time.sleep(away)
        trial.require(stage.count_captures()[cam.camera_id] <= 1, "a second writer")
    _recorded_again(stage, trial, cam, at_ms)


@drill(
    "disk-slow",
    "29",
    "the disk stalls again and again, for a second and a half at a time",
    "the lag is shown; nothing is dropped without a word",
    volume="ext4",
    is_shared=False,
)
def slow(stage: Stage, trial: Trial) -> None:
    cam, at_ms = _recorded(stage)
    trial.fault = "frozen for 1.5 s, usable for 0.5 s, in turn"
    seconds, shown = trial.pick(15, 90), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with _frozen(stage):
            time.sleep(1.5)
        time.sleep(0.5)
        shown = max(shown, _lag(stage))
    trial.seen.append(f"a small write was said to take {shown} ms")
    trial.require(shown >= 300, "the lag is not shown")
    trial.within("recorded", 15, stage.is_flowing(cam), patience_s=60)
    stage.wait_row_after(cam, now_ms())
    lost_ms = stage.lost_ms(cam, at_ms)
    trial.lost.append(f"{lost_ms / 1000:.1f} s, {stage.pictures_lost(cam, at_ms)} pictures inside the runs")
    trial.require(stage.pictures_lost(cam, at_ms) == 0, "pictures are missing inside a run")


@drill(
    "volume-missing",
    "30",
    "the disk is not mounted: its mount point is an empty folder; then another disk is there",
    "nothing written there, the index not pruned, an alarm; heals when the right disk is back",
    volume="ext4",
    is_shared=False,
)
def gone(stage: Stage, trial: Trial) -> None:
    assert stage.volume is not None
    cam, at_ms = _recorded(stage)
    before = _ids(stage, cam)
    trial.fault = "pulled off; then an empty disk in its place; then the right one"
    stage.volume.unmount()
    _kill_captures(stage)
    _told(stage, trial, cam, "missing")
    time.sleep(trial.pick(4, 30))
    _untouched(stage, trial, cam, before, "the mount point")
    other = Volume(stage.top / "other", "ext4", size_mb=64)
    other.unmount()
    subprocess.run(["mount", "-o", "loop", str(other.image), str(stage.volume.folder)], check=True)
    time.sleep(trial.pick(4, 30))
    trial.require(_state(stage) == "missing", f"another disk is taken for ours: {_state(stage)}")
    _untouched(stage, trial, cam, before, "another disk")
    subprocess.run(["umount", "-l", str(stage.volume.folder)], check=True)
    stage.volume.mount()
    _recorded_again(stage, trial, cam, at_ms)
    trial.require(before <= _ids(stage, cam), "rows were pruned")


def _recorded(stage: Stage) -> tuple[Cam, int]:
    """A camera with a closed file, and now."""
    cam = stage.camera()
    stage.rig.wait_closed(cam, 2, timeout=60)
    return cam, now_ms()


def _told(stage: Stage, trial: Trial, cam: Cam, state: str) -> None:
    trial.within("told of the machine", 30, lambda: _state(stage) == state, patience_s=90)
    trial.within("told on the camera", 30, lambda: stage.rig.stream(cam).state == "storage", patience_s=90)


def _recorded_again(stage: Stage, trial: Trial, cam: Cam, at_ms: int) -> None:
    trial.within("recorded again", 60, stage.is_flowing(cam), patience_s=120)
    stage.wait_row_after(cam, now_ms())
    trial.lost.append(f"{stage.lost_ms(cam, at_ms) / 1000:.1f} s")
    limit = 2.0 if trial.is_long else 4.0
    trial.failures += invariants.slow_answers(stage.onlooker, trial.began, limit_s=limit)


def _mount_again(stage: Stage) -> None:
    """As an operator after an error of the file system."""
    assert stage.volume is not None
    _kill_captures(stage)
    stage.volume.unmount()
    time.sleep(1.0)
    subprocess.run(["e2fsck", "-fy", str(stage.volume.image)], check=False, capture_output=True)
    stage.volume.mount()


def _untouched(stage: Stage, trial: Trial, cam: Cam, before: set[int], where: str) -> None:
    """Neither that folder nor the index changed, also when they are compared."""
    with stage.rig.rows():
        report = reconcile.run(nodes.this_node())
    written = [path.name for path in stage.config.media_dir.iterdir() if path.name != "lost+found"]
    trial.require(report.is_tripped, f"reconcile took {where} for the footage: {report}")
    trial.require(not written, f"something was written to {where}: {written}")
    trial.require(before <= _ids(stage, cam), f"rows were pruned with {where}")
    with stage.rig.rows() as session:
        told = session.scalar(select(Event.id).where(Event.kind == "storage").limit(1))
    trial.require(told is not None, f"no alarm with {where}")


def _ids(stage: Stage, cam: Cam) -> set[int]:
    with stage.rig.rows() as session:
        return set(session.scalars(select(Segment.id).where(Segment.stream_id == cam.stream_id)))


def _state(stage: Stage) -> str:
    with stage.rig.rows() as session:
        return str(session.scalar(select(Node.storage_state)))


def _lag(stage: Stage) -> int:
    with stage.rig.rows() as session:
        return int(session.scalar(select(Node.write_lag_ms)) or 0)


def _kill_captures(stage: Stage) -> None:
    """Whoever still writes to what is no longer there."""
    for capture in stage.rig.captures():
        with contextlib.suppress(ProcessLookupError):
            os.kill(capture.pid, signal.SIGKILL)


@contextlib.contextmanager
def _frozen(stage: Stage) -> Iterator[None]:
    """The file system takes no write meanwhile. However the drill ends, nobody is left waiting for it."""
    folder = str(stage.config.media_dir)
    thaw = ["fsfreeze", "--unfreeze", folder]
    backstop = subprocess.Popen(["sh", "-c", 'sleep 180; exec "$@"', "sh", *thaw], stderr=subprocess.DEVNULL)
    subprocess.run(["fsfreeze", "--freeze", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(thaw, check=True)
        backstop.kill()
        backstop.wait()
