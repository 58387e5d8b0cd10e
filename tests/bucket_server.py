"""A bucket to test with: the emulator as a process of its own, and in front of it what Google would check.

The front also makes trouble on command: faults of the line, of Google, of the key. It knows nothing of the
product.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.servers import Server, free_port
from tests.waiting import wait_until

BUCKET = "footage-of-the-tests"
_BLOCK = 64 * 1024


@cache
def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Emulator(Server):
    """gcp-storage-emulator on a port of its own; what it stores outlives `kill`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="bucket-"))
        self.start()

    def start(self) -> Self:
        """Start, or start again after `kill`, and wait until it answers."""
        argv = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--quiet"]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *argv, "--port", str(self.port), "--default-bucket", BUCKET],
            env={**os.environ, "STORAGE_BASE": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, 15, "the emulator to answer")
        return self

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def objects(self) -> dict[str, Any]:
        """Name -> resource of everything in the bucket."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", f"/storage/v1/b/{BUCKET}/o")
        found = json.loads(connection.getresponse().read())
        connection.close()
        return {one["name"]: one for one in found.get("items", [])}

    def content(self, name: str) -> bytes:
        """The bytes of an object."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", f"/{BUCKET}/{quote(name)}")
        content = connection.getresponse().read()
        connection.close()
        return content

    def remove_all(self) -> None:
        """Empty the bucket."""
        for name in self.objects():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("DELETE", f"/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}")
            connection.getresponse().read()
            connection.close()

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Fault:
    """What happens to the next requests whose "METHOD path?query" the pattern finds; `times` -1: to all."""

    pattern: str
    act: Callable[[_Handler, bytes | None], bool]  # True: the request is answered
    times: int = 1
    after_bytes: int | None = None  # of its body; None: before any of it


