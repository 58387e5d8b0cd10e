"""The stages of the drills' short forms: one shared by the drills of a module that can share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from scripts.drills import catalogue, running
from scripts.drills.catalogue import Needs
from scripts.drills.stage import Stage
from tests.cameras import CameraFarm


@pytest.fixture(scope="module")
def perform(farm: CameraFarm) -> Iterator[Callable[[str], None]]:
    """Perform a drill by its name; the stage of the one before is used again when it fits."""
    drills = catalogue.load()
    stages: dict[Needs, Stage] = {}

    def run(name: str) -> None:
        drill = drills[name]
        stage = stages.get(drill.needs)
        if stage is None:
            database = running.database_of(drill, None)
            stage = stages[drill.needs] = running.open_stage(
                farm, drill.needs, database=database, is_long=False
            )
        trial = running.run(stage, drill)
        print(trial.block())
        if trial.failures or not drill.needs.is_shared:
            stages.pop(drill.needs).close()
        assert not trial.failures, trial.block()

    yield run
    for stage in stages.values():
        stage.close()
