"""Where a process is connected to, read from the kernel."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cctv.media import whereabouts
from tests.waiting import wait_until

CONNECT = """
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
there = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET, kind)
there.connect((sys.argv[2], int(sys.argv[3])))
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
        there = socket.create_server((request.param, 0), family=family)
    except OSError:
        there = socket.create_server(("127.0.0.1", 0))  # a machine without IPv6
    yield there
    there.close()


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_the_far_end_of_every_connection_is_seen(server: socket.socket, kind: str) -> None:
    place = server.getsockname()[:2]
    child = subprocess.Popen(
        [sys.executable, "-c", CONNECT, kind, place[0], str(place[1])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout
        assert child.stdout.readline() == b"there\n"
        assert [(end.ip, end.port) for end in whereabouts.ends(child.pid) or []] == [place]
        assert whereabouts.strays(child.pid, [place]) == []
        assert whereabouts.strays(child.pid, [(place[0], place[1] + 1), ("192.0.2.1", place[1])])
    finally:
        child.kill()
        child.wait()
    wait_until(lambda: not whereabouts.ends(child.pid), 5, "nothing to be said of an ended process")


@pytest.mark.parametrize(
    ("words", "is_astray"),
    [
        ("[tcp @ 0x5] Connection to tcp://192.0.2.1:554?timeout=0 failed: Connection refused", True),
        ("[tcp @ 0x5] Connection to tcp://10.0.0.9:555?timeout=0 failed: Connection refused", True),
        ("[tls @ 0x5] Connection to tls://evil.example:322 failed: x", True),
        ("[tcp @ 0x5] Connection to tcp://[2001:db8::1]:554 failed: x", True),
        ("[tcp @ 0x5] Connection to tcp://10.0.0.9:554?timeout=0 failed: Connection refused", False),
        ("[tcp @ 0x5] Connection to tcp://[::ffff:10.0.0.9]:554 failed: x", False),
        ("method DESCRIBE failed: 404 Not Found", False),
        ("", False),
    ],
)
def test_the_log_tells_where_ffmpeg_could_not_connect(words: str, is_astray: bool) -> None:
    assert whereabouts.strayed(words, [("10.0.0.9", 554)]) is is_astray
