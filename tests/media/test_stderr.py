"""ffmpeg's last words become one cause; its noise becomes none."""

from __future__ import annotations

import pytest

from cctv import causes
from cctv.media import stderr

CASES = {
    "auth": "[rtsp @ 0x55] method DESCRIBE failed: 401 Unauthorized\nl: Server returned 401 "
    "Unauthorized (authorization failed)",
    "forbidden": "[rtsp @ 0x55] method DESCRIBE failed: 403 Forbidden\nl: Server returned 403 "
    "Forbidden (access denied)",
    "path": "[rtsp @ 0x55] method DESCRIBE failed: 404 Not Found\nl: Server returned 404 Not Found",
    "busy": "[rtsp @ 0x5] method SETUP failed: 453 Not Enough Bandwidth\nl: Server returned 4XX Client Error",
    "transport": "[rtsp @ 0x5] method SETUP failed: 461 Unsupported transport\nl: Server returned "
    "4XX Client Error",
    "refused": "[tcp @ 0x5] Connection to tcp://127.0.0.1:1?timeout=0 failed: Connection refused",
    "noroute": "[tcp @ 0x5] Connection to tcp://192.168.1.9:554 failed: No route to host",
    "dns": "[tcp @ 0x5] Failed to resolve hostname cam.local: Name or service not known\nl: "
    "Input/output error",
    "disk_full": "[mp4 @ 0x5] av_interleaved_write_frame(): No space left on device",
    "disk_error": "[segment @ 0x5] Failed to open segment '/m/00001.mp4'\nRead-only file system",
    "sound": "[mp4 @ 0x5] Could not find tag for codec pcm_alaw in stream #1, codec not currently supported",
    "format": "[mp4 @ 0x5] Could not find tag for codec wmv3 in stream #0, codec not currently "
    "supported in container",
    "novideo": "Stream map '0:v:0' matches no streams.",
    "nostart": "rtsp://127.0.0.1/x: Invalid data found when processing input",
    "analysis": "[rtsp @ 0x5] Could not find codec parameters for stream 0 (Video: h264, none): "
    "unspecified size",
    "silent": "rtsp://127.0.0.1/x: Connection timed out",
}


@pytest.mark.parametrize("code", CASES)
def test_the_last_words_name_the_cause(code: str) -> None:
    assert stderr.classify(CASES[code]) == code
    assert code == "analysis" or code in causes.CAUSES


def test_silence_after_pictures_means_that_the_camera_hung_up() -> None:
    assert stderr.classify("", had_pictures=True) == "ended"
    assert stderr.classify("") == "unknown"
    assert stderr.classify("x: Connection timed out", had_pictures=True) == "stall"
    assert stderr.classify("x: Connection reset by peer", had_pictures=True) == "reset"


def test_data_is_called_damaged_only_where_there_was_some() -> None:
    for words in ("x: Invalid data found when processing input", "x: Input/output error"):
        assert stderr.classify(words, had_pictures=True) == "damaged"
        assert stderr.classify(words) == "nostart"


def test_missing_parameter_sets_ask_for_full_analysis() -> None:
    assert stderr.needs_full_analysis(CASES["analysis"])
    assert not stderr.needs_full_analysis(CASES["auth"])


@pytest.mark.parametrize(
    "line",
    [
        "[mp4 @ 0x5] Packet duration: -1 / dts: 161582241629790 is out of range",
        "[mp4 @ 0x5] pts has no value",
        "[segment @ 0x5] Timestamps are unset in a packet for stream 0. This is deprecated",
        "[h264 @ 0x5] Missing reference picture, default is 65514",
        "[segment @ 0x5] Non-monotonous DTS in output stream 0:0; previous: 1, current: 1; changing to 2.",
        "",
    ],
)
def test_noise_is_harmless(line: str) -> None:
    assert stderr.is_harmless(line)


@pytest.mark.parametrize(
    "text", [*CASES.values(), "[mp4 @ 0x5] Packet duration: 54000000 / dts: 1 is out of range"]
)
def test_trouble_is_not_noise(text: str) -> None:
    assert not all(stderr.is_harmless(line) for line in text.splitlines())


def test_time_trouble_is_counted_and_the_telling_lines_are_kept() -> None:
    noise = "[segment @ 0x5] Non-monotonous DTS in output stream 0:0; previous: 1\n" * 7
    assert stderr.count_time_trouble(noise) == 7
    assert stderr.telling_lines(noise + CASES["refused"]) == [
        "tcp: Connection to tcp://127.0.0.1:1?timeout=0 failed: Connection refused"
    ]
