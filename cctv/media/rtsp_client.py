"""A careful RTSP client for the camera check: OPTIONS and DESCRIBE over one socket, with Basic or Digest
login. It connects only to the address it is given, follows no redirect, and never reads more than a
bounded answer.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass

from cctv.media.addresses import CameraAddress

_LONGEST_HEAD = 32_768
_LONGEST_BODY = 262_144
_DIGESTS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
USER_AGENT = "cctv"


class RtspTrouble(Exception):
    """A step failed; `code` is a code of causes.py, `detail` technical and without credentials."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; header names are lower case and may repeat."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")


@dataclass(slots=True)
class RtspClient:
    """One connection to `ip`. Every step ends within `timeout_s`."""

    address: CameraAddress
    ip: str
    timeout_s: float = 4.0
    was_challenged: bool = False
    _socket: socket.socket | None = None
    _pending: bytes = b""
    _sequence: int = 0

    def connect(self) -> None:
        """RtspTrouble with refused, noroute or tls."""
        try:
            self._socket = socket.create_connection((self.ip, self.address.port), self.timeout_s)
        except ConnectionRefusedError as error:
            raise RtspTrouble("refused", str(error.strerror)) from None
        except OSError as error:
            raise RtspTrouble("noroute", str(error.strerror or "no answer")) from None
        if self.address.scheme == "rtsps":
            self._encrypt()

    def _encrypt(self) -> None:
        # As ffmpeg does: encrypted, the certificate is not checked, because cameras sign their own.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        assert self._socket is not None
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=self.address.host)
        except (ssl.SSLError, OSError) as error:
            raise RtspTrouble("tls", type(error).__name__) from None

    def options(self) -> Answer:
        """Whether it speaks RTSP at all: RtspTrouble with notrtsp, silent or ended when it does not."""
        return self._ask("OPTIONS")

    def describe(self) -> Answer:
        """The description, asked for once without and, when the camera wants a login, once with it: two
        tries are all, because many cameras lock the account after a few."""
        answer = self._ask("DESCRIBE", Accept="application/sdp")
        self.was_challenged = answer.status == 401
        if not self.was_challenged or not (self.address.username or self.address.password):
            return answer
        login = self._authorization(answer.all("www-authenticate"), "DESCRIBE")
        if not login:
            raise RtspTrouble("auth", "the camera offers no way to log in that is known here")
        return self._ask("DESCRIBE", Accept="application/sdp", Authorization=login)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, method: str, **headers: str) -> Answer:
        self._sequence += 1
        lines = [
            f"{method} {self.address.safe_url} RTSP/1.0",
            f"CSeq: {self._sequence}",
            f"User-Agent: {USER_AGENT}",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        deadline = time.monotonic() + self.timeout_s
        assert self._socket is not None
        try:
            self._socket.settimeout(self.timeout_s)
            self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            return self._read_answer(deadline)
        except TimeoutError:
            code = "notrtsp" if self._pending else "silent"
            raise RtspTrouble(code, f"no complete answer to {method}") from None
        except (OSError, ValueError) as error:
            raise RtspTrouble("ended", f"{method}: {type(error).__name__}") from None

    def _read_answer(self, deadline: float) -> Answer:
        while b"\r\n\r\n" not in self._pending:
            beginning = self._pending.lstrip(b"\r\n")[:5]
            if beginning and not b"RTSP/".startswith(beginning[:5]):
                raise RtspTrouble("notrtsp", "HTTP" if beginning[:4] == b"HTTP" else "another protocol")
            if len(self._pending) > _LONGEST_HEAD:
                raise RtspTrouble("notrtsp", "an endless answer")
            self._receive(deadline)
        head, _, self._pending = self._pending.lstrip(b"\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("utf-8", "replace").split("\r\n")
        match = re.match(r"RTSP/\d\.\d (\d{3})(?: (.{0,80}))?", first, re.ASCII)
        if match is None:
            raise RtspTrouble("notrtsp", "HTTP" if first.startswith("HTTP") else "another protocol")
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
        answer = Answer(int(match[1]), (match[2] or "").strip(), headers)
        length = answer.first("content-length")
        wanted = min(int(length), _LONGEST_BODY) if length.isascii() and length.isdigit() else 0
        while len(self._pending) < wanted:
            self._receive(deadline)
        body, self._pending = self._pending[:wanted], self._pending[wanted:]
        return Answer(answer.status, answer.reason, headers, body.decode("utf-8", "replace"))

    def _receive(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        assert self._socket is not None
        self._socket.settimeout(left)
        received = self._socket.recv(16_384)
        if not received:
            # Nothing at all, or half an answer: either way it hung up on us.
            raise RtspTrouble("ended", "the connection was closed before the answer")
        self._pending += received

    def _authorization(self, challenges: list[str], method: str) -> str:
        """The Authorization header for the strongest challenge that we know; empty when there is none."""
        offers = {("SHA-256", 0): "", ("MD5", 0): ""}
        basic = False
        for challenge in challenges:
            scheme, _, rest = challenge.partition(" ")
            if scheme.lower() == "basic":
                basic = True
            elif scheme.lower() == "digest":
                fields = _fields(rest)
                algorithm = fields.get("algorithm", "MD5").upper()
                if (algorithm, 0) in offers:
                    offers[algorithm, 0] = rest
        for (algorithm, _), rest in offers.items():
            if rest:
                return self._digest(_fields(rest), algorithm, method)
        if basic:
            login = f"{self.address.username}:{self.address.password}".encode()
            return f"Basic {b64encode(login).decode()}"
        return ""

    def _digest(self, fields: dict[str, str], algorithm: str, method: str) -> str:
        """RFC 7616, as RFC 7826 (19.1) uses it."""

        def hashed(text: str) -> str:
            return _DIGESTS[algorithm](text.encode()).hexdigest()

        realm, nonce, uri = fields.get("realm", ""), fields.get("nonce", ""), self.address.safe_url
        first = hashed(f"{self.address.username}:{realm}:{self.address.password}")
        second = hashed(f"{method}:{uri}")
        parts = [
            f'username="{_quoted(self.address.username)}"',
            f'realm="{realm}"',
            f'nonce="{nonce}"',
            f'uri="{uri}"',
        ]
        if "auth" in [way.strip() for way in fields.get("qop", "").split(",")]:
            client_nonce = secrets.token_hex(8)
            response = hashed(f"{first}:{nonce}:00000001:{client_nonce}:auth:{second}")
            parts += ["qop=auth", "nc=00000001", f'cnonce="{client_nonce}"']
        else:
            response = hashed(f"{first}:{nonce}:{second}")
        parts.append(f'response="{response}"')
        if "algorithm" in fields:
            parts.append(f"algorithm={algorithm}")
        if "opaque" in fields:
            parts.append(f'opaque="{fields["opaque"]}"')
        return f"Digest {', '.join(parts)}"


def _fields(text: str) -> dict[str, str]:
    pairs = re.findall(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', text)
    return {name.lower(): quoted or plain for name, quoted, plain in pairs}


def _quoted(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", text).replace("\r", "").replace("\n", "")
