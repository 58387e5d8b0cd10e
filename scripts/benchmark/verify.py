"""Measures how fast stored footage is read and hashed again, on one core, with its chain."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from cctv import create_app
from cctv.extensions import db
from cctv.models import RecordingMode
from cctv.services.footage import segments
from cctv.services.proof import evidence_page, hashing, verification
from cctv.services.site import nodes
from cctv.storage import paths
from scripts.benchmark.figure import Figure
from tests.fixtures.application import make_config, migrate
from tests.services.footage import T0, closed, make_camera, run_of

FILE_SECONDS, FILES = 60, 40
LEAST_MB_PER_SECOND = 300
SECONDS_A_GIGABYTE = 1000 / LEAST_MB_PER_SECOND


def measure(*, seconds: float = 300) -> list[Figure]:
    """40 files of a minute at 4 Mbit/s (10 when quick), in memory as files of a moment ago are."""
    files = FILES if seconds >= 60 else FILES // 4
    with tempfile.TemporaryDirectory(prefix="bench-verify-") as folder:
        config = make_config(
            Path(folder), database_url=f"sqlite:///{folder}/cctv.db", redis_url="unix:///nowhere"
        )
        config.media_dir.mkdir()
        migrate(config)
        app = create_app(config)
        with app.app_context():
            size = _fill(config.media_dir, files)
            node_id = nodes.this_node().id
            began, cpu = time.perf_counter(), time.process_time()
            assert hashing.hash_some(node_id, seconds=600) == files
            first = time.perf_counter() - began
            hashed_cpu = time.process_time() - cpu
            cpu = time.process_time()
            verdict = verification.verify_all()
            spent = time.process_time() - cpu
            db.engine.dispose()
    assert verdict.is_good and verdict.links == files, verdict.sentence
    gigabytes = size / 1e9
    how = f"processor seconds a GB, {files} files of {size / files / 1e6:.0f} MB with their chain"
    how += f"; that is {size / spent / 1e6:.0f} MB/s, by the clock {verdict.bytes_per_second / 1e6:.0f}"
    late = f"hash and link of every file after its close; by the clock {size / first / 1e6:.0f} MB/s"
    return [
        Figure("verify", spent / gigabytes, "s/GB", how, round(SECONDS_A_GIGABYTE, 2)),
        Figure("hash at close", hashed_cpu / gigabytes, "s/GB", late),
        Figure(
            "page of a package",
            len(evidence_page.page()) / 1000,
            "KB",
            "one file, with both hashes and Ed25519",
        ),
    ]


def _fill(media_dir: Path, files: int) -> int:
    camera = make_camera(RecordingMode.CONTINUOUS)
    run = run_of(camera, node=nodes.this_node())
    directory = paths.run_dir(media_dir, camera.id, run.run)
    directory.mkdir(parents=True)
    told, total = [], 0
    for number in range(files):
        start = T0 + number * FILE_SECONDS * 1000
        file = closed(run, number, start, start + FILE_SECONDS * 1000)
        size = 30_000_000
        (directory / paths.segment_name(number)).write_bytes(os.urandom(1_000_000) * 30)
        told.append(file._replace(segment=replace(file.segment, size_bytes=size)))
        total += size
    segments.index(told)
    return total
