"""Films: what our fragments become as plain MP4, judged by ffprobe, ffmpeg and the bytes themselves."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cctv.media.boxes import read_init, scan
from cctv.media.movie import Layout, Movie
from tests.media.loops import EPOCH_S, run_files

SECOND = 90_000


def film(
    paths: Sequence[Path],
    *,
    texts: list[tuple[int, str]] | None = None,
    stop_s: float | None = None,
    skip_first_s: int = 0,
) -> tuple[Layout, Movie]:
    """All of these files as one stretch, from a key frame of the first one on."""
    movie: Movie | None = None
    for number, path in enumerate(paths):
        descriptor = os.open(path, os.O_RDONLY)
        init = read_init(descriptor)
        content = os.pread(descriptor, init.size, 0)
        keys = [one for one in scan(descriptor, init, 0) if one.is_key]
        first = keys[skip_first_s if number == 0 else 0]
        if movie is None:
            movie = Movie(content)
            movie.begin(content, first.start_ticks)
        stop = None if stop_s is None else int((EPOCH_S + stop_s) * SECOND)
        movie.add(descriptor, first.offset, path.stat().st_size, stop_ticks=stop)
    assert movie is not None
    return movie.layout(made_s=EPOCH_S, texts=texts), movie


def init_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(read_init(file.fileno()).size)


def write(layout: Layout, target: Path) -> Path:
    with target.open("wb") as file:
        file.write(layout.head)
        for piece in layout.pieces:
            file.write(os.pread(piece.fd, piece.size, piece.offset))
    assert target.stat().st_size == layout.size_bytes
    return target


def probe(path: Path, *options: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", *options, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=30)
    assert not done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def digests(path: Path, *options: str) -> list[str]:
    """One line of hash for each decoded picture."""
    command = ["ffmpeg", "-v", "error", *options, "-i", str(path), "-map", "0:v", "-f", "framemd5", "-"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60, text=True)
    assert not done.stderr, done.stderr
    return [line.rpartition(",")[2].strip() for line in done.stdout.splitlines() if line[:1] != "#"]


class TestAFilm:
    def test_it_plays_from_zero_with_every_picture_and_its_sound_in_place(self, tmp_path: Path) -> None:
        layout, _ = film(run_files(seconds=12, sound=True))
        path = write(layout, tmp_path / "film.mp4")
        found = probe(path, "-count_packets")
        video, sound = found["streams"]
        assert (video["codec_name"], sound["codec_name"]) == ("h264", "aac")
        assert int(video["nb_read_packets"]) == 300
        assert abs(float(found["format"]["duration"]) - 12) < 0.1
        assert float(video["start_time"]) == 0
        assert abs(float(sound["start_time"])) < 0.1
        assert abs(layout.duration_ms - 12_000) < 100
        assert found["format"]["tags"]["creation_time"].startswith("2026-11-22T")

    def test_the_index_stands_in_front(self, tmp_path: Path) -> None:
        path = write(film(run_files(seconds=12))[0], tmp_path / "film.mp4")
        content = path.read_bytes()
        assert content[4:8] == b"ftyp"
        assert 0 < content.index(b"moov") < content.index(b"mdat") < 50_000

    def test_the_pictures_are_those_of_the_camera(self, tmp_path: Path) -> None:
        files = run_files(seconds=12)
        path = write(film(files)[0], tmp_path / "film.mp4")
        before = [digest for source in files for digest in digests(source)]
        assert digests(path) == before

    def test_every_key_frame_can_be_jumped_to(self, tmp_path: Path) -> None:
        path = write(film(run_files(seconds=12))[0], tmp_path / "film.mp4")
        assert digests(path, "-ss", "7.0")[0] == digests(path)[175]

    def test_h265_stays_h265(self, tmp_path: Path) -> None:
        found = probe(write(film(run_files("h265", seconds=4))[0], tmp_path / "film.mp4"))
        assert found["streams"][0]["codec_name"] == "hevc"
        assert found["streams"][0]["codec_tag_string"] == "hvc1"

    def test_it_begins_and_ends_where_it_was_told(self, tmp_path: Path) -> None:
        layout, _ = film(run_files(seconds=12, sound=True), skip_first_s=2, stop_s=9)
        path = write(layout, tmp_path / "film.mp4")
        found = probe(path)
        assert abs(float(found["format"]["duration"]) - 7) < 0.3
        assert abs(float(found["streams"][1]["start_time"])) < 0.1

    def test_a_track_tells_the_time(self, tmp_path: Path) -> None:
        texts = [(second * SECOND, f"12:00:{second:02}") for second in range(12)]
        path = write(film(run_files(seconds=12), texts=texts)[0], tmp_path / "film.mp4")
        assert [stream["codec_name"] for stream in probe(path)["streams"]] == ["h264", "mov_text"]
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "srt", "-"]
        said = subprocess.run(command, check=True, capture_output=True, timeout=30, text=True).stdout
        assert "00:00:05,000 --> 00:00:06,000\n" in said
        assert "12:00:05" in said
        assert len(digests(path)) == 300


class TestSeveralStretches:
    def join(self, hole_ticks: int) -> Movie:
        first, last = run_files(seconds=12, sound=True)[0], run_files(seconds=12, sound=True)[2]
        movie: Movie | None = None
        for path in (first, last):
            descriptor = os.open(path, os.O_RDONLY)
            init = read_init(descriptor)
            content = os.pread(descriptor, init.size, 0)
            start = next(one for one in scan(descriptor, init, 0) if one.is_key)
            movie = movie or Movie(content)
            assert movie.fits(content)
            movie.begin(content, start.start_ticks, hole_ticks=hole_ticks if movie.size_bytes else 0)
            movie.add(descriptor, start.offset, path.stat().st_size)
        assert movie is not None
        return movie

    def test_what_is_left_out_takes_no_time(self, tmp_path: Path) -> None:
        found = probe(write(self.join(0).layout(made_s=EPOCH_S), tmp_path / "film.mp4"))
        assert abs(float(found["format"]["duration"]) - 8) < 0.15

    def test_over_a_short_hole_the_picture_stands(self, tmp_path: Path) -> None:
        path = write(self.join(4 * SECOND).layout(made_s=EPOCH_S), tmp_path / "film.mp4")
        assert abs(float(probe(path)["format"]["duration"]) - 12) < 0.15
        assert len(digests(path)) == 200

    def test_another_format_does_not_fit(self) -> None:
        small, large = (init_of(run_files(seconds=4, size=size)[0]) for size in ("320x240", "640x480"))
        assert Movie(small).fits(small)
        assert not Movie(small).fits(large)

    def test_a_run_without_sound_goes_on_in_the_same_film(self) -> None:
        silent, loud = (init_of(run_files(seconds=12, sound=sound)[0]) for sound in (False, True))
        assert Movie(silent).fits(loud)
        assert Movie(loud).fits(silent)
