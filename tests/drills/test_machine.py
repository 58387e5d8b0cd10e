"""Short forms of the drills that harm the machine: its disk, its power, its clock. Each has its own stage.

Where nothing may be mounted, drills that do the like to single files take the place of the first two.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripts.drills.volumes import can_mount

ON_DISKS = ["disk-full", "power-cut"] if can_mount() else ["files-missing", "torn-files"]


@pytest.mark.timeout(300)  # of the machine, not of the drill: other tests run beside it
@pytest.mark.parametrize("name", [*ON_DISKS, "clock-back"])
def test_the_drill_is_met(perform: Callable[[str], None], name: str) -> None:
    perform(name)