@dataclass
class Asked:
    """A request that came."""

    at: float
    method: str
    path: str
    status: int = 0
    sent_bytes: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class Front:
    """Google's side as far as the emulator does not play it. `url` is the endpoint."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.tokens: set[str] = set()
        self.needs_token = True
        self.bytes_per_second = 0
        handler = type("Handler", (_Handler,), {"front": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def key(self, email: str = "cctv@tests.iam.gserviceaccount.com") -> str:
        """The JSON of a service account that this side knows."""
        text = _private_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "tests",
                "private_key_id": "1" * 40,
                "private_key": text.decode(),
                "client_email": email,
                "client_id": "1",
                "token_uri": f"{self.url}/token",
            }
        )

    def reset(self) -> None:
        """As new, for the next test."""
        self.asked.clear()
        self.faults.clear()
        self.bytes_per_second = 0
        self.emulator.remove_all()

    def count(self, pattern: str) -> int:
        """How many requests matched."""
        return sum(bool(re.search(pattern, f"{one.method} {one.path}")) for one in self.asked)

    def answer(
        self,
        pattern: str,
        status: int,
        *,
        times: int = 1,
        reason: str = "",
        message: str = "",
        **headers: str,
    ) -> None:
        """Answer with a status and Google's JSON instead of passing the request on."""
        body = {"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}

        def act(handler: _Handler, _answer: bytes | None) -> bool:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            handler.drain()
            handler.reply(status, json.dumps(body).encode(), **named)
            return True

        self.faults.append(Fault(pattern, act, times))

    def token_error(self, description: str, *, times: int = -1, error: str = "invalid_grant") -> None:
        """Refuse to sign in."""

        def act(handler: _Handler, _answer: bytes | None) -> bool:
            handler.drain()
            body = json.dumps({"error": error, "error_description": description}).encode()
            handler.reply(400, body, **{"Content-Type": "application/json"})
            return True

        self.faults.append(Fault(r"POST /token", act, times))

    def break_after(self, pattern: str, size: int, *, times: int = 1) -> None:
        """Reset the connection when so many bytes of the body have come (and were passed on)."""

        def act(handler: _Handler, _answer: bytes | None) -> bool:
            handler.break_off()
            return True

        self.faults.append(Fault(pattern, act, times, after_bytes=size))

    def hang(self, pattern: str, seconds: float, *, times: int = 1) -> None:
        """Take the request and say nothing for so long."""

        def act(handler: _Handler, _answer: bytes | None) -> bool:
            time.sleep(seconds)
            handler.break_off()
            return True

        self.faults.append(Fault(pattern, act, times))

    def after(self, pattern: str, act: Callable[[_Handler, bytes | None], bool], *, times: int = 1) -> None:
        """Let the emulator do it, then do something else with the answer."""
        self.faults.append(Fault(pattern, act, times, after_bytes=-1))

    def lose_answer(self, pattern: str, *, times: int = 1) -> None:
        """It is done, but nobody hears of it."""

        def act(handler: _Handler, _answer: bytes | None) -> bool:
            handler.break_off()
            return True

        self.after(pattern, act, times=times)

    def cut_answer(self, pattern: str, *, times: int = 1) -> None:
        """It is done, and half of the answer arrives as if it were all."""

        def act(handler: _Handler, answer: bytes | None) -> bool:
            content = answer or b""
            handler.reply(200, content[: len(content) // 2])
            return True

        self.after(pattern, act, times=times)

    def change_answer(self, pattern: str, changed: Callable[[Any], Any], *, times: int = 1) -> None:
        """Tell something else than the emulator said (JSON)."""

        def act(handler: _Handler, answer: bytes | None) -> bool:
            handler.reply(200, json.dumps(changed(json.loads(answer or b"{}"))).encode())
            return True

        self.after(pattern, act, times=times)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    front: ClassVar[Front]
    protocol_version = "HTTP/1.1"
    sessions: ClassVar[dict[str, str]] = {}  # upload id -> object name, of those that must not exist yet

    def log_message(self, *_arguments: Any) -> None:
        """Silence."""

    def _handle(self) -> None:
        self._left = int(self.headers.get("Content-Length") or 0)
        self._asked = Asked(time.monotonic(), self.command, self.path, headers=dict(self.headers))
        self.front.asked.append(self._asked)
        fault = self._fault()
        if fault is not None and fault.after_bytes is None:
            fault.act(self, None)
            return
        if self.path.startswith("/token"):
            self._give_token()
        elif (refusal := self._refusal()) is not None:
            self.drain()
            self.reply(*refusal)
        else:
            self._pass_on(fault)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _handle

    def _fault(self) -> Fault | None:
        for fault in self.front.faults:
            if fault.times and re.search(fault.pattern, f"{self.command} {self.path}"):
                fault.times -= 1
                return fault
        return None

    def _give_token(self) -> None:
        form = parse_qs(self.rfile.read(self._left).decode())
        claims = form["assertion"][0].split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(claims + "=="))
        if abs(found["iat"] - time.time()) > 300:
            body = {"error": "invalid_grant", "error_description": "Token must be a short-lived token"}
            self.reply(400, json.dumps(body).encode())
            return
        token = secrets.token_hex(8)
        self.front.tokens.add(token)
        granted = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        self.reply(200, json.dumps(granted).encode(), **{"Content-Type": "application/json"})

    def _refusal(self) -> tuple[int, bytes] | None:
        """What Google would not do."""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/":
            return None
        if "X-Goog-Signature" in query:
            return (
                None
                if _is_signed(self.headers["Host"], parts.path, query)
                else (403, b"SignatureDoesNotMatch")
            )
        if "upload_id" in query:
            return self._refused_end(query["upload_id"])
        if not parts.path.startswith(("/storage/", "/upload/", "/download/")):
            return 403, b"AccessDenied"
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.front.needs_token and token not in self.front.tokens:
            return 401, b'{"error": {"message": "Invalid Credentials", "errors": [{"reason": "authError"}]}}'
        return None

    def _refused_end(self, upload_id: str) -> tuple[int, bytes] | None:
        """if_generation_match=0 is looked at when the object would come into being."""
        name = self.sessions.get(upload_id)
        match = re.fullmatch(r"bytes [0-9]+-([0-9]+)/([0-9]+)", self.headers.get("Content-Range", ""))
        is_end = match is not None and int(match[1]) + 1 == int(match[2])
        if name and is_end and name in self.front.emulator.objects():
            return (
                412,
                b'{"error": {"message": "conditionNotMet", "errors": [{"reason": "conditionNotMet"}]}}',
            )
        return None

    def _pass_on(self, fault: Fault | None) -> None:
        query = dict(parse_qsl(urlsplit(self.path).query))
        connection = http.client.HTTPConnection("127.0.0.1", self.front.emulator.port, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            if not self._pass_body(connection, fault):
                return
            response = connection.getresponse()
            content = response.read()
        except OSError:
            self.break_off()
            return
        finally:
            connection.close()
        if fault is not None and fault.after_bytes == -1:
            self._asked.status = response.status
            fault.act(self, content)
            return
        headers = {
            name: value for name, value in response.getheaders() if name not in ("Connection", "Server")
        }
        if response.status == 308 and headers.get("Range") == "bytes=0-0":
            del headers["Range"]  # the emulator says so of a session that has nothing
        if (
            self.command == "POST"
            and query.get("uploadType") == "resumable"
            and query.get("ifGenerationMatch") == "0"
        ):
            location = headers.get("Location", "")
            upload_id = dict(parse_qsl(urlsplit(location).query)).get("upload_id", "")
            name = query.get("name") or _name_in(self._body)
            self.sessions[upload_id] = unquote(name)
        headers.pop("Content-Length", None)
        self.reply(response.status, content, **headers)

    def _pass_body(self, connection: http.client.HTTPConnection, fault: Fault | None) -> bool:
        """False: the connection broke on the way, as it was told to or by itself."""
        self._body = b""
        limit = fault.after_bytes if fault and fault.after_bytes not in (None, -1) else None
        while self._left:
            block = self.rfile.read1(min(_BLOCK, self._left))
            if not block:
                return False
            self._left -= len(block)
            self._asked.sent_bytes += len(block)
            if len(self._body) < _BLOCK:
                self._body += block
            connection.send(block)
            if self.front.bytes_per_second:
                time.sleep(len(block) / self.front.bytes_per_second)
            if limit is not None and self._asked.sent_bytes >= limit:
                fault.act(self, None)  # type: ignore[union-attr]
                return False
        return True

    def drain(self) -> None:
        """Take the rest of the body, so that the answer is read."""
        while self._left:
            block = self.rfile.read(min(_BLOCK, self._left))
            if not block:
                return
            self._left -= len(block)

    def reply(self, status: int, content: bytes, **headers: str) -> None:
        """Answer."""
        self._asked.status = status
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def break_off(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)  # close sends RST
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.wfile = _Nowhere()  # type: ignore[assignment]
        self.connection.close()


class _Nowhere:
    """What is written to a connection that is gone."""

    closed = False

    def write(self, _content: bytes) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def _name_in(body: bytes) -> str:
    return str(json.loads(body or b"{}").get("name", ""))


def _is_signed(host: str, path: str, query: dict[str, str]) -> bool:
    """Whether an address carries our account's signature, and is not over (V4 signing process)."""
    signature = bytes.fromhex(query.pop("X-Goog-Signature"))
    began = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    if not began - 300 <= time.time() <= began + int(query["X-Goog-Expires"]):
        return False
    ordered = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
    request = "\n".join(["GET", path, ordered, f"host:{host}\n", "host", "UNSIGNED-PAYLOAD"])
    scope = query["X-Goog-Credential"].partition("/")[2]
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(["GOOG4-RSA-SHA256", query["X-Goog-Date"], scope, digest])
    try:
        _private_key().public_key().verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
