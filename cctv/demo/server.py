"""The server: its listening socket, its cameras, and the library of loops that are in memory.
It listens on one address only and starts no process but the ffmpeg that encodes a loop for the first time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cctv.demo.camera import Camera
from cctv.demo.connection import Connection
from cctv.demo.loops import make_loop
from cctv.demo.pacer import Pacer
from cctv.demo.profiles import Profile
from cctv.demo.rtp import Loop, build_loop
from cctv.demo.session import Session

MAX_QUEUE_BYTES = 8 * 1024 * 1024  # 16 s of 4 Mbit/s: a client that is so far behind is not coming back


class Library:
    """Loops that are ready to be played, made and loaded when first asked for."""

    def __init__(self, cache_dir: Path, *, ffmpeg: str = "ffmpeg") -> None:
        self._cache_dir = cache_dir
        self._ffmpeg = ffmpeg
        self._loading: dict[str, asyncio.Task[Loop]] = {}

    async def load(self, profile: Profile) -> Loop:
        """The loop, encoded and packetised in a thread the first time. Raises LoopFailed."""
        task = self._loading.get(profile.name)
        if task is None or (task.done() and task.exception()):
            task = asyncio.create_task(asyncio.to_thread(self._make, profile))
            self._loading[profile.name] = task
        return await asyncio.shield(task)  # a client that goes away must not stop the others' loop

    def _make(self, profile: Profile) -> Loop:
        video, audio = make_loop(profile, self._cache_dir, ffmpeg=self._ffmpeg)
        return build_loop(profile, video.read_bytes(), audio.read_bytes() if audio else None)


class Server:
    """All cameras behind one port."""

    def __init__(
        self, library: Library, *, host: str = "127.0.0.1", max_queue_bytes: int = MAX_QUEUE_BYTES
    ) -> None:
        self.library = library
        self.host = host
        self.max_queue_bytes = max_queue_bytes
        self.port = 0
        self.pacer = Pacer()
        self.connections: set[Connection] = set()
        self.is_frozen = False  # as a whole: connections are accepted, nothing is read
        self._cameras: dict[int, Camera] = {}
        self._listener: asyncio.Server | None = None
        self._reopening: asyncio.TimerHandle | None = None

    async def listen(self, port: int) -> None:
        """Opens the port (0 chooses one); afterwards `port` says which. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), self.host, port, backlog=512)
        self.port = self._listener.sockets[0].getsockname()[1]

    def camera(self, number: int) -> Camera:
        return self._cameras.setdefault(number, Camera(number))

    def cameras(self) -> list[Camera]:
        """The cameras that were ever asked for, by number."""
        return [self._cameras[number] for number in sorted(self._cameras)]

    def connections_of(self, camera: Camera | None) -> list[Connection]:
        """The open connections of one camera; of None, all there are."""
        return [each for each in self.connections if camera is None or each.camera is camera]

    def sessions_of(self, camera: Camera) -> list[Session]:
        return [each.session for each in self.connections_of(camera) if each.session]

    def close(self) -> None:
        """Closes the port and every connection."""
        self._stop_listening()
        if self._reopening:
            self._reopening.cancel()
        for connection in list(self.connections):
            connection.kill()

    def refuse_all(self, seconds: float) -> None:
        """Refuses connections as a machine that is off does, then listens on the same port again."""
        self.close()
        self._reopening = asyncio.get_running_loop().call_later(seconds, self.reopen)

    def reopen(self) -> None:
        """Ends refuse_all(); harmless when the port is open."""
        if self._reopening:
            self._reopening.cancel()
            self._reopening = None
            self._reopened = asyncio.get_running_loop().create_task(self.listen(self.port))

    def _stop_listening(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
