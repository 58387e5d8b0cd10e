"""What an independent client, ffmpeg, gets from the demo camera."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cctv.demo.elementary import split_video
from cctv.demo.loops import make_loop
from cctv.demo.profiles import PROFILES
from tests.cameras import CACHE_DIR, CameraFarm, numbers_in, steps_of
from tests.demo.client import Client


def record(url: str, path: Path, *, seconds: float = 3, options: tuple[str, ...] = ()) -> str:
    """Records with ffmpeg as it comes, and answers what ffmpeg said."""
    done = subprocess.run(
        [
            *("ffmpeg", "-hide_banner", "-v", "warning", "-nostdin", "-y", "-rtsp_transport", "tcp"),
            *(
                "-timeout",
                "5000000",
                *options,
                "-i",
                url,
                "-map",
                "0",
                "-t",
                str(seconds),
                "-c",
                "copy",
                str(path),
            ),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def streams_of(path: Path) -> dict[str, dict[str, str]]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)],
        capture_output=True,
        timeout=30,
        check=True,
    )
    return {stream["codec_type"]: stream for stream in json.loads(done.stdout)["streams"]}


def test_ffmpeg_records_every_small_profile_without_losing_a_picture(
    farm: CameraFarm, tmp_path: Path
) -> None:
    names = ("t1", "t1a", "t1p", "t1h", "t1w", "t1-nosprop", "t1a-noaudio", "t1-idr", "demo")

    def record_one(name: str) -> tuple[str, dict[str, dict[str, str]], list[int]]:
        path = tmp_path / f"{name}.mkv"
        record(farm.url(name, 900), path)
        profile = PROFILES[name.partition("-")[0]]
        numbers = numbers_in(path, width=profile.width, height=profile.height)
        return name, streams_of(path), steps_of(numbers, profile.frames)

    with ThreadPoolExecutor(len(names)) as pool:
        for name, streams, steps in pool.map(record_one, names):
            profile = PROFILES[name.partition("-")[0]]
            assert set(steps) == {1}, name
            assert len(steps) > 1.5 * profile.fps, name
            assert (streams["video"]["codec_name"], streams["video"]["width"]) == (
                profile.codec,
                profile.width,
            )
            has_sound = profile.audio and "noaudio" not in name
            codec = {"aac": "aac", "pcma": "pcm_alaw", None: None}[profile.audio if has_sound else None]
            assert streams.get("audio", {}).get("codec_name") == codec, name


def test_the_number_says_when_the_picture_was_sent(farm: CameraFarm, tmp_path: Path, number: int) -> None:
    with Client(farm.url("t1-idr", number)) as client:
        client.play()
        video = [packet for packet in client.packets(seconds=1.5) if packet.channel == 0]
    stream = b""
    for packet in video:  # parameter sets and small pictures are single NAL units, larger ones FU-A
        payload = packet.payload[12:]
        if payload[0] & 31 != 28:
            stream += b"\0\0\0\1" + payload
        else:
            start = b"\0\0\0\1" + bytes([payload[0] & 0xE0 | payload[1] & 31]) if payload[1] & 0x80 else b""
            stream += start + payload[2:]
    path = tmp_path / "video.h264"
    path.write_bytes(stream)
    profile = PROFILES["t1"]
    first = numbers_in(path)[0]
    assert first is not None and first % (profile.fps * profile.gop_seconds) == 0, (
        "-idr begins with a key frame"
    )
    assert profile.age_seconds(first, camera=number, now=video[0].at) < 0.1


def test_the_code_survives_scaling_and_a_second_encoding(
    farm: CameraFarm, tmp_path: Path, number: int
) -> None:
    record(farm.url("demo", number), tmp_path / "demo.mkv")
    small = tmp_path / "small.mkv"
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-i", str(tmp_path / "demo.mkv"), "-vf", "scale=320:180", "-an"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-b:v", "80k", str(small)),
        ],
        timeout=60,
        check=True,
    )
    assert set(steps_of(numbers_in(small, width=320, height=180), PROFILES["demo"].frames)) == {1}


def test_the_loop_has_no_seam(farm: CameraFarm, tmp_path: Path, number: int) -> None:
    """Recorded across its end: camera numbers are phases, so one can be chosen that wraps soon."""
    profile = PROFILES["t1a"]
    wanted = -(time.time() + 2) % profile.seconds
    wrapping = min(range(100_000, 100_400), key=lambda each: abs(each * 0.137 % profile.seconds - wanted))
    said = record(farm.url("t1a", wrapping), tmp_path / "seam.mkv", seconds=4)
    numbers = numbers_in(tmp_path / "seam.mkv")
    assert 0 in numbers[1:] and set(steps_of(numbers, profile.frames)) == {1}
    assert "error" not in said.lower(), said


@pytest.mark.parametrize("name", ["t1-nosprop", "t1h-nosprop"])
def test_a_description_can_leave_out_parameter_sets(farm: CameraFarm, name: str) -> None:
    with Client(farm.url(name, 901)) as client:
        assert "sprop" not in client.describe().body
    with Client(farm.url(name.partition("-")[0], 901)) as client:
        assert "sprop" in client.describe().body


BENCHMARK_NAMES = ("a4", "b2", "c2", "d2", "e1", "s1")


@pytest.mark.parametrize("name", BENCHMARK_NAMES)
def test_the_loops_of_the_benchmark_have_the_rates_they_promise(name: str) -> None:
    """Bit rate within a tenth, key frames exactly where they belong, every picture with its number."""
    profile = PROFILES[name]
    path, _ = make_loop(profile, CACHE_DIR)
    assert 0.9 < path.stat().st_size * 8 / 1000 / profile.seconds / profile.kbps < 1.1
    pictures = split_video(path.read_bytes(), profile.codec)
    keys = [index for index, picture in enumerate(pictures) if picture.is_key]
    assert keys == list(range(0, profile.frames, profile.fps * profile.gop_seconds))


def test_ffmpeg_records_the_benchmark_without_losing_a_picture(farm: CameraFarm, tmp_path: Path) -> None:
    def record_one(name: str) -> tuple[str, list[int]]:
        path, profile = tmp_path / f"{name}.mkv", PROFILES[name]
        record(farm.url(f"{name}-idr-noaudio", 902), path, seconds=2)
        numbers = numbers_in(path, width=profile.width // 3, height=profile.height // 3)
        return name, steps_of(numbers, profile.frames)

    with ThreadPoolExecutor(len(BENCHMARK_NAMES)) as pool:
        for name, steps in pool.map(record_one, BENCHMARK_NAMES):
            assert set(steps) == {1} and len(steps) > 1.8 * PROFILES[name].fps, name


def test_ffmpeg_logs_in(farm: CameraFarm, tmp_path: Path, number: int) -> None:
    record(farm.url("t1", number, auth=True), tmp_path / "guarded.mkv", seconds=0.5)
    assert farm.control.stats(number)["logins_refused"] == 0
