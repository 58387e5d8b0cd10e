"""Plain HLS of the present, read from files that a real ffmpeg is writing."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path

import pytest

from cctv.errors import Unavailable
from cctv.live import window
from cctv.live.recent import Recent
from tests.cameras import CameraFarm
from tests.captured import GrowingCapture
from tests.waiting import wait_until


def playlist(recent: Recent, *, cells: int = 1) -> list[str]:
    """The lines of the playlist, once it lists so many seconds."""

    def enough() -> list[str] | None:
        try:
            lines = window.plain_playlist(recent).splitlines()
        except Unavailable:
            return None
        return lines if sum(line.startswith("#EXTINF") for line in lines) >= cells else None

    return wait_until(enough, 15, f"{cells} seconds in the playlist")


def numbers(lines: list[str]) -> list[int]:
    """The seconds that are listed."""
    return [int(found[1]) for line in lines if (found := re.fullmatch(r"[^#].*/(\d+)\.m4s", line))]


def value(lines: list[str], tag: str) -> str:
    """What follows a tag that occurs once."""
    return next(line.removeprefix(f"{tag}:") for line in lines if line.startswith(f"{tag}:"))


def test_the_sequence_number_is_the_epoch_second(capture: GrowingCapture) -> None:
    recent = Recent(capture.media_dir, 1, 1)
    lines = playlist(recent, cells=3)
    listed = numbers(lines)
    assert value(lines, "#EXT-X-MEDIA-SEQUENCE") == str(listed[0])
    assert listed == list(range(listed[0], listed[0] + len(listed)))
    assert abs(listed[-1] - time.time()) < 5
    assert value(lines, "#EXT-X-DISCONTINUITY-SEQUENCE") == "1"
    assert value(lines, "#EXT-X-MAP") == f'URI="init-{capture.key}.mp4"'
    durations = [float(line[8:-1]) for line in lines if line.startswith("#EXTINF")]
    assert all(0.6 < seconds < 1.4 for seconds in durations[1:])


def test_two_processes_answer_alike(capture: GrowingCapture) -> None:
    first, second = Recent(capture.media_dir, 1, 1), Recent(capture.media_dir, 1, 1)
    playlist(first, cells=4)

    def same() -> bool:
        return window.plain_playlist(first) == window.plain_playlist(second)

    # A second may end between the two looks.
    assert same() or same()


def test_a_second_that_spans_two_files_has_two_ranges(capture: GrowingCapture) -> None:
    recent = Recent(capture.media_dir, 1, 1)

    def spanning() -> list[tuple[int, int, int]] | None:
        recent.refresh()
        ranges = [cell.ranges() for cell in window.complete_cells(recent)]
        return next((found for found in ranges if len(found) == 2), None)

    (number, _, _), (following, offset, _) = wait_until(spanning, 15, "a second across a file border")
    run = recent.newest()
    assert run is not None
    assert run.init is not None
    assert (following, offset) == (number + 1, run.init.size)


def test_seconds_end_where_the_next_begin(capture: GrowingCapture) -> None:
    recent = Recent(capture.media_dir, 1, 1)
    playlist(recent, cells=4)
    cells = window.complete_cells(recent)
    for cell, following in itertools.pairwise(cells):
        assert cell.first.start_ticks + cell.duration_ticks == pytest.approx(
            following.first.start_ticks, abs=2
        )


def test_without_a_file_there_is_nothing_to_see(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        window.plain_playlist(Recent(tmp_path, 1, 1))


def test_old_pictures_are_not_shown_as_live(
    farm: CameraFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with GrowingCapture(farm.url("t1", 1), tmp_path) as capture:
        recent = Recent(tmp_path, 1, 1)
        playlist(recent)
        capture.kill()
    monkeypatch.setattr(window, "STALE_SECONDS", 0.5)
    wait_until(lambda: window.is_stale(recent), 5, "the window to be stale")
    with pytest.raises(Unavailable):
        window.plain_playlist(recent)


def test_a_new_run_is_a_discontinuity_and_the_hole_is_listed(farm: CameraFarm, tmp_path: Path) -> None:
    recent = Recent(tmp_path, 1, 1)
    with GrowingCapture(farm.url("t1", 1), tmp_path, ordinal=7) as first:
        playlist(recent, cells=2)
        first.kill()
    ended = time.time()
    wait_until(lambda: time.time() > ended + 2.2, 5, "a hole of two seconds")
    # One attempt in between wrote nothing and took an ordinal.
    with GrowingCapture(farm.url("t1", 1), tmp_path, ordinal=9) as second:
        second.wait_for_picture()

        def both() -> list[str] | None:
            lines = window.plain_playlist(recent).splitlines()
            return lines if any(line.startswith(second.key) for line in lines) else None

        lines = wait_until(both, 10, "the new run in the playlist")
    listed = numbers(lines)
    assert listed == list(range(listed[0], listed[0] + len(listed))), "every second is listed"
    assert lines.count("#EXT-X-GAP") >= 1
    assert value(lines, "#EXT-X-DISCONTINUITY-SEQUENCE") == "7"
    assert lines.count("#EXT-X-DISCONTINUITY") == 2, "the sequence of a segment is the ordinal of its run"
    border = len(lines) - 1 - lines[::-1].index("#EXT-X-DISCONTINUITY")
    assert lines[border + 1] == f'#EXT-X-MAP:URI="init-{second.key}.mp4"'
    assert all(not line.startswith(first.key) for line in lines[border:])
    # A process that starts now sees the same.
    again = window.plain_playlist(Recent(tmp_path, 1, 1)).splitlines()
    assert numbers(again)[:3] == listed[:3]
    assert again.count("#EXT-X-DISCONTINUITY") == 2


def test_an_empty_attempt_takes_nothing_away(farm: CameraFarm, tmp_path: Path) -> None:
    with GrowingCapture(farm.url("t1", 1), tmp_path) as capture:
        recent = Recent(tmp_path, 1, 1)
        playlist(recent, cells=2)
        (capture.folder.parent / f"1-{int(time.time()) + 1}-ffff").mkdir()
        before = numbers(playlist(recent, cells=2))[-1]
        wait_until(lambda: numbers(playlist(recent))[-1] > before, 5, "the old run to go on")
