"""A camera that is back while its call goes unanswered is called again at once; a slow one is waited for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cctv.capture import heard
from tests.cameras import CameraFarm
from tests.capture.rig import Rig, open_rig
from tests.servers import RedisServer
from tests.waiting import wait_until

UNANSWERED = {"unanswered": 2.0, "ask_again": 1.0, "first_fragment": 40.0}

CLIENT = "import socket, sys, time; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); "
CLIENT += "s.sendall(b'hello'); print('up', flush=True); time.sleep(60)"


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_the_kernel_tells_whether_a_process_has_heard_anything(ip: str) -> None:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.create_server((ip, 0), family=family) as server:
        port = server.getsockname()[1]
        argv = [sys.executable, "-c", CLIENT, ip, str(port)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
            connection, _ = server.accept()
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            assert heard.is_unheard(process.pid, ip, port)
            assert not heard.is_unheard(process.pid, ip, port + 1), "it is not connected there"
            assert not heard.is_unheard(os.getpid(), ip, port), "that is somebody else's connection"
            connection.send(b"x")
            wait_until(lambda: not heard.is_unheard(process.pid, ip, port), 2, "the byte to be counted")
            process.kill()
        assert not heard.is_unheard(process.pid, ip, port), "it has ended"


@pytest.fixture
def patient_rig(tmp_path: Path, migrated_sqlite: Path, farm: CameraFarm) -> Iterator[Rig]:
    redis = RedisServer()
    rig = open_rig(tmp_path, migrated_sqlite, redis.url, farm, **UNANSWERED)
    yield rig
    rig.close()
    redis.close()


def test_a_camera_that_answers_again_is_not_left_waiting_and_a_slow_one_is_not_disturbed(
    patient_rig: Rig,
) -> None:
    rig = patient_rig
    control = rig.farm.control
    control("slow", 361, 6)
    control("slow", 362, 6, "frame")
    rig.start()
    frozen = rig.add("t1", 360)
    slow = [rig.add("t1", number) for number in (361, 362)]
    rig.wait_live(frozen)
    before = rig.pid(frozen)
    control("freeze", 360)
    control("kill", 360)
    pid = rig.pid(frozen, other_than=before)
    time.sleep(4)  # it has been asked in the meantime, and said nothing
    assert rig.pid(frozen) == pid, "a camera that answers nobody is waited for"
    control("resume", 360)
    began = time.monotonic()
    rig.wait_state(frozen, "live")
    assert time.monotonic() - began < 10, "the call would have gone on for 36 s"
    rig.wait_live(*slow)
    for cam in slow:
        counted = control.stats(cam.number)
        assert (counted["describes"], counted["plays"]) == (1, 1), "it was called once"
