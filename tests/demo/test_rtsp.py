"""The protocol: what each request is answered (RFC 2326), and the numbers in the packets (RFC 3550)."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest

from tests.cameras import CameraFarm
from tests.demo.client import Client


def test_udp_is_refused(farm: CameraFarm, number: int) -> None:
    with Client(farm.url("t1", number)) as client:
        answer = client.ask("SETUP", "/trackID=0", Transport="RTP/AVP;unicast;client_port=5000-5001")
        assert answer.code == 461


def test_unknown_cameras_are_not_found(farm: CameraFarm) -> None:
    for path in ("nothing/1", "t1/one", "t1", "t1-strange/1", "t1/1/trackID=7", ""):
        with Client(f"rtsp://127.0.0.1:{farm.port}/{path}") as client:
            assert client.describe().code == 404, path


def test_a_login_is_asked_for_and_basic_is_refused(farm: CameraFarm, number: int) -> None:
    with Client(f"rtsp://127.0.0.1:{farm.port}/auth/t1/{number}") as client:
        refusal = client.describe()
        assert refusal.code == 401 and refusal.headers["www-authenticate"].startswith("Digest ")
        basic = base64.b64encode(b"admin:secret").decode()
        assert client.ask("DESCRIBE", Authorization=f"Basic {basic}").code == 401
    with Client(farm.url("t1", number, auth=True, password="wrong")) as client:
        assert client.describe().code == 401
    with Client(farm.url("t1", number, auth=True)) as client:
        assert client.describe().code == 200
    counted = farm.control.stats(number)
    assert (counted["login_attempts"], counted["logins_refused"]) == (3, 2)


def test_requests_out_of_order_are_refused(farm: CameraFarm, number: int) -> None:
    with Client(farm.url("t1", number)) as client:
        assert client.ask("PLAY").code == 455
        assert client.ask("RECORD").code == 501
        client.setup()
        client.session = "WRONG"
        assert client.ask("PLAY").code == 454


def test_a_client_can_pause_keep_alive_and_tear_down(farm: CameraFarm, number: int) -> None:
    with Client(farm.url("t1", number)) as client:
        client.play()
        assert list(client.packets(seconds=0.4))
        assert client.ask("PAUSE").code == 200
        assert list(client.packets(seconds=0.3)) == []
        assert client.ask("PLAY").code == 200
        assert list(client.packets(seconds=0.4))
        for method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN"):
            assert client.ask(method).code == 200
        assert farm.control.stats(number)["open_sessions"] == 0


def test_play_announces_the_first_packet_and_numbers_have_no_hole(farm: CameraFarm, number: int) -> None:
    with Client(farm.url("t1", number)) as client:
        info = client.play().headers["rtp-info"]
        packets = [packet for packet in client.packets(seconds=1) if packet.channel == 0]
    assert f"seq={packets[0].sequence};rtptime={packets[0].timestamp}" in info
    first = packets[0].sequence
    assert [packet.sequence for packet in packets] == [first + n & 0xFFFF for n in range(len(packets))]
    assert 8 <= sum(packet.is_last for packet in packets) <= 11


def test_a_sender_report_comes_first_and_tells_the_wall_time(farm: CameraFarm, number: int) -> None:
    with Client(farm.url("t1", number)) as client:
        client.play()
        reports = [packet for packet in client.packets(seconds=0.5) if packet.channel == 1]
    assert len(reports) == 1 and reports[0].payload[1] == 200
    seconds = int.from_bytes(reports[0].payload[8:12], "big") - 2_208_988_800
    assert abs(seconds - time.time()) < 3


def test_nonsense_is_refused_and_closed(farm: CameraFarm) -> None:
    with Client(f"rtsp://127.0.0.1:{farm.port}/t1/1") as client:
        client.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.read_answer().code == 400
        with pytest.raises(EOFError):
            client.read_line()


def test_a_session_ends_with_its_connection(farm: CameraFarm, number: int) -> None:
    with Client(farm.url("t1", number)) as client:
        client.play()
        assert farm.control.stats(number)["open_sessions"] == 1
    deadline = time.monotonic() + 3
    while farm.control.stats(number)["open_sessions"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert farm.control.stats(number)["open_sessions"] == 0


def test_a_client_that_does_not_read_is_cut_off() -> None:
    with CameraFarm.start(loops=("a4",), options=("--max-queue", "65536")) as farm:
        with Client(farm.url("a4", 1), receive_buffer_bytes=4096) as client:
            client.play(tracks=2)
            deadline = time.monotonic() + 30
            while not farm.control.stats(1)["cut_for_slowness"]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        counted = farm.control.stats(1)
        assert counted["open_sessions"] == 0 and 65536 < counted["max_queue_bytes"] < 200_000


def test_it_stops_on_term_and_with_the_process_that_started_it() -> None:
    with CameraFarm.start() as farm:
        farm.process.terminate()
        assert farm.process.wait(timeout=3) == 0
    with CameraFarm.start() as farm, Client(farm.url("t1", 1)) as client:
        client.play()
        assert farm.process.stdin
        farm.process.stdin.close()
        assert farm.process.wait(timeout=3) == 0


def test_a_loop_that_cannot_be_made_is_a_server_error(tmp_path: Path) -> None:
    with CameraFarm.start(tmp_path, loops=("t1",)) as farm:
        for file in tmp_path.iterdir():
            file.unlink()
        tmp_path.rmdir()
        tmp_path.write_text("no directory any more")
        with Client(farm.url("t1p", 1)) as client:
            assert client.describe().code == 500
        with Client(farm.url("t1", 1)) as client:
            assert client.describe().code == 200, "what was loaded goes on"
