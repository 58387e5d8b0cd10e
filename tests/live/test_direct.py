"""The direct stream: starts at a key frame, loses nothing, ends with its run, skips for the slow."""

from __future__ import annotations

import io
import time
from itertools import pairwise
from pathlib import Path

import pytest

from cctv.errors import Unavailable
from cctv.live import direct
from cctv.live.recent import Recent
from cctv.live.tail import tails
from cctv.media.boxes import Fragment, read_init, scan
from tests.cameras import CameraFarm, numbers_in, steps_of
from tests.captured import GrowingCapture


def nothing() -> None:
    """Nobody has to be told anything."""


def collect(recent: Recent, seconds: float, *, pause_seconds: float = 0.0) -> bytes:
    """What a viewer receives in that time; one who pauses reads nothing for a while after the first bytes."""
    first = direct.wait_for_key(recent)
    stream = direct.direct_stream(recent, first, each_second=nothing)
    received = [next(stream), next(stream)]
    time.sleep(pause_seconds)
    deadline = time.monotonic() + seconds
    for chunk in stream:
        received.append(chunk)
        if time.monotonic() > deadline:
            break
    stream.close()
    return b"".join(received)


def fragments(content: bytes, path: Path) -> list[Fragment]:
    path.write_bytes(content)
    with path.open("rb") as file:
        init = read_init(file.fileno())
        found = scan(file.fileno(), init, init.size)
    assert found[-1].end_offset == len(content), "whole fragments only"
    return found


def test_it_begins_with_a_key_frame_and_loses_nothing(capture: GrowingCapture, tmp_path: Path) -> None:
    recent = tails.stream(capture.media_dir, 1, 1)
    content = collect(recent, 3)
    found = fragments(content, tmp_path / "seen.mp4")
    assert found[0].is_key
    for one, following in pairwise(found):
        assert one.end_ticks == pytest.approx(following.start_ticks, abs=2)
    numbers = numbers_in(tmp_path / "seen.mp4")
    assert len(numbers) > 25
    assert set(steps_of(numbers, 160)) == {1}


def test_a_slow_viewer_skips_to_the_newest_key_frame(
    capture: GrowingCapture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "BEHIND_SECONDS", 1.0)
    recent = tails.stream(capture.media_dir, 1, 1)
    found = fragments(collect(recent, 1, pause_seconds=3.3), tmp_path / "seen.mp4")
    jumps = [(a, b) for a, b in pairwise(found) if b.start_ticks - a.end_ticks > 100]
    assert len(jumps) == 1
    assert jumps[0][1].is_key


def test_it_ends_with_its_run_and_the_next_attempt_gets_the_new_one(farm: CameraFarm, tmp_path: Path) -> None:
    recent = tails.stream(tmp_path, 1, 5)
    with GrowingCapture(farm.url("t1", 1), tmp_path, stream_id=5) as first:
        stream = direct.direct_stream(recent, direct.wait_for_key(recent), each_second=nothing)
        next(stream)
        next(stream)
        first.kill()
        with GrowingCapture(farm.url("t1", 1), tmp_path, stream_id=5, ordinal=2) as second:
            for _ in stream:
                pass
            assert direct.wait_for_key(recent).run.key == second.key


def test_without_a_picture_the_wait_has_an_end(tmp_path: Path) -> None:
    recent = tails.stream(tmp_path, 9, 9)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        direct.wait_for_key(recent, timeout_seconds=0.3)
    assert time.monotonic() - began < 2


def test_bytes_are_read_once_for_all_viewers(capture: GrowingCapture) -> None:
    recent = tails.stream(capture.media_dir, 1, 1)
    entry = direct.wait_for_key(recent)
    assert recent.content(entry) is recent.content(entry)
    assert io.BytesIO(recent.content(entry)).read(8)[4:] == b"moof"
