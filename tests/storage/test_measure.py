"""Which files found on disk count, when their times and the disk's clock contradict one another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cctv.storage import paths
from cctv.storage.measure import measure
from cctv.storage.runfile import RunFile
from tests.media.loops import EPOCH_S, run_files

RUN = RunFile(run=f"1-{EPOCH_S}-abcd", camera_id=1, stream_id=1, epoch_ms=EPOCH_S * 1000)


def put(folder: Path, *numbers: int, written_s: float) -> Path:
    """Files 0, 1 ... of a run are these of the real run; the newest was written at that time."""
    for number, source in enumerate(numbers):
        path = folder / paths.segment_name(number)
        shutil.copyfile(run_files()[source], path)
        os.utime(path, (written_s, written_s))
    return folder / paths.segment_name(len(numbers) - 1)


def test_a_file_from_after_a_jump_of_the_cameras_clock_does_not_count(tmp_path: Path) -> None:
    jumped = put(tmp_path, 0, 2, written_s=EPOCH_S + 4.5)
    assert measure(jumped, RUN, 1) is None


def test_a_first_file_far_from_the_epoch_of_its_run_does_not_count(tmp_path: Path) -> None:
    early = RunFile(run=RUN.run, camera_id=1, stream_id=1, epoch_ms=(EPOCH_S - 3600) * 1000)
    assert measure(put(tmp_path, 0, written_s=EPOCH_S - 3600), early, 0) is None


def test_files_written_before_the_machines_clock_was_set_back_count(tmp_path: Path) -> None:
    assert measure(put(tmp_path, 0, 1, written_s=EPOCH_S - 3600), RUN, 1) is not None
    assert measure(tmp_path / paths.segment_name(0), RUN, 0) is not None
