"""`scripts/drill`: lists the drills, or runs some of them on stages that they share where they can."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterable

from scripts.drills import catalogue, running
from scripts.drills.catalogue import Drill
from scripts.drills.trial import Trial
from tests.cameras import CameraFarm

PROFILES = ("t1", "t1a", "t1p", "t1w", "t20")


def main() -> int:
    """0 when every required behaviour was met."""
    parser = argparse.ArgumentParser(prog="scripts/drill", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="drills to run, or `all`; none: list them")
    parser.add_argument(
        "--database", choices=("sqlite", "postgresql"), help="where it matters not; else sqlite"
    )
    parser.add_argument("--short", action="store_true", help="the short form that the tests run")
    given = parser.parse_args()
    drills = catalogue.load()
    if not given.names:
        for drill in drills.values():
            print(f"{drill.name:24} row {drill.rows:8} {drill.text}")
        return 0
    unknown = [name for name in given.names if name not in drills and name != "all"]
    if unknown:
        parser.error(f"no drill {', '.join(unknown)}; `scripts/drill` lists them")
    chosen = [drill for drill in drills.values() if "all" in given.names or drill.name in given.names]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # mounts and captures must not stay behind
    began = time.monotonic()
    with CameraFarm.start(loops=PROFILES) as farm:
        trials = list(_run(farm, chosen, given.database, is_long=not given.short))
    missed = [trial.name for trial in trials if trial.failures]
    print(
        f"{len(trials)} drills in {time.monotonic() - began:.0f} s; "
        f"{'not met: ' + ', '.join(missed) if missed else 'all met'}."
    )
    return 1 if missed else 0


def _run(farm: CameraFarm, chosen: list[Drill], database: str | None, *, is_long: bool) -> Iterable[Trial]:
    """Drills with the same needs share a stage; a stage on which one failed is not used again."""
    left = list(chosen)
    while left:
        first = left[0]
        group = [drill for drill in left if drill.needs == first.needs]
        left = [drill for drill in left if drill.needs != first.needs]
        yield from _on_stages(farm, group, running.database_of(first, database), is_long=is_long)


def _on_stages(farm: CameraFarm, group: list[Drill], database: str, *, is_long: bool) -> Iterable[Trial]:
    stage = None
    try:
        for drill in group:
            stage = stage or running.open_stage(farm, drill.needs, database=database, is_long=is_long)
            trial = running.run(stage, drill)
            print(trial.block(), flush=True)
            yield trial
            if trial.failures or not drill.needs.is_shared:
                stage.close()
                stage = None
    finally:  # also when somebody interrupts
        if stage is not None:
            stage.close()


if __name__ == "__main__":
    sys.exit(main())
