"""Faults of cameras (rows 1 to 9): the cameras of the tests are told to misbehave.

The causes in every detail are in tests/capture; here is what each costs, with the product's own patience.
"""

from __future__ import annotations

import functools
import time

import psutil

from cctv.clock import now_ms
from cctv.services.movement import activity_watch
from cctv.services.site import nodes
from scripts.drills import invariants
from scripts.drills.catalogue import drill
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from tests.cameras import numbers_in
from tests.capture.rig import Cam

_DAY_S = 86_400


@drill(
    "camera-stall",
    "1",
    "a camera stops sending while its connection stays open, and later goes on",
    "told frozen within 15 s, a new attempt, gap = stall + at most 15 s",
)
def stall(stage: Stage, trial: Trial) -> None:
    cam, away = stage.camera(), trial.pick(6, 40)
    trial.fault = f"no media for {away:g} s"
    at_ms = now_ms()
    stage.control("stall", cam)
    trial.within("told", 15, lambda: stage.rig.stream(cam).state in ("frozen", "offline"), patience_s=30)
    time.sleep(max(0.0, away - (now_ms() - at_ms) / 1000))
    stage.control("resume", cam)
    trial.within("recorded again", 15, stage.is_flowing(cam), patience_s=60)
    _lost(stage, trial, cam, at_ms, at_most_s=away + 15)


