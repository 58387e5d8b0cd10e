"""A keeper and a disk that fails under it: real processes and files; the node is played by a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cctv.capture import attempt as attempts
from cctv.capture.attempt import Attempt, Place
from cctv.capture.keeper import Keeper, Phase
from cctv.capture.patience import Patience
from cctv.services.camera.sources import Source
from cctv.storage import paths
from tests.waiting import wait_until


class Node:
    """What a keeper needs of its node; remembers what it was told."""

    patience = Patience(terminate=0.0)

    def __init__(self) -> None:
        self.told: list[tuple[str | None, str | None]] = []

    def tell(self, _keeper: Keeper, state: str | None, cause: str | None, _detail: str, _at_ms: int) -> None:
        self.told.append((state, cause))

    def storage_trouble(self) -> None:
        return None

    def wall_ms(self) -> int:
        return 1_800_000_000_000

    def __getattr__(self, _name: str) -> Any:
        return lambda *_arguments, **_facts: None


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    place = Place(tmp_path, "n" * 32)
    run = attempts.new_run(place, SOURCE, ordinal=1, fence=1, epoch_ms=1_800_000_000_000)
    attempts.make_folder(paths.run_dir(tmp_path, 1, run.run), run)
    attempt = attempts.launch(place, run, ["cat"], reads_stdin=True)
    yield attempt
    if not attempt.has_ended():
        attempt.signal(attempts.signal.SIGKILL)


SOURCE = Source(
    stream_id=1, camera_id=1, kind="main", revision=1, is_on_demand=False, url="rtsp://192.168.1.9/x"
)


def test_a_file_that_cannot_be_read_back_costs_one_run_and_not_the_camera(attempt: Attempt) -> None:
    (attempt.directory / "00000.mp4").mkdir()  # reading it is an error of the system
    node = Node()
    keeper = Keeper(SOURCE, node, fence=1, ordinal=0)
    keeper.began(attempt, 0.0)
    keeper.tick(1.0)
    assert keeper.phase == Phase.ENDING
    wait_until(attempt.has_ended, 5, "the process to end")
    keeper.ended(2.0)
    assert keeper.phase == Phase.WAITING
    assert ("storage", "disk_error") in node.told
    assert keeper.due <= 2.0 + node.patience.storage_retry


def test_the_pipe_of_a_transcode_is_closed_by_who_feeds_it_and_nobody_else(attempt: Attempt) -> None:
    attempt.signal(attempts.signal.SIGKILL)
    wait_until(attempt.has_ended, 5, "the process to end")
    attempt.close()
    assert attempt.stdin is not None
    assert not attempt.stdin.closed, "its number may be another file's by the next write"
    with pytest.raises(BrokenPipeError):
        attempts.os.write(attempt.stdin.fileno(), b"x")
