"""One demo server for all tests of this room; each test takes camera numbers of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.cameras import CameraFarm

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def farm() -> Iterator[CameraFarm]:
    with CameraFarm.start(loops=("t1", "t1a", "t1p", "t1h", "t1w", "t4")) as farm:
        yield farm


@pytest.fixture
def number(farm: CameraFarm) -> Iterator[int]:
    """A camera that no other test uses, without faults."""
    number = next(_numbers)
    yield number
    farm.control("resume", number)
