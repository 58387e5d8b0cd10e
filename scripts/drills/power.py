"""Power cuts and torn files (rows 31, 32), on an image of a disk of which only what reached it survives.

DATA_DIR, the SQLite file and the footage lie on one ext4; its image is copied at the moment of the cut.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from cctv.clock import now_ms
from cctv.storage import paths
from scripts.drills.catalogue import drill
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from tests.capture.rig import Cam

_FRAGMENT_S = 1.5  # a fragment, the second in which the syncer looks, and the time of the copy


@drill(
    "power-cut",
    "31",
    "the power goes: only what reached the disk is there afterwards",
    "at most the fsync setting + one fragment lost; every row plays; zero-length files removed",
    power=True,
    is_shared=False,
    database="sqlite",
)
def cut(stage: Stage, trial: Trial) -> None:
    assert stage.disk is not None
    cams = [stage.camera(), stage.camera()]
    time.sleep(trial.pick(9, 45))
    trial.fault = f"an image of the disk as it is, fsync every {stage.config.fsync_seconds:g} s"
    cut_ms = now_ms()
    image = stage.disk.photograph()
    stage.kill_everything()
    stage.rig.close()
    stage.disk.replace_by(image)
    empty = [path for path in stage.config.media_dir.glob("*/*/*.mp4") if path.stat().st_size == 0]
    for path in empty:
        os.utime(path, (0, 0))  # a start after a real cut knows them to be older than the machine's boot
    trial.seen.append(f"{len(empty)} files came back with 0 bytes")
    stage.start()
    flowing = [stage.is_flowing(cam) for cam in cams]
    trial.within("recorded", 30, lambda: all(ask() for ask in flowing), patience_s=60)
    limit_s = stage.config.fsync_seconds + _FRAGMENT_S
    for cam in cams:
        trial.within("indexed again", 30, _is_indexed(stage, cam, cut_ms), patience_s=60)
        time.sleep(1.0)
        lost_s = (cut_ms - _end_before(stage, cam, cut_ms)) / 1000
        trial.lost.append(f"camera {cam.number}: {lost_s:.1f} s before the cut")
        trial.require(lost_s <= limit_s, f"{lost_s:.1f} s lost, at most {limit_s:g} s are stated")
    trial.within("no empty file", 30, lambda: not any(path.exists() for path in empty), patience_s=60)


@drill(
    "torn-files",
    "32",
    "the last file of a run ends in the middle of a fragment, another one's end is zeros",
    "kept up to the last whole fragment, and told as a gap from there",
)
def torn(stage: Stage, trial: Trial) -> None:
    cams = [stage.camera(), stage.camera()]
    time.sleep(3.0)
    trial.fault = "everything killed; 5 000 bytes cut off one file, 4 000 zeroed at the end of another"
    at_ms = now_ms()
    newest = [_newest(stage, cam) for cam in cams]
    stage.kill_everything()
    os.truncate(newest[0], newest[0].stat().st_size - 5_000)
    with newest[1].open("r+b") as file:
        file.seek(-4_000, os.SEEK_END)
        file.write(b"\0" * 4_000)
    stage.start()
    for cam in cams:
        trial.within("indexed again", 30, _is_indexed(stage, cam, at_ms), patience_s=60)
        lost_s = (at_ms - _end_before(stage, cam, at_ms)) / 1000
        trial.lost.append(f"camera {cam.number}: {lost_s:.1f} s before the kill")
        trial.require(lost_s <= 3.0, f"{lost_s:.1f} s lost of one torn fragment")


def _newest(stage: Stage, cam: Cam) -> Path:
    folder = paths.camera_dir(stage.config.media_dir, cam.camera_id)
    return max(folder.glob("*/*.mp4"), key=lambda path: path.stat().st_mtime)


def _is_indexed(stage: Stage, cam: Cam, at_ms: int) -> Callable[[], bool]:
    return lambda: _end_before(stage, cam, at_ms) > 0


def _end_before(stage: Stage, cam: Cam, at_ms: int) -> int:
    """End of the newest row of a run that was begun before that moment; 0 without one."""
    runs = {run.id for run in stage.rig.runs(cam) if run.epoch_ms < at_ms - 2_000}
    return max((row.ended_ms for row in stage.rig.segments(cam) if row.run_id in runs), default=0)
