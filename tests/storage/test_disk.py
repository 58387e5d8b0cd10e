"""The disk is asked in ways that cannot hang us, and its answers are told apart."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cctv.storage import disk, paths


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB of its own."""
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=50", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def test_it_syncs_files_and_directories(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    disk.fsync_file(path)
    disk.fdatasync_path(path)
    disk.fsync_directory(tmp_path)
    with pytest.raises(FileNotFoundError):
        disk.fsync_file(tmp_path / "b")


def test_removing_twice_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    assert disk.unlink(path)
    assert not disk.unlink(path)


def test_a_run_goes_only_when_no_segment_is_left(tmp_path: Path) -> None:
    key = "7-1795354218-0a3f"
    segment = paths.segment_path(tmp_path, 3, key, 0)
    segment.parent.mkdir(parents=True)
    segment.touch()
    paths.log_path(segment.parent).touch()
    assert not disk.remove_run(tmp_path, 3, key)
    segment.unlink()
    assert disk.remove_run(tmp_path, 3, key)
    assert not segment.parent.exists()
    assert not disk.remove_run(tmp_path, 3, key)


def test_usage_is_what_is_free_for_us(small_disk: Path) -> None:
    found = disk.usage(small_disk)
    assert found.total_bytes == 2 * 1024**2
    assert 0 < found.free_bytes <= found.total_bytes
    assert 0 < found.free_inodes < 50


def test_a_good_disk_answers_in_time_and_nothing_stays_behind(tmp_path: Path) -> None:
    found = disk.check_write(tmp_path)
    assert found.state == "ok"
    assert found.elapsed_ms < 5000
    assert list(tmp_path.iterdir()) == []
    assert disk.timed_write(tmp_path) is not None


def test_a_full_a_read_only_and_a_missing_disk_are_told_apart(small_disk: Path) -> None:
    (small_disk / "big").write_bytes(bytes(2 * 1024**2))
    assert disk.check_write(small_disk).state == "full"
    assert disk.timed_write(small_disk) is None
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert disk.check_write(small_disk).state == "read_only"
    assert disk.check_write(small_disk / "nowhere").state == "missing"


def test_a_hung_disk_is_told_in_time_and_gets_no_second_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setattr(disk, "_WRITE", ("cat", str(gate)))
    started = time.monotonic()
    assert disk.check_write(tmp_path, timeout_s=0.3).state == "hung"
    assert time.monotonic() - started < 2
    child = disk._abandoned[str(tmp_path)]
    child.wait(5)  # killed; on a truly hung disk it would stay
    monkeypatch.setattr(child, "poll", lambda: None)
    assert disk.check_write(tmp_path, timeout_s=5).state == "hung"
    monkeypatch.undo()
    assert disk.check_write(tmp_path).state == "ok"


def test_the_marker_tells_the_right_disk_from_another(tmp_path: Path) -> None:
    assert disk.read_marker(tmp_path) is None
    disk.write_marker(tmp_path, "volume-1")
    disk.write_marker(tmp_path, "volume-2")
    assert disk.read_marker(tmp_path) == "volume-1"
    assert disk.is_volume(tmp_path, "volume-1")
    assert not disk.is_volume(tmp_path / "unmounted", "volume-1")


def test_the_reserve_takes_room_and_gives_it_back(small_disk: Path) -> None:
    before = disk.usage(small_disk).free_bytes
    assert disk.make_reserve(small_disk, size_bytes=1024**2)
    assert disk.usage(small_disk).free_bytes <= before - 1024**2
    assert not disk.make_reserve(small_disk, size_bytes=8 * 1024**2)
    assert disk.usage(small_disk).free_bytes == before
    assert disk.make_reserve(small_disk, size_bytes=1024**2)
    assert disk.drop_reserve(small_disk)
    assert not disk.drop_reserve(small_disk)


def test_speed_is_measured_and_nothing_stays_behind(tmp_path: Path) -> None:
    speed = disk.measure_speed(tmp_path, size_bytes=4 * 1024**2)
    assert speed.write_bytes_per_second > 100_000
    assert speed.read_bytes_per_second > 100_000
    assert list(tmp_path.iterdir()) == []
