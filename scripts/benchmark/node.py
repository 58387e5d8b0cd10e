"""A whole node to measure: database, Redis, demo cameras and the product's own capture worker, nothing
shortened.

Asked from outside like the tests' rig, which it is; what is measured stands in the modules beside it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from cctv.config import Config
from cctv.demo.profiles import PROFILES
from tests.cameras import CameraFarm, numbers_in, steps_of
from tests.capture.rig import Cam, Rig
from tests.fixtures.application import make_config, migrate
from tests.fixtures.processes import ProductProcess
from tests.servers import RedisServer

WORKER = [sys.executable, "worker.py", "capture"]


class Node(Rig):
    """A rig whose worker is started as `scripts/run` starts it."""

    def run_worker(self) -> ProductProcess:
        """Start the capture worker."""
        self.worker = ProductProcess("capture", WORKER, self.config)
        return self.worker

    def beside(self, folder: Path) -> Node:
        """Another node of the same system, with a disk of its own; `folder` exists."""
        return Node(replace(self.config, data_dir=folder, media_dir=folder / "media"), self.farm)

    def missing_pictures(self, cam: Cam, profile: str) -> tuple[int, int]:
        """(lost, seen) of the pictures in its files: the loop's numbers that do not follow each other."""
        facts = PROFILES[profile]
        height, width = 240, 240 * facts.width // facts.height
        files = [self.path(cam, segment) for segment in self.segments(cam)]
        numbers = [number for path in files for number in numbers_in(path, height=height, width=width)]
        return sum(step - 1 for step in steps_of(numbers, facts.frames) if step), len(numbers)


@contextmanager
def node(*profiles: str, media_dir: Path | None = None, config: Config | None = None) -> Iterator[Node]:
    """A node with the loops of these profiles ready; its worker is not started yet."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis = RedisServer()
        stack.callback(redis.close)
        config = make_config(folder, database_url=f"sqlite:///{folder}/cctv.db", redis_url=redis.url)
        if media_dir is not None:
            config = replace(config, media_dir=media_dir)
        migrate(config)
        farm = stack.enter_context(CameraFarm.start(loops=profiles))
        found = Node(config, farm)
        found.redis = redis
        stack.callback(found.close)
        yield found


def exact_cpu_ms(pid: int) -> float:
    """CPU of a process that starts and ends no threads, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e6


def whole_cpu_ms(pid: int) -> float:
    """CPU of a process with the threads and children that it has had, to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) * 1000 / os.sysconf("SC_CLK_TCK")


def pss_mb(pid: int) -> float:
    """Its memory, shared pages divided among those who share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
