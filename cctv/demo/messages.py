"""RTSP messages as bytes: requests taken from a connection's buffer, answers put together (RFC 2326 4 to 7).
Syntax only; what a request means is decided in connection.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_REQUEST_BYTES = 64 * 1024

REASONS = {
    200: "OK", 302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 453: "Not Enough Bandwidth", 454: "Session Not Found",
    455: "Method Not Valid in This State", 459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport", 500: "Internal Server Error", 501: "Not Implemented",
    503: "Service Unavailable",
}  # fmt: skip

_PATH = re.compile(r"^(?:rtsps?://[^/]*)?/?(.*)$", re.IGNORECASE)


class Malformed(Exception):
    """The bytes are no RTSP request."""


@dataclass(frozen=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Target:
    """What a path names: `[auth/]<profile>/<camera number>[/trackID=<n>]`."""

    profile: str
    number: int
    is_guarded: bool
    track: int | None


def take_requests(buffer: bytearray) -> Iterator[Request]:
    """Removes complete requests from the buffer; interleaved packets (the client's RTCP) are thrown away."""
    while buffer:
        if buffer[0] == 0x24:  # "$", RFC 2326 10.12
            size = 4 + int.from_bytes(buffer[2:4], "big")
            if len(buffer) < max(size, 4):
                return
            del buffer[:size]
            continue
        head, separator, _ = bytes(buffer).partition(b"\r\n\r\n")
        if not separator:
            if len(buffer) > MAX_REQUEST_BYTES:
                raise Malformed
            return
        request = _parse(head.decode("utf-8", "replace"))
        size = len(head) + 4 + int(request.headers.get("content-length", "0") or 0)
        if len(buffer) < size:
            return
        del buffer[:size]
        yield request


def _parse(head: str) -> Request:
    first, *rest = head.lstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("RTSP/"):
        raise Malformed
    pairs = (line.partition(":") for line in rest)
    return Request(words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs})


def target_of(url: str) -> Target | None:
    """The camera that a request URL names, or None."""
    match = _PATH.match(url.partition("?")[0])
    parts = [part for part in (match.group(1) if match else "").split("/") if part]
    is_guarded = parts[:1] == ["auth"]
    parts = parts[1:] if is_guarded else parts
    track = None
    if parts and (found := re.fullmatch(r"trackID=([01])", parts[-1])):
        track = int(found.group(1))
        parts = parts[:-1]
    if len(parts) != 2 or not re.fullmatch(r"[0-9]{1,6}", parts[1]):
        return None
    return Target(parts[0], int(parts[1]), is_guarded, track)


def answer(code: int, cseq: str, headers: dict[str, str] | None = None, body: str = "") -> bytes:
    """A complete answer with its Content-Length."""
    lines = [f"RTSP/1.0 {code} {REASONS.get(code, 'Error')}", f"CSeq: {cseq}", "Server: cctv-demo"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
