"""Each fault on command, as a client sees it."""

from __future__ import annotations

import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cameras import CameraFarm, numbers_in
from tests.demo.client import Client, Packet


def pictures(client: Client, *, seconds: float) -> list[Packet]:
    """The last packet of each picture that arrives."""
    return [packet for packet in client.packets(seconds=seconds) if packet.channel == 0 and packet.is_last]


def wait_for(client: Client, *, seconds: float = 3.0) -> Packet:
    """The next packet of video."""
    for packet in client.packets(seconds=seconds):
        if packet.channel == 0:
            return packet
    raise AssertionError("no video came")


def wait_until_described(url: str, *, seconds: float) -> bool:
    """Whether the camera answers DESCRIBE with 200 within this time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with Client(url) as client:
                return client.describe().code == 200
        except (EOFError, OSError):
            time.sleep(0.05)
    return False


def start_recording(url: str, path: Path) -> subprocess.Popen[bytes]:
    """An ffmpeg that records three seconds as they come."""
    source = ("ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", url)
    return subprocess.Popen([*source, "-t", "3", "-c", "copy", str(path)])


def wait_for_frames(farm: CameraFarm, number: int, count: int) -> None:
    deadline = time.monotonic() + 10
    while farm.control.stats(number)["frames_sent"] < count:
        assert time.monotonic() < deadline, "the camera sends nothing"
        time.sleep(0.05)


@pytest.fixture
def playing(farm: CameraFarm, number: int):
    with Client(farm.url("t1a", number)) as client:
        client.play(tracks=2)
        wait_for(client)
        yield client


def test_kill_ends_the_stream_in_order(farm: CameraFarm, number: int, playing: Client) -> None:
    assert farm.control("kill", number) == {"closed": 1}
    started = time.monotonic()
    list(playing.packets(seconds=5))
    assert time.monotonic() - started < 1


def test_rst_resets_the_connection(farm: CameraFarm, number: int, playing: Client) -> None:
    farm.control("rst", number)
    with pytest.raises(ConnectionResetError):
        list(playing.packets(seconds=5))


def test_hang_stops_open_sessions_but_not_new_ones(farm: CameraFarm, number: int, playing: Client) -> None:
    farm.control("hang", number)
    list(playing.packets(seconds=0.1))
    assert list(playing.packets(seconds=0.5)) == []
    with Client(farm.url("t1", number)) as second:
        second.play()
        wait_for(second)
    farm.control("resume", number)
    wait_for(playing)


def test_stall_answers_but_sends_nothing(farm: CameraFarm, number: int) -> None:
    farm.control("stall", number)
    with Client(farm.url("t1", number)) as client:
        assert client.play().code == 200
        assert list(client.packets(seconds=0.5)) == []
        farm.control("resume", number)
        wait_for(client)


def test_freeze_accepts_and_never_answers(farm: CameraFarm, number: int, playing: Client) -> None:
    farm.control("freeze", number)
    with Client(farm.url("t1", number), timeout_seconds=0.5) as client, pytest.raises(TimeoutError):
        client.describe()
    list(playing.packets(seconds=0.1))
    assert list(playing.packets(seconds=0.3)) == []


def test_switch_changes_the_parameter_sets_in_mid_stream(
    farm: CameraFarm, number: int, tmp_path: Path
) -> None:
    path = tmp_path / "switched.mkv"
    recorder = start_recording(farm.url("t1", number), path)
    wait_for_frames(farm, number, 15)
    farm.control("switch", number, "t1w")
    assert recorder.wait(timeout=20) == 0
    sizes = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "frame=width", "-of", "csv=p=0", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.split()
    assert {"320", "480"} <= set(sizes)
    with Client(farm.url("t1", number)) as client:
        assert "s=t1w" in client.describe().body


@pytest.mark.parametrize(("verb", "seconds"), [("jump", 10), ("back", -10)])
def test_the_clock_of_the_camera_jumps(
    farm: CameraFarm, number: int, playing: Client, verb: str, seconds: int
) -> None:
    before = wait_for(playing).timestamp
    farm.control(verb, number, 10)
    after = pictures(playing, seconds=0.5)[-1].timestamp
    difference = (after - before + 2**31) % 2**32 - 2**31
    assert abs(difference / 90000 - seconds) < 1.5


def test_drop_loses_pictures_and_shows_a_hole(farm: CameraFarm, number: int, playing: Client) -> None:
    before = wait_for(playing)
    farm.control("drop", number, 5)
    after = pictures(playing, seconds=1.5)
    steps = [later.timestamp - earlier.timestamp for earlier, later in pairwise(after)]
    assert max([after[0].timestamp - before.timestamp, *steps]) >= 5 * 9000
    assert farm.control.stats(number)["frames_dropped"] == 5


def test_garbage_spoils_pictures_but_not_packets(farm: CameraFarm, number: int, tmp_path: Path) -> None:
    path = tmp_path / "garbage.mkv"
    recorder = start_recording(farm.url("t1", number), path)
    wait_for_frames(farm, number, 15)
    farm.control("garbage", number, 5)
    assert recorder.wait(timeout=20) == 0
    decode = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert b"error while decoding" in decode.stderr
    assert numbers_in(path)[-1] is not None, "after the garbage the pictures are whole again"


def test_down_refuses_one_camera(farm: CameraFarm, number: int, playing: Client) -> None:
    farm.control("down", number, 0.7)
    list(playing.packets(seconds=0.2))
    with Client(farm.url("t1", number)) as client, pytest.raises((EOFError, IndexError, ConnectionError)):
        client.describe()
    assert wait_until_described(farm.url("t1", number), seconds=3)


@pytest.mark.parametrize("code", [401, 403, 404, 453, 454, 503])
def test_a_status_is_answered_until_it_is_cleared(farm: CameraFarm, number: int, code: int) -> None:
    farm.control("status", number, code)
    with Client(farm.url("t1", number)) as client:
        assert client.describe().code == code
        farm.control("status", number, "ok")
        assert client.describe().code == 200


def test_slow_delays_the_description_or_the_first_picture(farm: CameraFarm, number: int) -> None:
    farm.control("slow", number, 0.5)
    farm.control("slow", number, 0.5, "frame")
    with Client(farm.url("t1", number)) as client:
        started = time.monotonic()
        client.describe()
        described = time.monotonic()
        client.setup()
        client.ask("PLAY")
        wait_for(client)
        assert described - started >= 0.5
        assert time.monotonic() - described >= 0.5


def test_mute_stops_the_sound_only(farm: CameraFarm, number: int, playing: Client) -> None:
    farm.control("mute", number)
    list(playing.packets(seconds=0.1))
    assert {packet.channel for packet in playing.packets(seconds=0.5)} == {0}


def test_a_changed_password_refuses_a_login_that_worked(farm: CameraFarm, number: int) -> None:
    with Client(farm.url("t1", number, auth=True)) as client:
        assert client.describe().code == 200
    farm.control("password", number, "changed")
    with Client(farm.url("t1", number, auth=True)) as client:
        assert client.describe().code == 401
    with Client(farm.url("t1", number, auth=True, password="changed")) as client:
        assert client.describe().code == 200
    counted = farm.control.stats(number)
    assert (counted["login_attempts"], counted["logins_refused"]) == (3, 1)


def test_redirect_and_http(farm: CameraFarm, number: int) -> None:
    farm.control("redirect", number, "rtsp://192.0.2.1/elsewhere")
    with Client(farm.url("t1", number)) as client:
        answer = client.describe()
        assert (answer.code, answer.headers["location"]) == (302, "rtsp://192.0.2.1/elsewhere")
    farm.control("http", number)
    with Client(farm.url("t1", number)) as client:
        client.send("DESCRIBE")
        assert client.read_line().startswith(b"HTTP/1.1 ")


def test_a_camera_may_have_few_connections(farm: CameraFarm, number: int) -> None:
    farm.control("limit", number, 1)
    with Client(farm.url("t1", number)) as first, Client(farm.url("t1", number)) as second:
        first.play()
        second.describe()
        assert second.setup().code == 453
        assert first.ask("TEARDOWN").code == 200
        assert second.setup().code == 200


def test_the_whole_server_goes_down_and_comes_back() -> None:
    with CameraFarm.start() as farm:
        farm.control("down", "all", 0.5)
        with pytest.raises(ConnectionRefusedError):
            Client(farm.url("t1", 1))
        deadline = time.monotonic() + 5
        while True:
            try:
                Client(farm.url("t1", 1)).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        farm.control("freeze", "all")
        with Client(farm.url("t1", 1), timeout_seconds=0.3) as client, pytest.raises(TimeoutError):
            client.ask("OPTIONS")
