"""LL-HLS text and the requests that are held back, on files that a real ffmpeg is writing."""

from __future__ import annotations

import re
import time

import pytest

from cctv.errors import Invalid, NotFound
from cctv.live import low_latency
from cctv.live.recent import Recent
from cctv.live.tail import tails
from tests.captured import GrowingCapture
from tests.waiting import wait_until


@pytest.fixture
def recent(capture: GrowingCapture) -> Recent:
    recent = tails.stream(capture.media_dir, 1, 1)

    def has_some() -> bool:
        recent.refresh()
        return len(recent.cells()) > 3

    wait_until(has_some, 10, "a few seconds")
    return recent


def test_parts_add_up_to_their_segments(recent: Recent) -> None:
    lines = low_latency.low_latency_playlist(recent).splitlines()
    parts = 0.0
    for line in lines:
        if found := re.match(r"#EXT-X-PART:DURATION=([0-9.]+)", line):
            parts += float(found[1])
        elif (found := re.match(r"#EXTINF:([0-9.]+)", line)) and parts:
            assert float(found[1]) == pytest.approx(parts, abs=0.06)
            parts = 0.0
    assert any("INDEPENDENT=YES" in line for line in lines)
    # Ten pictures a second: two in a part, or three where a tick was rounded down.
    assert any(re.fullmatch(r"#EXT-X-PART-INF:PART-TARGET=0\.[23]0000", line) for line in lines)


def test_the_announced_part_comes_as_soon_as_it_is_written(recent: Recent) -> None:
    for _ in range(12):  # over a file border: files are of two seconds
        newest = recent.newest()
        assert newest is not None
        name = newest.next_name
        began = time.monotonic()
        run, part = low_latency.wait_for_part(recent, newest.key, name)
        assert time.monotonic() - began < 1.0
        assert part.name == name
        content = run.growing.read_range(part.number, part.fragment.offset, part.fragment.size)
        assert content[4:8] == b"moof"


def test_a_playlist_is_held_back_until_the_part_is_there(recent: Recent) -> None:
    newest = recent.newest()
    assert newest is not None
    cell = newest.cells[-1]
    wanted = (cell.number + 1, 0)
    assert not low_latency.is_reached(recent, *wanted)
    low_latency.wait_until_reached(recent, *wanted)
    assert low_latency.is_reached(recent, *wanted)
    text = low_latency.low_latency_playlist(recent)
    assert f"{cell.number}.m4s" in text, "the second before it is complete now"


def test_a_segment_without_a_part_means_the_whole_segment(recent: Recent) -> None:
    newest = recent.newest()
    assert newest is not None
    number = newest.cells[-1].number
    low_latency.wait_until_reached(recent, number, None)
    assert newest.cells[-1].number > number


def test_what_will_never_be_is_refused(recent: Recent) -> None:
    newest = recent.newest()
    assert newest is not None
    with pytest.raises(Invalid):
        low_latency.is_reached(recent, newest.cells[-1].number + 10, 0)
    with pytest.raises(NotFound):
        low_latency.wait_for_part(recent, newest.key, "99999-1")
    with pytest.raises(NotFound):
        low_latency.wait_for_part(recent, "1-1700000000-abcd", newest.next_name)