@drill(
    "camera-hang",
    "1",
    "a session of a camera goes silent; a new connection would work",
    "a new attempt by our own watchdog, gap at most 15 s",
)
def hang(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    pid, at_ms = stage.rig.pid(cam), now_ms()
    trial.fault = "the open session sends nothing more"
    stage.control("hang", cam)
    trial.within("another ffmpeg", 15, lambda: _pid(stage, cam) not in (None, pid), patience_s=40)
    trial.within("live again", 15, lambda: stage.rig.stream(cam).state == "live", patience_s=40)
    _lost(stage, trial, cam, at_ms, at_most_s=15)


@drill(
    "camera-silent",
    "2",
    "a camera accepts and never answers; another answers late",
    "given up after 60 s and told, no thread left over; the slow one is recorded",
)
def silent(stage: Stage, trial: Trial) -> None:
    mute, slow = stage.camera(wait=False), stage.camera(wait=False)
    stage.control("freeze", mute)
    stage.control("slow", slow, trial.pick(4, 25))
    trial.fault = f"DESCRIBE is never answered; answered after {trial.pick(4, 25):g} s"
    worker = psutil.Process(stage.pid("capture"))
    threads = worker.num_threads()
    limit = trial.pick(12, 60) + 15
    trial.within("the silent one told", limit, lambda: _told(stage, mute, "silent"), patience_s=limit + 30)
    trial.within("the slow one live", limit, lambda: stage.rig.stream(slow).state == "live", patience_s=60)
    grown = worker.num_threads() - threads
    trial.seen.append(f"{grown:+d} threads in the worker")
    trial.require(grown <= 4, f"{grown} more threads in the worker")


@drill(
    "camera-ends",
    "3",
    "cameras close in order, reset, answer 404, 453 and 401",
    "new run at once after an end; 404, 453 and 401 told by name; 401 tried once in 5 minutes",
)
def ends(stage: Stage, trial: Trial) -> None:
    fin, rst = stage.camera(), stage.camera()
    trial.fault = "FIN, RST, 404, 453, a changed password"
    missing, busy = stage.camera(wait=False), stage.camera(wait=False)
    stage.control("status", missing, 404)
    stage.control("status", busy, 453)
    locked = stage.camera(auth=True)
    at_ms = now_ms()
    stage.control("password", locked, "changed")
    for verb, cam in (("kill", fin), ("rst", rst), ("kill", locked)):
        stage.control(verb, cam)
    for cam, cause in ((missing, "path"), (busy, "busy"), (locked, "locked")):
        trial.within(f"{cause} told", 20, functools.partial(_told, stage, cam, cause), patience_s=40)
    for cam in (fin, rst):
        trial.within("recorded again", 10, stage.is_flowing(cam), patience_s=30)
        _lost(stage, trial, cam, at_ms, at_most_s=10)
    before = stage.farm.control.stats(locked.number)["logins_refused"]
    time.sleep(trial.pick(1, 30))
    tries = stage.farm.control.stats(locked.number)["logins_refused"] - before
    trial.seen.append(f"{tries} more logins in {trial.pick(1, 30):g} s")
    trial.require(tries <= 1, "the refused login was tried again and again")


@drill(
    "camera-all-back",
    "4",
    "all cameras go and come back together, as after the restart of a switch",
    "connections are staggered, every camera is back within 20 s, no storm of CPU",
)
def all_back(stage: Stage, trial: Trial) -> None:
    cams = [stage.camera(wait=False) for _ in range(int(trial.pick(6, 16)))]
    stage.rig.wait_live(*cams, timeout=60)
    away = trial.pick(3, 20)
    trial.fault = f"{len(cams)} cameras refuse TCP for {away:g} s"
    at_ms = now_ms()
    worker = psutil.Process(stage.pid("capture"))
    spent = sum(worker.cpu_times()[:2])
    stage.farm.control("down", "all", away)
    time.sleep(away)
    flowing = [stage.is_flowing(cam) for cam in cams]
    trial.within("all recorded again", 20, lambda: all(ask() for ask in flowing), patience_s=60)
    spent = sum(worker.cpu_times()[:2]) - spent
    trial.seen.append(f"{spent:.1f} s of CPU in the worker")
    _lost(stage, trial, cams[-1], at_ms, at_most_s=away + 20)


@drill(
    "camera-clock",
    "5",
    "the clock of a camera jumps 12 hours ahead, another's an hour back",
    "no segment is longer than its time of day allows, order is kept",
)
def clock(stage: Stage, trial: Trial) -> None:
    ahead, behind = stage.camera(), stage.camera()
    trial.fault = "RTP time + 12 h and - 1 h"
    at_ms = now_ms()
    stage.control("jump", ahead, _DAY_S // 2)
    stage.control("back", behind, 3600)
    for cam in (ahead, behind):
        trial.within("a second run", 30, functools.partial(_has_new_run, stage, cam), patience_s=60)
        stage.wait_row_after(cam, now_ms())
        rows = stage.rig.segments(cam)
        longest = max(row.ended_ms - row.started_ms for row in rows)
        trial.require(longest <= 9_000, f"a segment of {longest} ms although files are cut at 5 s")
        trial.require(max(row.ended_ms for row in rows) < now_ms() + 2_000, "footage from the future")
        runs = [row.run_id for row in sorted(rows, key=lambda row: row.started_ms)]
        trial.require(runs == sorted(runs), "the runs are out of order")
        _lost(stage, trial, cam, at_ms, at_most_s=20)


@drill(
    "camera-size",
    "6",
    "a camera changes its picture size in the middle of the stream",
    "a new run with its own init at most one segment later; both decode",
)
def size(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    at_ms = now_ms()
    trial.fault = "320x240 becomes 480x270"
    stage.control("switch", cam, "t1w")
    trial.within("a run of the new size", 10, lambda: stage.rig.stream(cam).width == 480, patience_s=30)
    stage.wait_row_after(cam, now_ms())
    runs = {run.id: (run.width, run.height) for run in stage.rig.runs(cam)}
    for row in stage.rig.segments(cam):
        width, height = runs[row.run_id]
        known = [n for n in numbers_in(stage.rig.path(cam, row), width=width, height=height) if n is not None]
        trial.require(bool(known), f"file {row.number} does not decode at {width}x{height}")
    trial.require(set(runs.values()) == {(320, 240), (480, 270)}, f"runs of {set(runs.values())}")
    _lost(stage, trial, cam, at_ms, at_most_s=10)


@drill(
    "camera-garbage",
    "7",
    "a camera sends damaged packets",
    "the bytes are kept and their file is marked, the run goes on, no storm of restarts",
)
def garbage(stage: Stage, trial: Trial) -> None:
    cam, count = stage.camera(), int(trial.pick(20, 100))
    at_ms = now_ms()
    trial.fault = f"{count} damaged pictures"
    stage.control("garbage", cam, count)
    time.sleep(count / 10 + 1)
    trial.damaged_until_ms = now_ms()
    stage.wait_row_after(cam, trial.damaged_until_ms)
    trial.require(len(stage.rig.runs(cam)) == 1, f"{len(stage.rig.runs(cam))} runs")
    with stage.rig.rows():
        activity_watch.watch(nodes.this_node().id)
    marked = [row for row in stage.rig.segments(cam) if row.damage == "transit"]
    trial.require(bool(marked), "no file is marked")
    trial.require(all(row.ended_ms > at_ms for row in marked), "a file from before the fault is marked")
    _lost(stage, trial, cam, at_ms, at_most_s=0.2)


@drill(
    "camera-sound",
    "8",
    "sound as G.711, no sound, and sound that stops",
    "the picture is recorded always",
)
def sound(stage: Stage, trial: Trial) -> None:
    cams = [stage.camera(profile, wait=False) for profile in ("t1p", "t1", "t1a")]
    stage.rig.wait_live(*cams, timeout=60)
    at_ms = now_ms()
    trial.fault = "PCMA; none; AAC that stops"
    stage.control("mute", cams[2])
    for cam in cams:
        stage.wait_row_after(cam, at_ms + 4_000)
        _lost(stage, trial, cam, at_ms, at_most_s=0.2)
        trial.require(len(stage.rig.runs(cam)) <= 2, "more runs than the one that learns of the sound")


@drill(
    "camera-long-gop",
    "9",
    "a camera sends a key frame every 20 s",
    "recorded, and never ended by the watchdog",
)
def long_gop(stage: Stage, trial: Trial) -> None:
    cam = stage.camera("t20")
    trial.fault = "20 s from key frame to key frame"
    rows = int(trial.pick(2, 4))
    stage.rig.wait_closed(cam, rows, timeout=30 * rows)
    trial.require(len(stage.rig.runs(cam)) == 1, "the run was ended")
    trial.require(stage.rig.stream(cam).state == "live", "not live")
    trial.seen.append(f"{rows} files of one run")


def _pid(stage: Stage, cam: Cam) -> int | None:
    return next((found.pid for found in stage.rig.captures(cam)), None)


def _has_new_run(stage: Stage, cam: Cam) -> bool:
    return len(stage.rig.runs(cam)) > 1


def _told(stage: Stage, cam: Cam, cause: str) -> bool:
    return any(told == cause for _, told in stage.rig.history(cam))


def _lost(stage: Stage, trial: Trial, cam: Cam, since_ms: int, *, at_most_s: float) -> None:
    """Footage lost since then, with the rest of what every camera fault demands."""
    stage.wait_row_after(cam, now_ms())
    lost_s = stage.lost_ms(cam, since_ms) / 1000
    trial.lost.append(f"camera {cam.number}: {lost_s:.1f} s")
    trial.require(lost_s <= at_most_s, f"lost {lost_s:.1f} s, at most {at_most_s:g} s are allowed")
    limit = 2.0 if trial.is_long else 4.0
    trial.failures += invariants.slow_answers(stage.onlooker, trial.began, limit_s=limit)
