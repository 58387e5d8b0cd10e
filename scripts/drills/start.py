"""Starts while something that is needed is absent (row 45): it comes up without it and heals when it comes.

Everything comes at last in every order; nothing is started a second time by hand.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from cctv.clock import now_ms
from scripts.drills.catalogue import drill
from scripts.drills.onlooker import HEALTH
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial

_REQUIRED = "comes up degraded, health names what is missing, heals without a restart"


@drill(
    "start-alone",
    "45",
    "start without database, Redis, disk and camera; they come one by one",
    _REQUIRED,
    database="postgresql",
    parts=(),
    is_shared=False,
)
def alone(stage: Stage, trial: Trial) -> None:
    _start(stage, trial, ["redis", "disk", "database", "camera"])


@drill(
    "start-alone-reversed",
    "45",
    "the same in another order",
    _REQUIRED,
    database="postgresql",
    parts=(),
    is_shared=False,
)
def reversed_order(stage: Stage, trial: Trial) -> None:
    _start(stage, trial, ["database", "camera", "redis", "disk"])


def _mount(aside: Path, media_dir: Path) -> None:
    media_dir.rmdir()  # an error when something was written on the empty mount point
    shutil.move(aside, media_dir)


def _start(stage: Stage, trial: Trial, order: list[str]) -> None:
    assert stage.postgres is not None
    aside = stage.top / "aside"
    # A first start, so that there is a camera and a footage disk that can be missed.
    stage.start_as(("web", "capture", "jobs-default", "scheduler"))
    cam = stage.camera()
    stage.wait_row_after(cam, now_ms())
    stage.stop()
    stage.redis.kill()
    stage.postgres.kill()
    stage.control("freeze", cam)
    shutil.move(stage.config.media_dir, aside)
    stage.config.media_dir.mkdir()  # an empty mount point
    come: dict[str, Callable[[], object]] = {
        "redis": stage.redis.start,
        "database": stage.postgres.start,
        "camera": lambda: stage.control("resume", cam),
        "disk": lambda: _mount(aside, stage.config.media_dir),
    }
    trial.fault = f"nothing is there; then come {', '.join(order)}"
    stage.spawn()
    trial.within("pages answer", 30, lambda: stage.onlooker.ask(HEALTH).status in (200, 503), patience_s=60)
    trial.require(stage.onlooker.ask(HEALTH).status == 503, "health does not tell that things are missing")
    for name in order:
        time.sleep(trial.pick(2, 10))
        come[name]()
    trial.within("healthy", 30, stage.is_healthy, patience_s=90)
    trial.within("recorded", 30, stage.is_flowing(cam), patience_s=90)
    trial.within("live", 15, lambda: stage.rig.stream(cam).state == "live", patience_s=30)
    stage.wait_row_after(cam, now_ms())
