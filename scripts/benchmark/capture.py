"""Measures what capturing costs: CPU against bare ffmpegs on the same cameras at the same time, and memory.

Everything of ours counts: the ffmpegs, the worker with its indexer and syncer, and the checks it starts.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from scripts.benchmark.figure import Figure
from scripts.benchmark.node import Node, exact_cpu_ms, node, pss_mb, whole_cpu_ms
from tests.capture.rig import Cam

PROFILES = ("a4", "c2")  # 1080p25, 4 Mbit/s with AAC and 2 Mbit/s without, in turn
FEW, MANY = 8, 32
_SETTLE_SECONDS = 12.0


def measure(*, seconds: float = 300) -> list[Figure]:
    """Three windows of a minute (each file is closed once in it); half a minute when quick."""
    windows = [60.0] * 3 if seconds >= 60 else [30.0]
    with node(*PROFILES) as site:
        worker = site.run_worker().process.pid
        cams = _add(site, range(FEW))
        few = _memory(site, worker)
        cams += _add(site, range(FEW, MANY))
        many = _memory(site, worker)
        with _bare(site) as bare:
            time.sleep(_SETTLE_SECONDS)
            seen = [_window(site, worker, bare, window) for window in windows]
    return [*_cost(seen, len(cams)), _per_camera(few, many)]


def _add(site: Node, numbers: range) -> list[Cam]:
    cams = [site.add(PROFILES[number % 2], number) for number in numbers]
    site.wait_live(*cams, timeout=60)
    time.sleep(_SETTLE_SECONDS)
    return cams


def _memory(site: Node, worker: int) -> tuple[float, float]:
    """MB of the worker and of all ffmpegs."""
    return pss_mb(worker), sum(pss_mb(found.pid) for found in site.captures())


@contextmanager
def _bare(site: Node) -> Iterator[list[int]]:
    """As many ffmpegs, each copying a camera of the same kind into one file with no option that costs."""
    with tempfile.TemporaryDirectory(prefix="bench-bare-") as folder:
        running = []
        try:
            for number in range(MANY):
                url = site.farm.url(PROFILES[number % 2], 1000 + number)
                quiet = ["-nostdin", "-hide_banner", "-loglevel", "error", "-rtsp_transport", "tcp"]
                target = str(Path(folder) / f"{number}.mp4")
                running.append(subprocess.Popen(["ffmpeg", *quiet, "-i", url, "-c", "copy", target]))
                time.sleep(0.1)
            yield [child.pid for child in running]
        finally:
            for child in running:
                child.kill()
                child.wait()


def _window(site: Node, worker: int, bare: list[int], seconds: float) -> tuple[float, float, float]:
    """CPU milliseconds per camera-second of bare ffmpegs, of our ffmpegs and of the worker."""
    ours = [found.pid for found in site.captures()]
    assert len(ours) == len(bare) == MANY, f"{len(ours)} captures and {len(bare)} bare ffmpegs"

    def look() -> tuple[float, float, float, float]:
        at = time.monotonic()
        return at, sum(map(exact_cpu_ms, bare)), sum(map(exact_cpu_ms, ours)), whole_cpu_ms(worker)

    before = look()
    time.sleep(seconds)
    after = look()
    assert {found.pid for found in site.captures()} == set(ours), "a capture was begun anew while measuring"
    elapsed, *spent = (late - early for early, late in zip(before, after, strict=True))
    bare_ms, ffmpeg_ms, python_ms = (one / elapsed / MANY for one in spent)
    return bare_ms, ffmpeg_ms, python_ms


def _cost(seen: list[tuple[float, float, float]], cameras: int) -> list[Figure]:
    bare, ffmpeg, python = (median(one[column] for one in seen) for column in range(3))
    ratios = [(one[1] + one[2]) / one[0] for one in seen]
    each = ", ".join(f"{ratio:.3f}" for ratio in ratios)
    how = f"bare {bare:.2f}, ours {ffmpeg:.2f} + {python:.2f} ms/s a camera; windows {each}"
    return [
        Figure(f"capture of {cameras} cameras against bare ffmpeg", median(ratios), "x", how, 1.2),
        Figure("Python in that", python, "ms/s", "worker, indexer, syncer, disk checks; a camera", 0.3),
    ]


def _per_camera(few: tuple[float, float], many: tuple[float, float]) -> Figure:
    more = (sum(many) - sum(few)) / (MANY - FEW)
    worker, ffmpegs = many
    how = f"PSS, {FEW} to {MANY} cameras; then worker {worker:.0f} MB, an ffmpeg {ffmpegs / MANY:.1f} MB"
    return Figure("memory of one more camera", more, "MB", how, 16)
