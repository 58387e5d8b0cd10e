"""Short forms of the drills that harm the database, on one stage with PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.timeout(300)  # of the machine, not of the drill: other tests run beside it
@pytest.mark.parametrize("name", ["postgres-exhausted", "postgres-frozen"])
def test_the_drill_is_met(perform: Callable[[str], None], name: str) -> None:
    perform(name)
