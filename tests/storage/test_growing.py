"""Following a run that grows: each fragment once, in order, across files; cheap; nothing from torn ends."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from cctv.media.boxes import Fragment
from cctv.storage import paths
from cctv.storage.growing import GrowingRun, LocatedFragment, latest_run, list_stream_runs
from cctv.storage.runfile import RunFile, write_run
from tests.media.loops import run_files

KEY = "7-1795354218-0a3f"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    target = paths.run_dir(tmp_path, 3, KEY)
    target.mkdir(parents=True)
    return target


def follow(tmp_path: Path, first_number: int | None = 0) -> GrowingRun:
    return GrowingRun(tmp_path, 3, KEY, first_number=first_number)


def place(located: list[LocatedFragment]) -> list[tuple[int, int]]:
    return [(number, fragment.offset) for number, fragment in located]


def test_every_fragment_comes_once_however_the_writer_cuts_its_writes(
    tmp_path: Path, directory: Path
) -> None:
    found: list[LocatedFragment] = []
    with follow(tmp_path) as run:
        assert run.refresh() == []
        for number, source in enumerate(run_files("h264", sound=True)):
            content = source.read_bytes()
            with (directory / paths.segment_name(number)).open("wb", buffering=0) as target:
                for at in range(0, len(content), 7777):
                    target.write(content[at : at + 7777])
                    found += run.refresh()
        fragments = [fragment for _, fragment in found if fragment.has_video]
        assert len(place(found)) == len(set(place(found)))
        pairs = pairwise(fragments)
        assert all(earlier.end_ticks == later.start_ticks for earlier, later in pairs)
        assert fragments[-1].end_ms - fragments[0].start_ms == pytest.approx(12_000, abs=40)
        assert [number for number, _ in found] == sorted(number for number, _ in found)
        first = found[0]
        assert run.read(first)[4:8] == b"moof"
        assert run.init is not None
        assert run.read_init_bytes() == run_files("h264", sound=True)[0].read_bytes()[: run.init.size]


def test_it_begins_at_the_file_before_the_newest(tmp_path: Path, directory: Path) -> None:
    for number, source in enumerate(run_files("h264")):
        (directory / paths.segment_name(number)).write_bytes(source.read_bytes())
    with follow(tmp_path, None) as run:
        assert {number for number, _ in run.refresh()} == {1, 2}
        assert run.refresh() == []


def test_the_rest_of_a_file_is_read_before_it_is_left(tmp_path: Path, directory: Path) -> None:
    first, second, _ = (source.read_bytes() for source in run_files("h264"))
    (directory / "00000.mp4").write_bytes(first[:-3000])
    with follow(tmp_path) as run:
        before = run.refresh()
        (directory / "00000.mp4").write_bytes(first)
        (directory / "00001.mp4").write_bytes(second[:20])
        rest = run.refresh()
        assert {number for number, _ in rest} == {0}
        assert rest[-1].fragment.end_offset == len(first)
        assert before[-1].fragment.end_offset == rest[0].fragment.offset


def test_it_goes_on_after_files_that_expired_unread(tmp_path: Path, directory: Path) -> None:
    sources = run_files("h264")
    (directory / "00000.mp4").write_bytes(sources[0].read_bytes())
    with follow(tmp_path) as run:
        run.refresh()
        (directory / "00002.mp4").write_bytes(sources[2].read_bytes())
        found: list[LocatedFragment] = []
        for _ in range(50):
            found += run.refresh()
        assert {number for number, _ in found} == {2}


def test_bytes_that_are_gone_raise(tmp_path: Path, directory: Path) -> None:
    path = directory / "00000.mp4"
    path.write_bytes(run_files("h264")[0].read_bytes())
    with follow(tmp_path) as run:
        located = run.refresh()[-1]
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(EOFError):
            run.read(located)
        path.unlink()
        with pytest.raises(FileNotFoundError):
            run.read(located)
        with pytest.raises(FileNotFoundError):
            run.read_init_bytes()


def test_a_second_of_stream_costs_little(tmp_path: Path, directory: Path) -> None:
    content = run_files("h264", sound=True)[0].read_bytes()
    path = directory / "00000.mp4"
    path.write_bytes(content)
    with follow(tmp_path) as run:
        fragments: list[Fragment] = [fragment for _, fragment in run.refresh()]
    seconds = [fragments[min(at + 4, len(fragments) - 1)].end_offset for at in range(0, len(fragments), 5)]
    spent = 0.0
    with follow(tmp_path) as run, path.open("r+b") as target:
        target.truncate(0)
        target.seek(0)
        written = 0
        for end in seconds:
            target.write(content[written:end])
            target.flush()
            written = end
            started = time.thread_time()
            assert run.refresh()
            spent += time.thread_time() - started
    assert spent / len(seconds) < 0.00016 * 2  # twice the target, for a machine that is busy with other tests


def test_the_latest_run_of_a_stream_is_found(tmp_path: Path) -> None:
    assert latest_run(tmp_path, 3, 7) is None
    same_second = ["7-1795354300-ffff", "7-1795354300-0000"]
    for ordinal, key in enumerate(["7-1795354218-0a3f", *same_second, "77-1795354999-0000"]):
        path = paths.run_dir(tmp_path, 3, key)
        path.mkdir(parents=True)
        write_run(path, RunFile(key, 3, 7, ordinal=ordinal), durable=False)
    assert list_stream_runs(tmp_path, 3, 7) == ["7-1795354218-0a3f", *same_second]
    assert latest_run(tmp_path, 3, 7) == "7-1795354300-0000"
    time.sleep(0.06)
    assert latest_run(tmp_path, 3, 7) == "7-1795354300-0000"
    paths.run_dir(tmp_path, 3, "7-1795354301-aaaa").mkdir()
    assert latest_run(tmp_path, 3, 7) == "7-1795354301-aaaa"
