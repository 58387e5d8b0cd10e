"""Tails: shared by all viewers, gone after the last, awake when something is written."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from cctv.live import tail
from cctv.live.notices import FolderNotices
from cctv.live.recent import Recent
from cctv.live.tail import Tails
from tests.captured import GrowingCapture
from tests.waiting import wait_until


def test_all_viewers_of_a_stream_share_one_tail(capture: GrowingCapture) -> None:
    tails = Tails()
    recent = tails.stream(capture.media_dir, 1, 1)
    assert tails.stream(capture.media_dir, 1, 1) is recent
    threads = threading.active_count()
    with ExitStack() as viewers:
        for _ in range(20):
            viewers.enter_context(tails.following(recent))
        assert tails.count() == 1
        assert threading.active_count() == threads + 1


def test_a_tail_goes_a_moment_after_its_last_viewer(
    capture: GrowingCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "LINGER_SECONDS", 0.3)
    tails = Tails()
    recent = tails.stream(capture.media_dir, 1, 1)
    with tails.following(recent):
        pass
    assert tails.count() == 1, "a player that attaches again finds it warm"
    wait_until(lambda: tails.count() == 0, 3, "the tail to go")
    with tails.following(recent):
        assert tails.count() == 1
        position = recent_end(recent)
        assert tails.wait(recent, lambda: recent.is_past(position), timeout_seconds=2)


def recent_end(recent: Recent) -> int:
    """The position that comes next."""
    return recent.entries_from(0)[-1].position + 1


@pytest.mark.parametrize("has_notices", [True, False], ids=["notices", "polling"])
def test_viewers_wake_soon_after_a_fragment_is_written(
    capture: GrowingCapture, monkeypatch: pytest.MonkeyPatch, has_notices: bool
) -> None:
    if not has_notices:
        monkeypatch.setattr(tail, "FolderNotices", no_notices)
    tails = Tails()
    recent = tails.stream(capture.media_dir, 1, 1)
    delays = []
    with tails.following(recent):
        for _ in range(8):
            position = recent_end(recent)
            assert tails.wait(recent, lambda at=position: recent.is_past(at), timeout_seconds=3)
            newest = recent.newest()
            assert newest is not None
            delays.append(newest.age_seconds())
    assert sorted(delays)[4] < 0.1


def no_notices() -> FolderNotices:
    """As on a machine whose limit of inotify instances is reached."""
    raise OSError(24, "Too many open files")


def test_a_stream_that_begins_later_is_found(capture: GrowingCapture, tmp_path: Path) -> None:
    tails = Tails()
    recent = tails.stream(tmp_path, 1, 1)
    found = []

    def look() -> None:
        found.append(tails.wait(recent, lambda: recent.newest() is not None, timeout_seconds=5))

    viewer = threading.Thread(target=look)
    viewer.start()
    time.sleep(0.2)
    (tmp_path / "1").symlink_to(capture.folder.parent)
    viewer.join()
    assert found == [True]


def test_notices_tell_which_folder_changed(tmp_path: Path) -> None:
    notices = FolderNotices()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    watches = [notices.add(first), notices.add(second)]
    assert notices.wait(0.01) == set()
    (second / "file").write_text("x")
    assert notices.wait(1) == {watches[1]}
    notices.remove(watches[1])
    notices.wait(0)
    (second / "file").write_text("y")
    assert notices.wait(0.05) == set()
    with pytest.raises(OSError):
        notices.add(tmp_path / "missing")
    notices.close()


def test_the_trouble_of_one_stream_does_not_end_the_looking_at_others(capture: GrowingCapture) -> None:
    broken = capture.media_dir / "2" / "2-1800000000-0000" / "00000.mp4"
    broken.mkdir(parents=True)  # reading it is an error of the system
    tails = Tails()
    with pytest.raises(OSError, match="directory"), tails.following(tails.stream(capture.media_dir, 2, 2)):
        pass
    recent = tails.stream(capture.media_dir, 1, 1)
    with tails.following(recent):
        position = recent_end(recent)
        assert tails.wait(recent, lambda: recent.is_past(position), timeout_seconds=3)
