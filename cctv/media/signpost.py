"""Sends an ffmpeg on to its camera, whose address must not stand in any argument: a server on this machine
that knows one answer of RTSP, the redirect. It must never carry video, nor answer another user's process.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from pathlib import Path

_LIFE_SECONDS = 120.0  # of an address that nobody asks for: its ffmpeg has died before it could
_PATIENCE_SECONDS = 5.0  # with one client; all of them are our own
_LONGEST_REQUEST = 4096
_FIELD_LOCAL, _FIELD_REMOTE, _FIELD_UID = 1, 2, 7  # of a line of /proc/net/tcp (proc(5))


class Signpost:
    """`address_of(url)` gives an address without secrets that leads one client, once, to `url`."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._port = self._server.getsockname()[1]
        self._ways: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, name="signpost", daemon=True).start()

    def address_of(self, url: str) -> str:
        """An address for one ffmpeg; usable once and for two minutes. From any thread.

        ValueError for an address with control characters or of another scheme than rtsp and rtsps.
        """
        if not url.startswith(("rtsp://", "rtsps://")):
            raise ValueError("only rtsp and rtsps sources")
        if any(ord(character) < 33 or ord(character) == 127 for character in url):
            raise ValueError("a space or control character in the address")
        token, now = secrets.token_urlsafe(16), time.monotonic()
        with self._lock:
            self._ways = {key: way for key, way in self._ways.items() if way[1] > now}
            self._ways[token] = (url, now + _LIFE_SECONDS)
        return f"rtsp://127.0.0.1:{self._port}/{token}"

    @property
    def place(self) -> tuple[str, int]:
        """Where it answers."""
        return "127.0.0.1", self._port

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, (_, port) = self._server.accept()
            except OSError:
                if self._server.fileno() < 0:
                    return
                time.sleep(0.1)  # out of descriptors: the client waits
                continue
            with client, contextlib.suppress(OSError):
                client.settimeout(_PATIENCE_SECONDS)
                # The token can be read from the arguments by everybody, so it alone opens nothing.
                if self._is_ours(port):
                    self._answer(client)

    def _is_ours(self, port: int) -> bool:
        """Whether the other end of the connection belongs to this process's user."""
        ends = (f"0100007F:{port:04X}", f"0100007F:{self._port:04X}")
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        found = [row for line in lines if ((row := line.split())[_FIELD_LOCAL], row[_FIELD_REMOTE]) == ends]
        return bool(found) and int(found[0][_FIELD_UID]) == os.geteuid()

    def _answer(self, client: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and len(request) < _LONGEST_REQUEST:
            more = client.recv(_LONGEST_REQUEST)
            if not more:
                return
            request += more
        _, _, target = request.split(b"\r\n", 1)[0].partition(b" ")
        token = target.partition(b" ")[0].rpartition(b"/")[2].decode("ascii", "replace")
        with self._lock:
            url, _ = self._ways.pop(token, ("", 0.0))
        # RFC 2326 11.3.3; ffmpeg asks OPTIONS first, with CSeq 1, and follows any 3xx.
        way = f"302 Found\r\nCSeq: 1\r\nLocation: {url}" if url else "404 Not Found\r\nCSeq: 1"
        client.sendall(f"RTSP/1.0 {way}\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            client.recv(1)  # ffmpeg closes first: no waiting state is left on this side's port
