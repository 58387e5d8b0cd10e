"""Reading our own files: exact times and places, and no harm from torn or foreign bytes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cctv.media.boxes import Fragment, NotMedia, is_whole, parameter_sets_differ, read_init, scan
from tests.media.loops import EPOCH_S, run_files


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def fragments_of(path: Path) -> list[Fragment]:
    with opened(path) as fd:
        return scan(fd, read_init(fd), 0)


def rewritten(tmp_path: Path, content: bytes) -> Path:
    target = tmp_path / "00000.mp4"
    target.write_bytes(content)
    return target


@pytest.mark.parametrize(
    ("kind", "sound", "codecs"),
    [("h264", False, "avc1."), ("h264", True, "mp4a.40.2"), ("h265", False, "hvc1.1.6.L60.90")],
)
def test_it_reads_the_tracks_of_the_init(kind: str, sound: bool, codecs: str) -> None:
    for path in run_files(kind, sound=sound):
        with opened(path) as fd:
            init = read_init(fd)
        assert codecs in init.codecs
        assert (init.video.width, init.video.height, init.video.timescale) == (320, 240, 90_000)
        assert init.video.is_hevc == (kind == "h265")
        assert (init.audio is not None) == sound
        assert path.read_bytes()[init.size + 4 : init.size + 8] == b"moof"


def test_all_files_of_a_run_have_the_same_init() -> None:
    hashes = set()
    for path in run_files("h264", sound=True):
        with opened(path) as fd:
            hashes.add(read_init(fd).sha256)
    assert len(hashes) == 1


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("kind", ["h264", "h265"])
def test_fragments_touch_exactly_across_files_and_carry_epoch_times(kind: str, sound: bool) -> None:
    fragments = [fragment for path in run_files(kind, sound=sound) for fragment in fragments_of(path)]
    fragments = [fragment for fragment in fragments if fragment.has_video]
    assert abs(fragments[0].start_ms - EPOCH_S * 1000) < 150
    assert all(earlier.end_ticks == later.start_ticks for earlier, later in pairwise(fragments))
    assert abs(fragments[-1].end_ms - fragments[0].start_ms - 12_000) <= 40
    assert sum(fragment.is_key for fragment in fragments) == 12


def test_the_key_frames_are_where_ffprobe_sees_them() -> None:
    path = run_files("h264", sound=True)[1]
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "packet=dts,flags,pos",
        "-of",
        "csv=p=0",
    ]
    lines = subprocess.run(
        [*command, str(path)], check=True, capture_output=True, text=True, timeout=30
    ).stdout
    packets = [line.rstrip(",").split(",") for line in lines.split()]
    keys = [int(dts) for dts, _pos, flags in packets if flags.startswith("K")]
    assert [fragment.start_ticks for fragment in fragments_of(path) if fragment.is_key] == keys


def test_the_last_fragment_ends_where_the_file_ends() -> None:
    for path in run_files("h264"):
        assert fragments_of(path)[-1].end_offset == path.stat().st_size


def test_the_earliest_start_is_that_of_the_earlier_track() -> None:
    path = run_files("h264", sound=True)[1]
    content = path.read_bytes()
    for fragment in fragments_of(path):
        moof = content[fragment.offset : content.index(b"mdat", fragment.offset)]
        places = [at + 8 for at in range(len(moof)) if moof.startswith(b"tfdt", at)]
        times = [int.from_bytes(moof[at : at + 8], "big") for at in places]
        scales = (90_000, 16_000)
        starts = [time * 90_000 // scale for time, scale in zip(times, scales, strict=False)]
        assert fragment.min_start_ticks == min(starts)
        assert fragment.start_ticks == starts[0]


@pytest.mark.parametrize("kind", ["h264", "h265"])
def test_key_frames_show_their_sps_and_an_equal_one_does_not_differ(kind: str) -> None:
    path = run_files(kind)[0]
    with opened(path) as fd:
        init = read_init(fd)
        fragments = scan(fd, init, 0)
    with_sps = [fragment for fragment in fragments if fragment.sps]
    assert with_sps
    assert all(fragment.is_key for fragment in with_sps)
    assert not any(parameter_sets_differ(fragment, init, first=with_sps[0]) for fragment in fragments)


@pytest.mark.parametrize("kind", ["h264", "h265"])
def test_another_picture_size_in_the_stream_differs_from_the_init(kind: str) -> None:
    with opened(run_files(kind, seconds=2, size="640x360")[0]) as fd:
        other = next(fragment for fragment in scan(fd, read_init(fd), 0) if fragment.sps)
    with opened(run_files(kind)[0]) as fd:
        init = read_init(fd)
    assert parameter_sets_differ(other, init)


def test_an_announced_sps_that_only_spells_the_same_format_otherwise_is_no_change() -> None:
    with opened(run_files("h264")[0]) as fd:
        init = read_init(fd)
        key = scan(fd, init, 0)[0]
    quirk = Fragment(key.offset, key.size, key.start_ticks, 1, True, True, key.start_ticks, key.sps + b"\x80")
    assert not parameter_sets_differ(quirk, init)
    assert parameter_sets_differ(quirk, init, first=key)


def test_fragments_without_video_say_so(tmp_path: Path) -> None:
    path = run_files("h264", sound=True)[0]
    content = path.read_bytes()
    with opened(path) as fd:
        init = read_init(fd)
    first_track = (1).to_bytes(4, "big")
    places = [at for at in range(len(content)) if content.startswith(b"tfhd", at)]
    other = bytearray(content)
    for at in places:
        if content[at + 8 : at + 12] == first_track:
            other[at + 8 : at + 12] = (9).to_bytes(4, "big")
    with opened(rewritten(tmp_path, bytes(other))) as fd:
        fragments = scan(fd, init, 0)
    assert fragments
    assert not any(fragment.has_video or fragment.is_key for fragment in fragments)
    assert abs(fragments[0].start_ms - EPOCH_S * 1000) < 150


@pytest.mark.parametrize("cut", [0, 3, 7, 20, 500])
def test_a_file_without_a_whole_init_is_not_media(tmp_path: Path, cut: int) -> None:
    path = rewritten(tmp_path, run_files("h264")[0].read_bytes()[:cut])
    with opened(path) as fd, pytest.raises(NotMedia):
        read_init(fd)


def test_a_torn_tail_ends_the_scan_at_the_last_whole_fragment(tmp_path: Path) -> None:
    source = run_files("h264", sound=True)[0]
    whole, content = fragments_of(source), source.read_bytes()
    for cut in (1, 5, 16, 900, whole[-1].size - 1, whole[-1].size - 9):
        assert fragments_of(rewritten(tmp_path, content[:-cut])) == whole[:-1]


@pytest.mark.parametrize(
    "tail", [b"\x00" * 150_000, b"\x00\x00\x00\x07moof" * 9, os.urandom(5000), b"\xff" * 64]
)
def test_zeros_and_foreign_bytes_behind_the_last_fragment_are_ignored(tmp_path: Path, tail: bytes) -> None:
    source = run_files("h264")[0]
    assert fragments_of(rewritten(tmp_path, source.read_bytes() + tail)) == fragments_of(source)


def test_a_fragment_whose_pictures_are_zeros_does_not_count(tmp_path: Path) -> None:
    source = run_files("h264")[0]
    whole, content = fragments_of(source), bytearray(source.read_bytes())
    at = content.index(b"mdat", whole[-1].offset) + 4
    content[at:] = bytes(len(content) - at)
    assert fragments_of(rewritten(tmp_path, bytes(content))) == whole[:-1]


def test_a_fragment_whose_end_is_zeros_is_not_whole(tmp_path: Path) -> None:
    source = run_files("h264")[0]
    content = source.read_bytes()
    path = rewritten(tmp_path, content[:-600] + bytes(600))
    with opened(path) as fd:
        init = read_init(fd)
        fragments = scan(fd, init, 0)
        assert is_whole(fd, init, fragments[0])
        assert not is_whole(fd, init, fragments[-1])


def test_reading_goes_on_where_it_stopped() -> None:
    path = run_files("h264")[0]
    with opened(path) as fd:
        init = read_init(fd)
        whole = scan(fd, init, init.size)
        first = scan(fd, init, init.size, end=whole[4].end_offset + 10)
        assert first == whole[:5]
        assert scan(fd, init, first[-1].end_offset) == whole[5:]


def test_a_fragment_costs_at_most_40_microseconds() -> None:
    path = run_files("h264", sound=True)[0]
    best = 1.0
    with opened(path) as fd:
        init = read_init(fd)
        for _ in range(20):
            started = time.perf_counter()
            count = len(scan(fd, init, 0))
            best = min(best, (time.perf_counter() - started) / count)
    assert best < 40e-6


@settings(max_examples=300, deadline=2000)
@given(content=st.binary(max_size=3000))
def test_arbitrary_bytes_are_never_more_than_not_media(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary.mp4"
    path.write_bytes(content)
    with opened(path) as fd, pytest.raises(NotMedia):
        read_init(fd)


@settings(max_examples=500, deadline=2000)
@given(
    places=st.lists(
        st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6
    )
)
def test_damaged_files_never_raise_anything_else_and_never_loop(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, bytes]]
) -> None:
    source = run_files("h264", sound=True)[0]
    content = bytearray(source.read_bytes()[:20_000])
    for at, replacement in places:
        content[at : at + len(replacement)] = replacement
    path = tmp_path_factory.getbasetemp() / "damaged.mp4"
    path.write_bytes(content)
    with opened(path) as fd:
        try:
            init = read_init(fd)
        except NotMedia:
            return
        fragments = scan(fd, init, 0)
        for fragment in fragments:
            parameter_sets_differ(fragment, init)
        assert all(fragment.end_offset <= len(content) for fragment in fragments)
