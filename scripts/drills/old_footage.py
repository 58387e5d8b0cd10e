"""Footage of earlier days for drills that need a disk with something to lose: real files, padded to a size.

Made from a file that the camera sent a moment ago; times and rows are those of the past.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from cctv.services.footage import segments
from cctv.storage import paths
from cctv.storage.measure import ClosedFile, measure
from cctv.storage.runfile import read_run, write_run
from scripts.drills.stage import Stage
from tests.capture.rig import Cam

_MINUTE_MS = 60_000


def lay_down(stage: Stage, cam: Cam, *, files: int, size_bytes: int, hours_ago: float) -> list[int]:
    """`files` files of a minute each from so long ago on, oldest first; the ids of their rows."""
    media_dir = stage.config.media_dir
    row = stage.rig.wait_closed(cam)[0]
    source = stage.rig.path(cam, row)
    told = read_run(source.parent)
    assert told is not None
    began_ms = int((time.time() - hours_ago * 3600) * 1000)
    key = paths.new_run_key(cam.stream_id, began_ms // 1000)
    run = replace(told, run=key, epoch_ms=began_ms, pid=None, pid_started=None, ended_cause="killed")
    directory = paths.run_dir(media_dir, cam.camera_id, key)
    directory.mkdir(parents=True)
    write_run(directory, run)
    measured = measure(source, told, row.number)
    assert measured is not None
    closed = []
    for number in range(files):
        path = directory / paths.segment_name(number)
        _copy(source, path, size_bytes)
        start_ms = began_ms + number * _MINUTE_MS
        fact = replace(
            measured,
            number=number,
            started_ms=start_ms,
            ended_ms=start_ms + _MINUTE_MS,
            size_bytes=size_bytes,
        )
        closed.append(ClosedFile(run, fact))
    with stage.rig.rows():
        segments.index(closed, keep_unwanted=True)
    end_ms = began_ms + files * _MINUTE_MS
    return [one.id for one in stage.rig.segments(cam) if began_ms <= one.started_ms < end_ms]


def _copy(source: Path, target: Path, size_bytes: int) -> None:
    shutil.copyfile(source, target)
    with target.open("ab") as file:
        file.write(b"\0" * max(0, size_bytes - target.stat().st_size))
