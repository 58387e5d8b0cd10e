"""Measures what killing costs: ffmpeg, the worker under `scripts/run`, a hand-over, and a whole node.

Gaps are read from the bar codes as well as from the rows; the greater one counts.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from cctv.demo.profiles import PROFILES
from scripts.benchmark.figure import Figure
from scripts.benchmark.node import Node, node
from tests.cameras import numbers_in
from tests.capture.rig import Cam
from tests.fixtures.processes import ProductProcess
from tests.servers import free_port
from tests.waiting import wait_until

PROFILE = "t1"  # GOP 1 s
FACTS = PROFILES[PROFILE]


def measure(*, seconds: float = 300) -> list[Figure]:
    """Five killed ffmpegs, two workers, one node; fewer ffmpegs when quick."""
    return [killed_ffmpeg(5 if seconds >= 60 else 2), *killed_and_replaced_worker(), dead_node()]


def killed_ffmpeg(count: int) -> Figure:
    """kill -9 of an ffmpeg; the worker begins a new run."""
    with node(PROFILE) as site:
        worker = site.run_worker()
        cams = [site.add(PROFILE, number) for number in range(1, count + 1)]
        site.wait_live(*cams)
        time.sleep(12)  # an attempt that lived for ten seconds counts as a good one
        for cam in cams:
            pid = site.pid(cam)
            os.kill(pid, signal.SIGKILL)
            site.pid(cam, other_than=pid)
            time.sleep(1.1)
        time.sleep(5)
        worker.stop()
        gaps = [_gap_seconds(site, cam) for cam in cams]
    how = "GOP 1 s; each: " + ", ".join(f"{gap:.2f}" for gap in gaps)
    return Figure("gap after kill -9 of ffmpeg, worst", max(gaps), "s", how, 1.5)


def _gap_seconds(site: Node, cam: Cam) -> float:
    """Between the last picture of the first run and the first of the second."""
    first, second = site.runs(cam)[:2]
    files = {
        run.id: [file for file in site.segments(cam) if file.run_id == run.id] for run in (first, second)
    }
    by_rows = (files[second.id][0].started_ms - files[first.id][-1].ended_ms) / 1000
    last = numbers_in(site.path(cam, files[first.id][-1]))[-1]
    next_one = numbers_in(site.path(cam, files[second.id][0]))[0]
    assert last is not None and next_one is not None
    return max(by_rows, ((next_one - last) % FACTS.frames - 1) / FACTS.fps)


def killed_and_replaced_worker() -> list[Figure]:
    """kill -9 and USR1 of the capture worker of a running system; the supervisor starts the next one."""
    with node(PROFILE) as site:
        stack = _run_script(site)
        try:
            cams = [site.add(PROFILE, number) for number in range(11, 14)]
            site.wait_live(*cams, timeout=60)
            time.sleep(5)
            pauses = [_replace_worker(site, cams[0], number) for number in (signal.SIGKILL, signal.SIGUSR1)]
            time.sleep(8)
        finally:
            stack.stop(timeout=30)
        lost = {cam: site.missing_pictures(cam, PROFILE) for cam in cams}
        runs = sum(len(site.runs(cam)) for cam in cams)
    missing = sum(missing for missing, _ in lost.values()) / FACTS.fps
    pictures = sum(count for _, count in lost.values())
    names = ("gap after kill -9 of the worker", "gap after a planned hand-over")
    how = f"{pictures} pictures of 3 cameras read, {runs} runs; the next worker had them after"
    return [
        Figure(name, missing, "s", f"{how} {pause:.1f} s", 0)
        for name, pause in zip(names, pauses, strict=True)
    ]


def _run_script(site: Node) -> ProductProcess:
    argv = [sys.executable, "-m", "scripts.stack", "--port", str(free_port())]
    return ProductProcess("stack", argv, site.config, DEMO_CAMERA_URL=site.farm.url(PROFILE, 99))


def _replace_worker(site: Node, cam: Cam, number: signal.Signals) -> float:
    """Seconds until the next worker has claimed the camera."""
    row = site.stream(cam)
    os.kill(int((row.owner_worker or "").partition(":")[0]), number)
    began = time.monotonic()
    wait_until(lambda: site.stream(cam).fence > row.fence, 30, "the next worker")
    return time.monotonic() - began


def dead_node() -> Figure:
    """A machine dies with everything on it; the worker of another one, with another disk, goes on."""
    with tempfile.TemporaryDirectory(prefix="bench-other-") as folder, node(PROFILE) as site:
        worker = site.run_worker()
        cams = [site.add(PROFILE, number) for number in range(21, 24)]
        site.wait_live(*cams)
        other = site.beside(Path(folder))
        try:
            standby = other.run_worker()
            time.sleep(6)
            worker.kill()
            for running in site.captures():
                os.kill(running.pid, signal.SIGKILL)
            died_ms = time.time() * 1000
            for cam in cams:
                wait_until(lambda cam=cam: other.captures(cam), 40, "the takeover")  # type: ignore[misc]
            time.sleep(4)
            standby.stop()
            begins = [site.segments(cam)[0].started_ms for cam in cams]  # the dead node's file has no row yet
        finally:
            other.close()
    pauses = [(begin - died_ms) / 1000 for begin in begins]
    how = "3 cameras; from the death to the first picture on the other disk: " + ", ".join(
        f"{pause:.1f}" for pause in pauses
    )
    return Figure("another worker takes over a dead node's cameras", max(pauses), "s", how, 20)
