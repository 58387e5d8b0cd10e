"""One RTSP connection: each request in turn, answered as the camera's present faults allow (RFC 2326).
Media goes out through session.py; nothing here encodes, and no client can make it wait for another."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

from cctv.demo import digest, sdp
from cctv.demo.camera import Camera
from cctv.demo.loops import LoopFailed
from cctv.demo.messages import Malformed, Request, Target, answer, take_requests, target_of
from cctv.demo.profiles import Variant, find_variant
from cctv.demo.rtp import Loop
from cctv.demo.session import Session

if TYPE_CHECKING:
    from cctv.demo.server import Server

METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
SESSION_TIMEOUT_SECONDS = 60


class Refused(Exception):
    """The request is answered with a status other than 200."""

    def __init__(self, code: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.headers = headers or {}


class Connection(asyncio.Protocol):
    """A client's TCP connection; at most one session lives on it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.camera: Camera | None = None
        self.session: Session | None = None
        self.nonce = secrets.token_hex(16)
        self._buffer = bytearray()
        self._requests: asyncio.Queue[Request] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._worker = asyncio.get_running_loop().create_task(self._answer_all())

    def data_received(self, data: bytes) -> None:
        if self.server.is_frozen:
            return
        self._buffer += data
        try:
            for request in take_requests(self._buffer):
                self._requests.put_nowait(request)
        except (Malformed, ValueError):
            self.transport.write(answer(400, "0"))
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections.discard(self)
        if self._worker:
            self._worker.cancel()
        self._end_session()

    # Faults.

    def kill(self) -> None:
        """Closes in order: the client sees the end of the stream (FIN)."""
        self._end_session()
        self.transport.close()

    def reset(self) -> None:
        """Closes with RST: what was on the way is lost."""
        self._end_session()
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # Requests.

    async def _answer_all(self) -> None:
        while True:
            request = await self._requests.get()
            cseq = request.headers.get("cseq", "0")
            try:
                said = await self._answer(request, cseq)
            except Refused as refusal:
                said = answer(refusal.code, cseq, refusal.headers)
            if said:
                self.transport.write(said)

    async def _answer(self, request: Request, cseq: str) -> bytes | None:
        target = target_of(request.url)
        if target is None:
            if request.method == "OPTIONS":
                return answer(200, cseq, {"Public": METHODS})
            raise Refused(404)
        camera = self._meet(target)
        faults = camera.faults
        if self.server.is_frozen or faults.is_frozen:
            return None
        if camera.is_down():
            self.transport.close()
            return None
        if faults.speaks_http:
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
            )
            self.transport.close()
            return None
        if request.method == "OPTIONS" and request.method not in faults.status:
            return answer(200, cseq, {"Public": METHODS})
        self._check_login(request, target, camera)
        self._check_status(request.method, camera)
        return await self._dispatch(request, cseq, target=target, camera=camera)

    def _meet(self, target: Target) -> Camera:
        camera = self.server.camera(target.number)
        if self.camera is not camera:
            self.camera = camera
            camera.counters.connections += 1
        return camera

    def _check_login(self, request: Request, target: Target, camera: Camera) -> None:
        if not target.is_guarded:
            return
        said, counters = request.headers.get("authorization"), camera.counters
        counters.login_attempts += said is not None and request.method == "DESCRIBE"
        if said and digest.is_right(
            said, request.method, self.nonce, user=camera.user, password=camera.password
        ):
            return
        counters.logins_refused += said is not None and request.method == "DESCRIBE"
        raise Refused(401, {"WWW-Authenticate": digest.challenge(self.nonce)})

    def _check_status(self, method: str, camera: Camera) -> None:
        code = camera.faults.status.get(method)
        if code is not None:
            camera.counters.describes += method == "DESCRIBE"
            raise Refused(code, {"WWW-Authenticate": digest.challenge(self.nonce)} if code == 401 else None)

    async def _dispatch(self, request: Request, cseq: str, *, target: Target, camera: Camera) -> bytes | None:
        match request.method:
            case "DESCRIBE":
                return await self._describe(request, cseq, target=target, camera=camera)
            case "SETUP":
                return await self._setup(request, cseq, target=target, camera=camera)
            case "PLAY":
                self._play(request, cseq)
                return None
            case "PAUSE":
                session = self._session_of(request)
                session.is_playing = False
                return answer(200, cseq, {"Session": session.key})
            case "GET_PARAMETER" | "SET_PARAMETER":
                return answer(200, cseq, {"Session": self.session.key} if self.session else None)
            case "TEARDOWN":
                camera.counters.teardowns += 1
                self._end_session()
                return answer(200, cseq)
        raise Refused(501)

    async def _describe(self, request: Request, cseq: str, *, target: Target, camera: Camera) -> bytes:
        camera.counters.describes += 1
        if camera.faults.redirect_url:
            raise Refused(302, {"Location": camera.faults.redirect_url})
        await asyncio.sleep(camera.faults.describe_delay_seconds)
        variant = self._variant(target, camera)
        loop = await self._load(variant)
        headers = {"Content-Type": "application/sdp", "Content-Base": request.url.rstrip("/") + "/"}
        return answer(200, cseq, headers, sdp.describe(loop, variant))

    async def _setup(self, request: Request, cseq: str, *, target: Target, camera: Camera) -> bytes:
        variant = self._variant(target, camera)
        track = target.track
        channel = _interleaved_channel(request.headers.get("transport", ""), default=2 * (track or 0))
        if channel is None:
            raise Refused(461)
        loop = await self._load(variant)
        if track is None or (track == 1 and (loop.audio is None or not variant.has_audio)):
            raise Refused(404)
        if self.session is None:
            limit = camera.faults.max_sessions
            if limit is not None and len(self.server.sessions_of(camera)) >= limit:
                raise Refused(453)
            self.session = Session(
                camera,
                loop,
                variant=variant,
                transport=self.transport,
                max_queue_bytes=self.server.max_queue_bytes,
            )
        feed = self.session.add_track(track, channel)
        transport = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1};ssrc={feed.ssrc:08X}"
        key = f"{self.session.key};timeout={SESSION_TIMEOUT_SECONDS}"
        return answer(200, cseq, {"Transport": transport, "Session": key})

    def _play(self, request: Request, cseq: str) -> None:
        """Answers, with the numbers of the first packets (RFC 2326 12.33), and then lets the media follow."""
        session = self._session_of(request)
        session.is_playing = True
        session.camera.counters.plays += 1
        begin = time.time() + session.camera.faults.frame_delay_seconds
        starts = [(feed, feed.start(begin)) for feed in session.feeds.values()]
        base = request.url.rstrip("/")
        infos = [
            f"url={base}/trackID={feed.number};seq={feed.sequence & 0xFFFF};rtptime={feed.next_timestamp()}"
            for feed, _ in starts
        ]
        headers = {"Session": session.key, "Range": "npt=now-", "RTP-Info": ",".join(infos)}
        self.transport.write(answer(200, cseq, headers))
        for feed, due in starts:
            if not feed.is_queued:
                feed.is_queued = True
                self.server.pacer.add(feed, due)

    def _variant(self, target: Target, camera: Camera) -> Variant:
        variant = find_variant(camera.playing_name(target.profile))
        if variant is None:
            raise Refused(404)
        return variant

    async def _load(self, variant: Variant) -> Loop:
        try:
            return await self.server.library.load(variant.profile)
        except (LoopFailed, OSError) as failure:
            print(f"The loop {variant.profile.name} cannot be made: {failure}", file=sys.stderr)
            raise Refused(500) from failure

    def _session_of(self, request: Request) -> Session:
        if self.session is None:
            raise Refused(455)
        if request.headers.get("session", "").partition(";")[0] != self.session.key:
            raise Refused(454)
        return self.session

    def _end_session(self) -> None:
        if self.session:
            self.session.is_playing = False
            self.session = None


def _interleaved_channel(header: str, *, default: int) -> int | None:
    """The RTP channel of the first offer over TCP in a Transport header; None when there is no such offer."""
    for offer in header.split(","):
        if "/TCP" in offer.upper():
            found = re.search(r"interleaved=(\d{1,3})", offer)
            return min(int(found.group(1)), 254) if found else default
    return None
