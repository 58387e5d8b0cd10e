"""Measures copies in the bucket: speed against Google's library alone with the same files, and memory.

Against the emulator on this machine, as a process of its own; the files are of random bytes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from flask import Flask

from cctv import create_app
from cctv.config import Config
from cctv.extensions import db
from cctv.models import Segment, Transfer, TransferState
from cctv.services.bucket import cloud, transfers
from scripts.benchmark.figure import Figure
from tests.bucket_server import BUCKET, Emulator
from tests.fixtures.application import make_config, migrate
from tests.fixtures.processes import ProductProcess
from tests.servers import RedisServer
from tests.services.footage import make_camera
from tests.services.stored import ask, path_of, store, this_node

SIZE = 100 * 1000 * 1000  # as the figure is asked for
LEAST_SHARE = 0.9  # of the plain library's speed
MOST_MB = 120.0
WORKER = [sys.executable, "worker.py", "jobs", "media"]


def measure(*, seconds: float = 300) -> list[Figure]:
    """Eight rounds of three files each way; four when quick. Then a worker sends five more."""
    rounds = 8 if seconds >= 60 else 4
    with site() as (config, emulator):
        app = create_app(config)
        with app.app_context():
            times = [_round(emulator, number) for number in range(rounds)]
            peak_mb, count = _worker_peak_mb(app, config, emulator)
    ratios = [ours / plain for plain, ours in times]
    rates = [rounds * 3 * SIZE / 1e6 / sum(ways) for ways in zip(*times, strict=True)]
    said = f"{rounds} rounds of 3 x 100 MB in turn; {rates[0]:.0f} MB/s plain, {rates[1]:.0f} ours"
    return [
        Figure("transfer: time against the plain library", median(ratios), "x", said, 1 / LEAST_SHARE),
        Figure("transfer: memory of the worker's job", peak_mb, "MB", f"peak RSS, {count} x 100 MB", MOST_MB),
    ]


@contextmanager
def site() -> Iterator[tuple[Config, Emulator]]:
    """A database, Redis and an emulator, and the configuration that names them."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis = RedisServer()
        stack.callback(redis.close)
        emulator = Emulator()
        stack.callback(emulator.close)
        config = make_config(folder, database_url=f"sqlite:///{folder}/cctv.db", redis_url=redis.url)
        config = replace(
            config,
            gcs_enabled=True,
            gcs_bucket_name=BUCKET,
            gcs_endpoint=f"http://127.0.0.1:{emulator.port}",
        )
        migrate(config)
        yield config, emulator


def _round(emulator: Emulator, number: int) -> tuple[float, float]:
    """Seconds of (the plain library, ours); which goes first changes with each round."""
    found = _files(number, 3)
    paths = [path_of(one) for one in found]
    for path in paths:
        path.read_bytes()  # both read from memory
    ways = [lambda: _plain_s(paths), lambda: _ours_s(found)]
    times = {}
    for which in (0, 1) if number % 2 else (1, 0):
        times[which] = ways[which]()
        emulator.remove_all()
    for path in paths:
        path.unlink()
    return times[0], times[1]


def _files(number: int, count: int) -> list[Segment]:
    return store(make_camera(number=number + 1, since_ms=0), [SIZE] * count, ordinal=number + 1)


def _plain_s(paths: list[Path]) -> float:
    """Google's library as its manual shows it."""
    bucket = cloud.open_bucket()._bucket
    began = time.monotonic()
    for path in paths:
        bucket.blob(path.name).upload_from_filename(str(path))
    return time.monotonic() - began


def _ours_s(found: list[Segment]) -> float:
    """What a job does, rows included."""
    ask(found)
    node_id = this_node().id
    began = time.monotonic()
    count = transfers.work_on(node_id, seconds=300)
    elapsed = time.monotonic() - began
    assert count == len(found), db.session.query(Transfer.cause).all()
    return elapsed


def _worker_peak_mb(app: Flask, config: Config, emulator: Emulator) -> tuple[float, int]:
    """The most that a job of the worker took, sampled until all is sent."""
    found = _files(100, 5)
    made = [one.id for one in ask(found)]
    worker = ProductProcess("media", WORKER, config)
    peak = 0.0
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            transfers.dispatch()
            peak = max([peak, *(_peak_mb(pid) for pid in _children(worker.process.pid))])
            db.session.expire_all()
            rows = db.session.query(Transfer.state).filter(Transfer.id.in_(made)).all()
            db.session.commit()
            if all(state == TransferState.VERIFIED for (state,) in rows):
                return peak, len(found)
            time.sleep(0.05)
    finally:
        worker.close()
    raise AssertionError(f"not sent: {worker.log.read_text()[-500:]}")


def _children(pid: int) -> list[int]:
    text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(one) for one in text.split()]


def _peak_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
