"""Paths come from ids only, and never lead out of the media directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cctv.storage import paths

KEY = "7-1795354218-0a3f"


def test_it_spells_the_place_of_a_segment(tmp_path: Path) -> None:
    assert paths.segment_path(tmp_path, 3, KEY, 12) == tmp_path / "3" / KEY / "00012.mp4"
    assert paths.segment_name(123456) == "123456.mp4"


def test_run_keys_are_new_each_time_and_can_be_read_back() -> None:
    keys = {paths.new_run_key(7, 1_795_354_218) for _ in range(50)}
    assert len(keys) > 40
    assert all(paths.parse_run_key(key)[:2] == (7, 1_795_354_218) for key in keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "7-1795354218-0a3f/",
        "../7-1795354218-0a3f",
        "7-1795354218-0A3F",
        "0-1795354218-0a3f",
        "7-1795354218-0a3f\n",
        "７-1795354218-0a3f",
        "7-1795354218",
        "-7-1795354218-0a3f",
        "7-1795354218-0a3f-x",
    ],
)
def test_anything_but_a_run_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):
        paths.run_dir(tmp_path, 1, text)
    assert not paths.is_run_key(text)


@given(st.text(max_size=40))
def test_no_text_ever_becomes_a_path_outside(text: str) -> None:
    try:
        path = paths.run_dir(Path("/media"), 1, text)
    except ValueError:
        return
    assert path.parent == Path("/media/1")


@pytest.mark.parametrize("number", [-1, 0, True, 2**31, "1", 1.0, None])
def test_impossible_ids_are_refused(tmp_path: Path, number: object) -> None:
    with pytest.raises(ValueError):
        paths.camera_dir(tmp_path, number)  # type: ignore[arg-type]


def test_it_lists_what_is_there_and_leaves_out_the_rest(tmp_path: Path) -> None:
    older, newer = "8-1795354000-0000", "7-1795354218-0a3f"
    for key in (newer, older, "lost+found", ".hidden"):
        (tmp_path / "3" / key).mkdir(parents=True)
    for name in ("00001.mp4", "00000.mp4", "run.json", "x.mp4", "100000.mp4"):
        (tmp_path / "3" / newer / name).touch()
    (tmp_path / ".cctv-volume").touch()
    assert paths.list_cameras(tmp_path) == [3]
    assert paths.list_runs(tmp_path, 3) == [older, newer]
    assert paths.list_segments(tmp_path, 3, newer) == [0, 1, 100000]
    assert paths.list_segments(tmp_path, 9, newer) == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    media = tmp_path / "media"
    (media / "3" / KEY).mkdir(parents=True)
    link = paths.segment_path(media, 3, KEY, 0)
    link.symlink_to(secret)
    with pytest.raises(OSError):
        os.close(paths.open_segment(media, 3, KEY, 0))
    with pytest.raises(ValueError):
        paths.below(media, link)
    assert paths.below(media, media / "3" / KEY) == (media / "3" / KEY).resolve()
