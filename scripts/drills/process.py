"""Deaths of our own processes (rows 11 to 14, 16, 17): killed, leaking, flooded, told to end.

Other machines are in nodes.py.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import psutil

from cctv.clock import now_ms
from cctv.models import Segment
from cctv.storage import paths
from scripts.drills import invariants
from scripts.drills.catalogue import drill
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from tests.capture.rig import Cam


@drill(
    "ffmpeg-killed", "11", "kill -9 of an ffmpeg", "restart within 5 s, the torn file kept, gap at most 10 s"
)
def ffmpeg_killed(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    time.sleep(2)
    pid, at_ms = stage.rig.pid(cam), now_ms()
    trial.fault = "kill -9 of its ffmpeg"
    os.kill(pid, signal.SIGKILL)
    trial.within("another ffmpeg", 5, lambda: _pid_other(stage, cam, pid), patience_s=20)
    stage.wait_row_after(cam, now_ms())
    lost_ms = _lost(stage, trial, cam, at_ms - 2_000)
    trial.require(lost_ms <= 10_000, f"{lost_ms} ms lost")
    torn = [row for row in stage.rig.segments(cam) if row.started_ms < at_ms]
    kept_to = max((row.ended_ms for row in torn), default=0)
    trial.seen.append(f"the torn file is kept up to {(at_ms - kept_to) / 1000:.1f} s before the kill")
    trial.require(at_ms - kept_to < 2_000, "the torn file is not kept to its last fragment")
    _gap_row(stage, trial, cam, "killed")


@drill(
    "ffmpeg-leak",
    "12",
    "the messages of an ffmpeg flood; then it runs into a limit of its resources",
    "limits are set, the log is cut, no pipe can block, restart within 5 s",
)
def ffmpeg_leak(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    pid, at_ms = stage.rig.pid(cam), now_ms()
    trial.fault = "8 MB of messages; then a limit of its resources is reached"
    limits = {
        name: resource.prlimit(pid, getattr(resource, name))[0] for name in ("RLIMIT_AS", "RLIMIT_CORE")
    }
    trial.seen.append(f"memory limit {limits['RLIMIT_AS'] / 2**30:.0f} GiB")
    trial.require(limits["RLIMIT_AS"] != resource.RLIM_INFINITY, "no limit of memory")
    streams = {str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in (0, 1, 2)}
    trial.require(not any(target.startswith("pipe:") for target in streams), f"a pipe among {streams}")
    log = paths.log_path(stage.config.media_dir / str(cam.camera_id) / stage.rig.captures(cam)[0].run_key)
    with log.open("ab") as file:
        file.write(b"[h264 @ 0x5] a message that comes again and again\n" * 160_000)
    trial.within("log cut", 10, lambda: log.stat().st_size < 2**20, patience_s=30)
    trial.require(_pid_other(stage, cam, 0) == pid, "the flood ended the capture")
    resource.prlimit(
        pid, resource.RLIMIT_FSIZE, (4096, 4096)
    )  # any limit will do, and this one comes at once
    trial.within("another ffmpeg", 5, lambda: _pid_other(stage, cam, pid), patience_s=20)
    stage.wait_row_after(cam, now_ms())
    lost_ms = _lost(stage, trial, cam, at_ms)
    trial.require(lost_ms <= 10_000, f"{lost_ms} ms lost")


@drill(
    "worker-killed",
    "13",
    "kill -9 of the capture worker",
    "recording goes on (adopted by the next worker), never two writers",
)
def worker_killed(stage: Stage, trial: Trial) -> None:
    cams = [stage.camera(), stage.camera()]
    pids, at_ms = [stage.rig.pid(cam) for cam in cams], now_ms()
    trial.fault = "kill -9 of the worker, ffmpegs live on"
    old = stage.kill("capture")
    trial.within("another worker", 15, lambda: stage.pid_of("capture") not in (None, old), patience_s=30)
    trial.within("renewed", 15, lambda: all(_is_renewed(stage, cam, at_ms) for cam in cams), patience_s=40)
    for cam, pid in zip(cams, pids, strict=True):
        stage.wait_row_after(cam, now_ms())
        trial.require(stage.rig.pid(cam) == pid, "the ffmpeg was not adopted")
        _nothing_lost(stage, trial, cam, at_ms)


@drill(
    "worker-group-killed",
    "14",
    "kill -9 of the capture worker and all of its ffmpegs",
    "recording again within 15 s",
)
def worker_group_killed(stage: Stage, trial: Trial) -> None:
    cams = [stage.camera(), stage.camera()]
    pids, at_ms = [stage.rig.pid(cam) for cam in cams], now_ms()
    trial.fault = "kill -9 of the worker and every ffmpeg at once"
    stage.kill("capture")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    flowing = [stage.is_flowing(cam) for cam in cams]
    trial.within("recording again", 15, lambda: all(ask() for ask in flowing), patience_s=60)
    for cam in cams:
        stage.wait_row_after(cam, now_ms())
        lost_ms = _lost(stage, trial, cam, at_ms - 1_000)
        trial.require(lost_ms <= 15_000, f"{lost_ms} ms lost")


@drill("web-killed", "16", "kill -9 of the web server", "recording untouched, the session is still valid")
def web_killed(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    pid, at_ms = stage.rig.pid(cam), now_ms()
    trial.fault = "kill -9 of gunicorn and its worker, then of its worker alone"
    for which in ("all", "worker"):
        old = stage.pid("web")
        children = psutil.Process(old).children()
        if which == "all":
            os.kill(old, signal.SIGKILL)
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
        trial.within(
            f"pages again ({which})",
            15,
            lambda: stage.onlooker.ask("/wall/status").status in (200, 204),
            patience_s=40,
        )
    stage.wait_row_after(cam, now_ms())
    trial.require(stage.rig.pid(cam) == pid, "the capture was ended")
    _nothing_lost(stage, trial, cam, at_ms)
    trial.seen.append("the session of before was accepted")


@drill(
    "stop",
    "17",
    "TERM to everything, as for a deploy, and a start again",
    "drained within 10 s, the last file closed and indexed, at most 3 s lost besides the time stopped",
)
def stop(stage: Stage, trial: Trial) -> None:
    cams = [stage.camera(), stage.camera()]
    time.sleep(2)
    trial.fault = "TERM to the supervisor"
    at_ms = now_ms()
    took = stage.stop()
    trial.healed.append(f"stopped after {took:.1f} s")
    trial.require(took <= 10, f"the stop took {took:.1f} s")
    trial.require(not stage.rig.captures(), "an ffmpeg was left")
    for cam in cams:
        last = max((row.ended_ms for row in stage.rig.segments(cam)), default=0)
        trial.lost.append(f"camera {cam.number}: {(at_ms - last) / 1000:.1f} s before the stop")
        trial.require(at_ms - last <= 1_500, f"the last row ends {at_ms - last} ms before the stop")
    trial.failures += invariants.files_without_rows(stage.rig)
    began_ms = now_ms()
    stage.start()
    for cam in cams:
        trial.within("live", 20, stage.is_live(cam), patience_s=40)
        first = min(row.started_ms for row in _rows_after(stage, cam, began_ms))
        trial.seen.append(f"first picture {(first - began_ms) / 1000:.1f} s after the start")


@drill("hand-over", "17", "USR1 to the capture worker, as for an update", "nothing is lost")
def hand_over(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    pid, at_ms = stage.rig.pid(cam), now_ms()
    trial.fault = "USR1; the supervisor starts the next worker"
    old = stage.pid("capture")
    os.kill(old, signal.SIGUSR1)
    trial.within("another worker", 15, lambda: stage.pid_of("capture") not in (None, old), patience_s=30)
    trial.within("renewed", 15, lambda: _is_renewed(stage, cam, now_ms() - 3_000), patience_s=30)
    stage.wait_row_after(cam, now_ms())
    trial.require(stage.rig.pid(cam) == pid, "the ffmpeg was not adopted")
    _nothing_lost(stage, trial, cam, at_ms)


def _rows_after(stage: Stage, cam: Cam, at_ms: int) -> list[Segment]:
    stage.wait_row_after(cam, at_ms)
    return [row for row in stage.rig.segments(cam) if row.ended_ms > at_ms]


def _pid_other(stage: Stage, cam: Cam, than: int) -> int | None:
    return next((found.pid for found in stage.rig.captures(cam) if found.pid != than), None)


def _is_renewed(stage: Stage, cam: Cam, after_ms: int) -> bool:
    """Whether a worker that lives now has renewed the row."""
    row = stage.rig.stream(cam)
    pid = stage.pid_of("capture")
    return row.renewed_ms > after_ms and (row.owner_worker or "").startswith(f"{pid}:")


def _lost(stage: Stage, trial: Trial, cam: Cam, since_ms: int) -> int:
    lost_ms = stage.lost_ms(cam, since_ms)
    trial.lost.append(f"camera {cam.number}: {lost_ms / 1000:.1f} s")
    return lost_ms


def _nothing_lost(stage: Stage, trial: Trial, cam: Cam, since_ms: int) -> None:
    lost_ms = _lost(stage, trial, cam, since_ms)
    pictures = stage.pictures_lost(cam, since_ms)
    trial.seen.append(f"{pictures} pictures lost by the bar codes")
    trial.require(lost_ms == 0 and pictures == 0, f"{lost_ms} ms and {pictures} pictures lost")


def _gap_row(stage: Stage, trial: Trial, cam: Cam, cause: str) -> None:
    trial.within("gap row", 40, lambda: any(gap.cause == cause for gap in stage.rig.gaps(cam)), patience_s=40)
