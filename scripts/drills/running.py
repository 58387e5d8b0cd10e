"""Runs one drill on a stage and judges it, also by the invariants; used by the command and by the tests."""

from __future__ import annotations

import traceback

from scripts.drills import invariants
from scripts.drills.catalogue import Drill, Needs
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from tests.cameras import CameraFarm


def database_of(drill: Drill, wish: str | None) -> str:
    """The kind of database for a drill: what it needs, else what was asked for, else SQLite."""
    return drill.needs.database if drill.needs.database != "any" else wish or "sqlite"


def open_stage(farm: CameraFarm, needs: Needs, *, database: str, is_long: bool) -> Stage:
    """A stage with its parts running; a drill that needs none of them starts them itself."""
    stage = Stage(farm, needs, database=database, is_long=is_long)
    try:
        if needs.parts:
            stage.start()
    except BaseException:
        stage.close()
        raise
    return stage


def run(stage: Stage, drill: Drill) -> Trial:
    """Harm, measure, judge. What breaks the drill itself counts as not met."""
    trial = Trial(drill.name, drill.rows, stage.is_long, required=drill.required)
    try:
        drill.run(stage, trial)
        trial.failures += invariants.check(
            stage.rig, since_ms=trial.began_ms, damaged_until_ms=trial.damaged_until_ms
        )
        doubles = {camera for at, camera in stage.onlooker.doubles if at >= trial.began}
        trial.require(not doubles, f"cameras {doubles} had two ffmpegs for a moment")
    except Exception as error:  # the next drill still has its turn
        last = traceback.extract_tb(error.__traceback__)[-1]
        trial.failures.append(
            f"{type(error).__name__}: {error} ({last.filename.rpartition('/')[2]}:{last.lineno})"
        )
    finally:
        stage.farm.control("resume", "all")
        stage.retire_cameras()
    return trial
