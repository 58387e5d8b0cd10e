"""Steps of the clock of this machine (row 10), made by libfaketime in every part but ffmpeg.

Days of 23 and 25 hours are matters of the pages and tested there.
"""

from __future__ import annotations

import time

from cctv.storage import paths
from scripts.drills.catalogue import drill
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from tests.capture.rig import Cam

_REQUIRED = "nothing is overwritten, a new run begins, health comes back, no second ffmpeg"


@drill(
    "clock-back",
    "10",
    "the clock of the machine steps an hour back",
    _REQUIRED,
    faketime=True,
    is_shared=False,
)
def back(stage: Stage, trial: Trial) -> None:
    _step(stage, trial, -3600)


@drill(
    "clock-day", "10", "the clock of the machine steps a day ahead", _REQUIRED, faketime=True, is_shared=False
)
def day(stage: Stage, trial: Trial) -> None:
    _step(stage, trial, 86_400)


def _step(stage: Stage, trial: Trial, seconds: int) -> None:
    cam = stage.camera()
    stage.rig.wait_closed(cam)
    before = _sizes(stage, cam)
    runs = len(stage.rig.runs(cam))
    trial.fault = f"{seconds:+d} s"
    stage.step_clock(seconds)
    trial.within("a new run", 15, lambda: len(stage.rig.runs(cam)) > runs, patience_s=40)
    trial.within("recorded", 15, stage.is_flowing(cam), patience_s=40)
    trial.within("healthy", 20, stage.is_healthy, patience_s=60)
    stage.rig.wait_closed(cam, len(stage.rig.segments(cam)) + 2, timeout=40)
    after = _sizes(stage, cam)
    changed = [name for name, size in before.items() if after.get(name, -1) < size]
    trial.require(not changed, f"files were overwritten or went: {changed}")
    now = (time.time() + stage.clock_offset_s) * 1000
    newest = max(stage.rig.segments(cam), key=lambda row: row.id)
    trial.require(
        abs(newest.ended_ms - now) < 30_000, f"the newest row is {newest.ended_ms - now:.0f} ms away"
    )
    trial.require(stage.rig.stream(cam).state == "live", f"the state is {stage.rig.stream(cam).state}")
    causes = {cause for _, cause in stage.rig.history(cam)}
    ended = {run.ended_cause for run in stage.rig.runs(cam)}
    trial.require("clock_step" in causes | ended, f"the step is not told: {causes} {ended}")
    trial.lost.append("nothing that was recorded before")


def _sizes(stage: Stage, cam: Cam) -> dict[str, int]:
    folder = paths.camera_dir(stage.config.media_dir, cam.camera_id)
    return {str(path): path.stat().st_size for path in folder.glob("*/*.mp4")}
