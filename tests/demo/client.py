"""A bare RTSP client for the demo camera's tests: it sees bytes, packets and time stamps that ffmpeg hides.
It checks nothing itself and asks for nothing but interleaved TCP."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from cctv.demo import digest


@dataclass(frozen=True)
class Answer:
    code: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Packet:
    channel: int
    payload: bytes
    at: float  # Unix time of arrival

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.payload[2:4], "big")

    @property
    def timestamp(self) -> int:
        return int.from_bytes(self.payload[4:8], "big")

    @property
    def is_last(self) -> bool:
        return bool(self.payload[1] & 0x80)


class Client:
    """One connection. `Client(url).play()` then `packets()`."""

    def __init__(
        self, url: str, *, timeout_seconds: float = 5.0, receive_buffer_bytes: int | None = None
    ) -> None:
        parts = urlsplit(url)
        self.user, self.password = parts.username, parts.password
        self.url = f"rtsp://{parts.hostname}:{parts.port}{parts.path}"
        self.socket = socket.socket()
        self.socket.settimeout(timeout_seconds)
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.connect((parts.hostname, parts.port))
        self._buffer = b""
        self.session: str | None = None
        self._cseq = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def ask(self, method: str, path: str = "", **headers: str) -> Answer:
        """Sends one request and reads its answer, passing over media."""
        self.send(method, path, **headers)
        return self.read_answer()

    def send(self, method: str, path: str = "", **headers: str) -> None:
        self._cseq += 1
        lines = [f"{method} {self.url}{path} RTSP/1.0", f"CSeq: {self._cseq}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self.session:
            lines.append(f"Session: {self.session}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def read_answer(self) -> Answer:
        while (first := self._read(1)) == b"$":
            self._read(int.from_bytes(self._read(3)[1:], "big"))
        lines = [(first + self.read_line()).decode().strip()]
        while line := self.read_line().decode().strip():
            lines.append(line)
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        body = self._read(int(headers.get("content-length", "0"))).decode()
        return Answer(int(lines[0].split()[1]), headers, body)

    def describe(self) -> Answer:
        """DESCRIBE, with a login when one is asked for and known."""
        answer = self.ask("DESCRIBE")
        if answer.code == 401 and self.user:
            answer = self.ask("DESCRIBE", Authorization=self.login(answer, "DESCRIBE"))
        return answer

    def login(self, refusal: Answer, method: str) -> str:
        found = re.search(r'nonce="([^"]*)"', refusal.headers["www-authenticate"])
        assert found and self.user and self.password
        said = digest.response(self.user, self.password, method=method, uri=self.url, nonce=found.group(1))
        return (
            f'Digest username="{self.user}", realm="{digest.REALM}", nonce="{found.group(1)}",'
            f' uri="{self.url}", response="{said}"'
        )

    def setup(self, track: int = 0) -> Answer:
        transport = f"RTP/AVP/TCP;unicast;interleaved={track * 2}-{track * 2 + 1}"
        answer = self.ask("SETUP", f"/trackID={track}", Transport=transport)
        self.session = answer.headers.get("session", "").partition(";")[0] or None
        return answer

    def play(self, *, tracks: int = 1) -> Answer:
        """DESCRIBE, SETUP and PLAY; the answer to PLAY."""
        assert self.describe().code == 200
        for track in range(tracks):
            assert self.setup(track).code == 200
        return self.ask("PLAY")

    def packets(self, *, seconds: float) -> Iterator[Packet]:
        """What arrives in this time; ends early when the connection ends."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                head = self._read(4)
                yield Packet(head[1], self._read(int.from_bytes(head[2:], "big")), time.time())
            except (TimeoutError, EOFError):
                return

    def read_line(self) -> bytes:
        while b"\n" not in self._buffer:
            self._receive()
        return self._read(self._buffer.index(b"\n") + 1)

    def _read(self, size: int) -> bytes:
        """Exactly so many bytes; less is kept for later. Raises EOFError, TimeoutError."""
        while len(self._buffer) < size:
            self._receive()
        read, self._buffer = self._buffer[:size], self._buffer[size:]
        return read

    def _receive(self) -> None:
        received = self.socket.recv(65536)
        if not received:
            raise EOFError
        self._buffer += received
