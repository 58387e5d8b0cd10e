"""The command lines do what they promise, run by the real ffmpeg against real RTSP servers."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from cctv.media import argv, clip, stderr
from cctv.media.boxes import Fragment, Init, parameter_sets_differ, read_init, scan
from cctv.media.signpost import Signpost
from tests.cameras import CameraFarm
from tests.media.loops import EPOCH_S, run_files


def read(path: Path) -> tuple[Init, list[Fragment]]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        init = read_init(descriptor)
        return init, scan(descriptor, init, 0)
    finally:
        os.close(descriptor)


def read_all(directory: Path) -> tuple[set[str], list[Fragment], Init]:
    """Hashes of the inits, the fragments with video from the first key frame on, and an init."""
    found = [read(path) for path in sorted(directory.glob("*.mp4"))]
    fragments = [fragment for _, each in found for fragment in each if fragment.has_video]
    first = next(at for at, fragment in enumerate(fragments) if fragment.is_key)
    return {init.sha256 for init, _ in found}, fragments[first:], found[0][0]


class Capture:
    """A running capture of one address into a directory; `ended` waits for its own end."""

    # type: ignore[no-untyped-def]
    def __init__(self, directory: Path, url: str, *, timeout_s: float = 60, **options) -> None:
        self.directory = directory
        self.signpost = Signpost()
        self.epoch_ms = int(time.time() * 1000)
        self.command = argv.capture_argv(
            self.signpost.address_of(url),
            directory,
            epoch_ms=self.epoch_ms,
            segment_seconds=2,
            timeout_s=timeout_s,
            **options,
        )
        self.log = directory / "ffmpeg.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=log)

    def until(self, condition: Callable[[], bool], *, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def until_files(self, count: int) -> None:
        self.until(lambda: len(list(self.directory.glob("*.mp4"))) >= count)

    def ended(self, *, seconds: float) -> int:
        return self.process.wait(seconds)

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.signpost.close()


CODECS = {
    "h264": ("t1", "h264", {}, "avc1."),
    "aac": ("t1a", "h264-aac", {}, "mp4a.40.2"),
    "pcma": ("t1p", "h264-pcma", {"audio": "aac"}, "mp4a.40.2"),
    "h265": ("t1h", "h265", {"hevc": True}, "hvc1."),
}


@pytest.mark.parametrize("source", ["farm", "independent"])
def test_captures_of_all_codecs_are_continuous_runs_of_files(
    tmp_path: Path, farm: CameraFarm, number: int, independent: str, source: str
) -> None:
    with ExitStack() as stack:
        captures = {}
        for codec, (profile, mount, options, _) in CODECS.items():
            (tmp_path / codec).mkdir()
            url = farm.url(profile, number) if source == "farm" else f"rtsp://{independent}/{mount}"
            captures[codec] = stack.enter_context(Capture(tmp_path / codec, url, **options))
        for capture in captures.values():
            capture.until_files(3)
    for codec, capture in captures.items():
        check_run(capture, codec, spelt=CODECS[codec][3])


def check_run(capture: Capture, codec: str, *, spelt: str) -> None:
    inits, fragments, init = read_all(capture.directory)
    assert len(inits) == 1
    assert spelt in init.codecs
    assert (init.audio is None) == (codec in {"h264", "h265"})
    # Where sound is converted ffmpeg corrects a time by a tick now and then.
    tolerance = 9 if codec == "pcma" else 0
    for earlier, later in pairwise(fragments):
        assert abs(earlier.end_ticks - later.start_ticks) <= tolerance
    assert abs(fragments[0].start_ms - capture.epoch_ms) < 2500
    assert abs(fragments[-1].end_ms - time.time() * 1000) < 4000
    assert not any(parameter_sets_differ(fragment, init) for fragment in fragments)
    assert not stderr.telling_lines(capture.log.read_text())


def test_files_are_cut_at_the_first_key_frame_after_the_clock(
    tmp_path: Path, farm: CameraFarm, number: int
) -> None:
    with Capture(tmp_path, farm.url("t1", number), second_of_minute=1) as capture:
        capture.until_files(3)
    for path in sorted(tmp_path.glob("*.mp4"))[1:-1]:
        _, fragments = read(path)
        assert fragments[0].is_key
        # The muxer cuts by the clock that it sees; content is late by what the connection took.
        phase = (fragments[0].start_ms / 1000 - 1) % 2
        assert phase < 1.6
        assert abs(fragments[-1].end_ms - fragments[0].start_ms - 2000) <= 1100


def test_the_password_is_not_in_the_arguments(tmp_path: Path, farm: CameraFarm, number: int) -> None:
    with Capture(tmp_path, farm.url("t1", number, auth=True)) as capture:
        capture.until_files(1)
        seen = Path(f"/proc/{capture.process.pid}/cmdline").read_bytes()
    assert b"rtsp://127.0.0.1:" in seen, "the signpost's"
    assert f":{farm.port}/".encode() not in seen
    assert b"secret" not in seen
    assert "secret" not in capture.log.read_text()


def test_a_password_full_of_odd_signs_arrives(tmp_path: Path, independent_guarded: str) -> None:
    from cctv.media.addresses import parse_typed

    address = parse_typed(f"rtsp://{independent_guarded}/h264").with_login("admin", "p@ss:w/o#rd 'x'")
    with Capture(tmp_path, address.url_with_credentials) as capture:
        capture.until_files(1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (("status", 404), "path"),
        (("status", 453), "busy"),
        (("status", 403), "forbidden"),
        (("status", 453, "SETUP"), "busy"),
    ],
)
def test_a_refusal_is_told_in_the_log(
    tmp_path: Path, farm: CameraFarm, number: int, fault: tuple, expected: str
) -> None:
    farm.control(fault[0], number, *fault[1:])
    with Capture(tmp_path, farm.url("t1", number)) as capture:
        assert capture.ended(seconds=10) != 0
        assert stderr.classify(capture.log.read_text()) == expected


def test_a_wrong_password_is_told_in_the_log(tmp_path: Path, farm: CameraFarm, number: int) -> None:
    with Capture(tmp_path, farm.url("t1", number, auth=True, password="wrong")) as capture:
        capture.ended(seconds=10)
        assert stderr.classify(capture.log.read_text()) == "auth"


def test_a_silent_camera_ends_the_attempt_at_the_timeout(
    tmp_path: Path, farm: CameraFarm, number: int
) -> None:
    farm.control("freeze", number)
    started = time.monotonic()
    with Capture(tmp_path, farm.url("t1", number), timeout_s=1) as capture:
        assert capture.ended(seconds=12) != 0
        assert time.monotonic() - started < 8
        assert stderr.classify(capture.log.read_text()) in {"nostart", "silent"}


@pytest.mark.parametrize(("fault", "limit_s"), [("kill", 3), ("rst", 3), ("hang", 8)])
def test_a_lost_camera_ends_the_capture(
    tmp_path: Path, farm: CameraFarm, number: int, fault: str, limit_s: float
) -> None:
    with Capture(tmp_path, farm.url("t1", number), timeout_s=1) as capture:
        capture.until(lambda: any(path.stat().st_size > 3000 for path in tmp_path.glob("*.mp4")))
        farm.control(fault, number)
        capture.ended(seconds=limit_s)
        words = capture.log.read_text()
    assert stderr.classify(words, had_pictures=True) in {"ended", "reset", "stall"}


def test_missing_parameter_sets_are_waited_for_or_asked_for(
    tmp_path: Path, farm: CameraFarm, number: int
) -> None:
    """Without them in the description the quick start either waits for the next key frame or says what it
    needs."""
    for full_analysis in (False, True):
        directory = tmp_path / str(full_analysis)
        directory.mkdir()
        with Capture(directory, farm.url("t1-nosprop", number), full_analysis=full_analysis) as capture:
            deadline = time.monotonic() + 12
            while not any(path.stat().st_size > 3000 for path in directory.glob("*.mp4")):
                assert time.monotonic() < deadline
                if capture.process.poll() is not None:
                    assert not full_analysis
                    assert stderr.needs_full_analysis(capture.log.read_text())
                    break
                time.sleep(0.05)


@pytest.mark.parametrize("attempt", range(4))
def test_sound_that_comes_first_does_not_spoil_the_start(
    tmp_path: Path, farm: CameraFarm, number: int, attempt: int
) -> None:
    """The picture size is learnt from the first video packet; at 10 pictures a second sound mostly comes
    before."""
    time.sleep(attempt * 0.023)
    with Capture(tmp_path, farm.url("t1p", number), audio="aac") as capture:
        capture.until(lambda: any(path.stat().st_size > 3000 for path in tmp_path.glob("*.mp4")))


def test_arrival_times_can_replace_the_cameras(tmp_path: Path, farm: CameraFarm, number: int) -> None:
    with Capture(tmp_path, farm.url("t1", number), wallclock=True) as capture:
        capture.until_files(2)
        farm.control("jump", number, 3600)
        capture.until_files(3)
    _, fragments, _ = read_all(tmp_path)
    assert all(0 < fragment.duration_ticks < 180_000 for fragment in fragments)
    assert abs(fragments[-1].end_ms - time.time() * 1000) < 3000


@pytest.mark.parametrize(
    "url", ["http://x/", "rtsp://a\nfile 'x'", "file:///etc/passwd", "concat:x", "rtsp://a\x00"]
)
def test_only_camera_addresses_get_into_the_list(url: str) -> None:
    with pytest.raises(ValueError):
        argv.source_list(url)


def test_a_quote_in_the_address_cannot_leave_its_place() -> None:
    text = argv.source_list("rtsp://h/a'b")
    assert "file 'rtsp://h/a'\\''b'" in text
    assert len(text.splitlines()) == 7


def test_a_percent_sign_in_the_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        argv.capture_argv("rtsp://127.0.0.1/x", tmp_path / "%d", epoch_ms=1)


@pytest.mark.parametrize("address", ["rtsp://admin:secret@10.0.0.1/x", "http://10.0.0.1/x", "/etc/passwd"])
def test_an_address_with_a_login_never_becomes_an_argument(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError):
        argv.capture_argv(address, tmp_path, epoch_ms=1)


@pytest.mark.parametrize(("kind", "sound"), [("h264", True), ("h265", False)])
def test_a_transcode_keeps_the_times_of_its_source(tmp_path: Path, kind: str, sound: bool) -> None:
    source = run_files(kind, sound=sound, size="640x480")
    command = argv.transcode_argv(tmp_path, quality="360p", has_audio=sound, segment_seconds=2)
    content = source[0].read_bytes() + b"".join(
        path.read_bytes()[read(path)[0].size :] for path in source[1:]
    )
    subprocess.run(command, input=content, check=True, timeout=60, capture_output=True)
    _, made, init = read_all(tmp_path)
    originals = [fragment for path in source for fragment in read(path)[1] if fragment.has_video]
    assert (init.video.width, init.video.height) == (480, 360)
    assert init.video.codec.startswith("avc1.4d")
    assert (init.audio is not None) == sound
    assert (made[0].start_ticks, made[-1].end_ticks) == (originals[0].start_ticks, originals[-1].end_ticks)
    assert all(earlier.end_ticks == later.start_ticks for earlier, later in pairwise(made))
    keys = [fragment.start_ticks // 90_000 for fragment in made if fragment.is_key]
    assert keys == list(range(EPOCH_S, EPOCH_S + 12))


def test_a_transcode_never_enlarges(tmp_path: Path) -> None:
    command = argv.transcode_argv(tmp_path, quality="720p", has_audio=False)
    subprocess.run(
        command, input=run_files("h264")[0].read_bytes(), check=True, timeout=60, capture_output=True
    )
    assert read_all(tmp_path)[2].video.height == 240


@pytest.mark.parametrize("kind", ["h264", "h265"])
def test_a_snapshot_is_a_jpeg_of_the_wanted_width(kind: str) -> None:
    path = run_files(kind)[0]
    init, fragments = read(path)
    picture = clip.still(path.read_bytes()[: fragments[0].end_offset], width=160)
    assert picture.startswith(b"\xff\xd8\xff")
    width = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", "-i", "pipe:0"],
        input=picture,
        capture_output=True,
        timeout=20,
        check=True,
    ).stdout
    assert width.strip() == b"160,120"
    assert clip.still(path.read_bytes()[: init.size]) == b""
    assert clip.still(b"nonsense") == b""


def test_an_export_starts_at_zero_and_lasts_as_long_as_the_footage(tmp_path: Path) -> None:
    source = run_files("h264", sound=True)
    content = source[0].read_bytes() + b"".join(
        path.read_bytes()[read(path)[0].size :] for path in source[1:]
    )
    out = tmp_path / "export.mp4"
    subprocess.run(argv.export_argv(out), input=content, check=True, timeout=60, capture_output=True)
    probe = [
        "ffprobe",
        "-v",
        "error",
        "-show_entries",
        "format=start_time,duration",
        "-of",
        "csv=p=0",
        str(out),
    ]
    start, duration = subprocess.run(
        probe, capture_output=True, text=True, check=True, timeout=20
    ).stdout.split(",")
    assert float(start) == pytest.approx(0, abs=0.001)
    assert float(duration) == pytest.approx(12.0, abs=0.1)
