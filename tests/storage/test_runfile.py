"""run.json is replaced whole, survives damage around it and reads back what was written."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from cctv.storage.runfile import RunFile, read_run, update_run, write_run

RUN = RunFile(
    "7-1795354218-0a3f", 3, 7, ordinal=4, fence=2, epoch_ms=1_795_354_218_123, mapping=[(0, -40), (9, 5)]
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_run(tmp_path, RUN)
    assert read_run(tmp_path) == RUN
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_change_keeps_the_rest(tmp_path: Path) -> None:
    write_run(tmp_path, RUN, durable=False)
    changed = update_run(tmp_path, pid=42, ended_cause="stalled", durable=False)
    assert changed is not None
    assert read_run(tmp_path) == changed
    assert (changed.pid, changed.ended_cause, changed.ordinal) == (42, "stalled", 4)


def test_unknown_entries_are_ignored(tmp_path: Path) -> None:
    write_run(tmp_path, RUN)
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "later": 1}))
    assert read_run(tmp_path) == RUN


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"run":"../x","camera_id":1,"stream_id":1}', "\x00" * 40]
)
def test_a_damaged_file_is_no_run(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    assert read_run(tmp_path) is None
    assert update_run(tmp_path, pid=1) is None
