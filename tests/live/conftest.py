"""Runs written by a real ffmpeg from the tests' cameras, shared by tests that only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cameras import CameraFarm
from tests.captured import GrowingCapture


@pytest.fixture(scope="session")
def capture(farm: CameraFarm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrowingCapture]:
    """A capture with sound that goes on while tests look at it; its files are of 2 seconds."""
    media_dir = tmp_path_factory.mktemp("media")
    with GrowingCapture(farm.url("t1a", 1), media_dir, segment_seconds=2) as running:
        running.wait_for_picture()
        yield running
