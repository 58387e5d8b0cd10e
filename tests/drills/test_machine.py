"""Short forms of the drills that harm the machine: its disk, its power, its clock. Each has its own stage."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.timeout(300)  # of the machine, not of the drill: other tests run beside it
@pytest.mark.parametrize("name", ["disk-full", "power-cut", "clock-back"])
def test_the_drill_is_met(perform: Callable[[str], None], name: str) -> None:
    perform(name)
