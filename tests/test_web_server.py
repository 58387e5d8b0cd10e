"""The web server's settings: clients that never finish what they began keep nobody else out."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.processes import ROOT
from tests.servers import free_port
from tests.waiting import wait_until

THREADS = 4
CONFIGURATION = f"""
exec(compile(open({str(ROOT / "gunicorn.conf.py")!r}).read(), "gunicorn.conf.py", "exec"))
threads = {THREADS}
ImpatientWorker.head_seconds = ImpatientWorker.body_seconds = 1
"""
APPLICATION = """
def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/slow":
        def words():
            import time
            for _ in range(5):
                time.sleep(0.5)
                yield b"x"
        return words()
    return [b"%d" % len(body)]
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder, port = tmp_path_factory.mktemp("web"), free_port()
    (folder / "settings.py").write_text(CONFIGURATION)
    (folder / "tiny.py").write_text(APPLICATION)
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--config", str(folder / "settings.py")),
            *("--bind", f"127.0.0.1:{port}", "--chdir", str(folder), "tiny:app"),
        ],
        cwd=Path(ROOT),
    )
    wait_until(lambda: ask(port) == (200, b"0"), 15, "the server")
    yield port
    server.terminate()
    server.wait(10)


def ask(port: int, path: str = "/", body: bytes = b"", *, timeout: float = 5) -> tuple[int, bytes] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    with contextlib.closing(connection):
        try:
            connection.request("POST" if body else "GET", path, body or None)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return None


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk"],
)
@pytest.mark.parametrize("drips", [False, True])
def test_requests_that_never_end_keep_nobody_out(port: int, beginning: bytes, drips: bool) -> None:
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(3 * THREADS)]
    try:
        for one in slow:
            one.sendall(beginning)
        deadline, answer = time.monotonic() + 10, None
        while answer is None and time.monotonic() < deadline:
            for one in slow if drips and beginning else ():
                with contextlib.suppress(OSError):
                    one.sendall(b"a")
            answer = ask(port, timeout=0.5)
        assert answer == (200, b"0")
    finally:
        for one in slow:
            one.close()


def test_a_long_answer_and_a_whole_body_are_not_cut(port: int) -> None:
    assert ask(port, "/slow", b"x" * 100_000) == (200, b"xxxxx")
    assert ask(port, "/slow") == (200, b"xxxxx")
