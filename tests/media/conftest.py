"""Cameras for the media tests: ours with faults on command, and GStreamer's server as the independent one."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cameras import CameraFarm

_numbers = itertools.count(500)
DISTRIBUTION_PYTHON = "/usr/bin/python3"  # GStreamer's bindings belong to it, not to a virtual environment


@pytest.fixture(scope="session")
def farm() -> Iterator[CameraFarm]:
    with CameraFarm.start(loops=("t1", "t1a", "t1p", "t1h", "t4", "t20")) as farm:
        yield farm


@pytest.fixture
def number(farm: CameraFarm) -> Iterator[int]:
    """A camera that no other test uses, without faults."""
    number = next(_numbers)
    yield number
    farm.control("resume", number)


def _independent(*options: str) -> Iterator[str]:
    script = Path(__file__).with_name("independent_camera.py")
    process = subprocess.Popen(
        [DISTRIBUTION_PYTHON, str(script), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def independent() -> Iterator[str]:
    """host:port of GStreamer's server."""
    yield from _independent()


@pytest.fixture(scope="session")
def independent_guarded() -> Iterator[str]:
    """The same, behind Digest."""
    yield from _independent("guarded")
