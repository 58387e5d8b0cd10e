"""The camera check names what is wrong, in the right step, in time, and tries a login once."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from cctv.media.addresses import Networks, parse_typed
from cctv.media.rtsp import STEPS, CheckReport, Step, check
from tests.cameras import CameraFarm

HERE = Networks.parse("127.0.0.0/8")


def checked(url: str, **options) -> tuple[CheckReport, dict[str, Step]]:  # type: ignore[no-untyped-def]
    """The report and the steps by name; the order of the steps is checked on the way."""
    steps: list[Step] = []
    report = check(parse_typed(url), networks=HERE, on_step=steps.append, **options)
    assert [step.code for step in steps] == list(STEPS)
    return report, {step.code: step for step in steps}


def wrong_step(steps: dict[str, Step]) -> str | None:
    bad = [step.code for step in steps.values() if step.state == "bad"]
    assert len(bad) <= 1
    if bad:
        later = STEPS[STEPS.index(bad[0]) + 1 :]
        assert all(steps[code].state == "skipped" for code in later)
    return bad[0] if bad else None


@contextmanager
def answering(*answers: bytes, hold_s: float = 0.0) -> Iterator[tuple[int, list[bytes]]]:
    """A program on a port that gives one answer to each request and keeps what it was asked."""
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                for answer in answers:
                    asked.append(connection.recv(4096))
                    connection.sendall(answer)
                time.sleep(hold_s)
        except OSError:
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], asked
    finally:
        listener.close()
        thread.join(6)


def test_a_good_camera_shows_its_facts_and_a_picture(tmp_path: Path, farm: CameraFarm, number: int) -> None:
    picture = tmp_path / "1.jpg"
    report, steps = checked(farm.url("t1a", number, auth=True), picture_path=picture)
    assert report.cause is None
    assert wrong_step(steps) is None
    facts = report.facts()
    assert (facts["width"], facts["height"], facts["gop_ms"], facts["fps"]) == (320, 240, 1000, 10.0)
    assert facts["audio_codec"] == "mp4a.40.2"
    assert facts["needed_login"]
    assert report.elapsed_ms < 10_000
    assert picture.read_bytes().startswith(b"\xff\xd8")
    assert picture.with_suffix(".mp4").stat().st_size > 3000
    assert "secret" not in json.dumps(facts) + str(steps)


def test_what_does_not_prevent_capture_is_a_warning(farm: CameraFarm, number: int) -> None:
    expected = {"t1h": ["codec"], "t1p": ["sound"], "t20": ["keyframes"]}
    with ThreadPoolExecutor() as pool:
        reports = dict(
            zip(expected, pool.map(lambda name: checked(farm.url(name, number)), expected), strict=True)
        )
    for name, (report, steps) in reports.items():
        assert report.cause is None
        assert report.warnings == expected[name]
        assert report.elapsed_ms < 10_500
        assert wrong_step(steps) is None


@pytest.mark.parametrize("mount", ["h264-aac"])
def test_a_camera_of_another_make_is_read_too(independent: str, mount: str) -> None:
    report, _ = checked(f"rtsp://{independent}/{mount}")
    assert report.cause is None
    assert report.facts()["gop_ms"] == pytest.approx(1000, abs=50)


@pytest.mark.parametrize(
    ("fault", "cause", "step"),
    [
        (("status", 404), "path", "path"),
        (("status", 454), "path", "path"),
        (("status", 400), "path", "path"),
        (("status", 403), "forbidden", "login"),
        (("status", 453), "busy", "login"),
        (("status", 503), "busy", "login"),
        (("status", 453, "SETUP"), "busy", "format"),
        (("status", 461, "SETUP"), "transport", "format"),
        (("redirect", "rtsp://127.0.0.1:1/elsewhere"), "redirected", "path"),
        (("http",), "notrtsp", "rtsp"),
    ],
)
def test_a_fault_is_named_in_its_step(
    farm: CameraFarm, number: int, fault: tuple, cause: str, step: str
) -> None:
    farm.control(fault[0], number, *fault[1:])
    report, steps = checked(farm.url("t1", number), total_s=5)
    assert (report.cause, wrong_step(steps)) == (cause, step)


def test_no_packets_are_told_as_such(farm: CameraFarm, number: int) -> None:
    farm.control("stall", number)
    report, steps = checked(farm.url("t1", number), total_s=3)
    assert (report.cause, wrong_step(steps)) == ("transport", "format")


def test_a_silent_camera_is_told_within_the_step(farm: CameraFarm, number: int) -> None:
    farm.control("freeze", number)
    started = time.monotonic()
    report, steps = checked(farm.url("t1", number), timeout_s=0.5)
    assert (report.cause, wrong_step(steps)) == ("silent", "rtsp")
    assert time.monotonic() - started < 2


def test_a_wrong_password_is_tried_once(farm: CameraFarm, number: int) -> None:
    before = farm.control.stats(number)
    report, steps = checked(farm.url("t1", number, auth=True, password="wrong"))
    assert (report.cause, wrong_step(steps)) == ("auth", "login")
    after = farm.control.stats(number)
    grown = {name: after[name] - before[name] for name in after if isinstance(after[name], int)}
    assert "wrong" not in json.dumps(report.facts())
    assert sum(count for name, count in grown.items() if "refused" in name or "logins" in name) <= 1


@pytest.mark.parametrize(
    "offer", ['Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"', 'Basic realm="r"']
)
def test_each_known_way_to_log_in_is_used_once(offer: str) -> None:
    refusal = f"RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: {offer}\r\n\r\n".encode()
    with answering(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", refusal, refusal) as (port, asked):
        report, _ = checked(f"rtsp://us%22er:p%40ss@127.0.0.1:{port}/a")
    assert report.cause == "auth"
    assert [request.split()[0] for request in asked] == [b"OPTIONS", b"DESCRIBE", b"DESCRIBE"]
    assert b"Authorization" not in asked[1]
    assert f"Authorization: {offer.split()[0]} ".encode() in asked[2]
    assert b"p@ss" not in b"".join(asked)


def test_the_strongest_digest_is_right() -> None:
    """The response as RFC 7616 computes it, checked with an independent calculation."""
    from hashlib import sha256

    weak, strong = (f'Digest realm="r", nonce="n", algorithm={name}' for name in ("MD5", "SHA-256"))
    offer = f"{weak}\r\nWWW-Authenticate: {strong}"
    refusal = f"RTSP/1.0 401 No\r\nWWW-Authenticate: {offer}\r\n\r\n".encode()
    with answering(b"RTSP/1.0 200 OK\r\n\r\n", refusal, refusal) as (port, asked):
        checked(f"rtsp://u:p@127.0.0.1:{port}/a")
    first = sha256(b"u:r:p").hexdigest()
    second = sha256(f"DESCRIBE:rtsp://127.0.0.1:{port}/a".encode()).hexdigest()
    assert sha256(f"{first}:n:{second}".encode()).hexdigest().encode() in asked[2]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 ready\r\n",
        b"\x00" * 64,
        b"A" * 60_000,
    ],
)
def test_what_is_not_rtsp_is_told_at_once(answer: bytes) -> None:
    with answering(answer, hold_s=0.3) as (port, _):
        report, steps = checked(f"rtsp://127.0.0.1:{port}/")
    assert (report.cause, wrong_step(steps)) == ("notrtsp", "rtsp")
    assert steps["rtsp"].ms < 2000


def test_a_camera_that_hangs_up_is_told_as_such() -> None:
    with answering(b"") as (port, _):
        report, _ = checked(f"rtsp://127.0.0.1:{port}/")
    assert report.cause == "ended"


@pytest.mark.parametrize(
    ("description", "cause"),
    [
        ("m=audio 0 RTP/AVP 8\r\n", "novideo"),
        ("m=video 0 RTP/AVP 26\r\n", "mjpeg"),
        ("m=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/90000\r\n", "format"),
        ("", "novideo"),
        ("\x00\xff garbage m=", "novideo"),
    ],
)
def test_what_cannot_be_recorded_is_named(description: str, cause: str) -> None:
    body = f"v=0\r\n{description}".encode()
    described = b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with answering(b"RTSP/1.0 200 OK\r\n\r\n", described) as (port, _):
        report, steps = checked(f"rtsp://127.0.0.1:{port}/")
    assert (report.cause, wrong_step(steps)) == (cause, "format")


def test_an_address_outside_is_refused_before_any_connection() -> None:
    report, steps = checked("rtsp://192.0.2.1/")
    assert (report.cause, wrong_step(steps)) == ("outside", "address")
    assert report.elapsed_ms < 500


def test_a_closed_port_and_an_unknown_name_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert checked(f"rtsp://127.0.0.1:{port}/")[0].cause == "refused"
    assert checked("rtsp://camera.invalid/")[0].cause == "dns"


def test_encryption_that_fails_is_told() -> None:
    with answering(b"RTSP/1.0 200 OK\r\n\r\n") as (port, _):
        report, steps = checked(f"rtsps://127.0.0.1:{port}/")
    assert (report.cause, wrong_step(steps)) == ("tls", "tcp")
