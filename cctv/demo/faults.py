"""The control port: faults on command, one line in, one line of JSON out.
It is opened for tests only, on 127.0.0.1; the built-in demo camera runs without it.

`CAM` is a camera number or `all`: those that were asked for at least once, unless it says otherwise.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cctv.demo.camera import Camera, Faults
from cctv.demo.profiles import find_variant
from cctv.demo.server import Server

MAX_LINE_BYTES = 4096


class BadCommand(Exception):
    """The line is not understood; the text says why."""


class ControlPort:
    """Reads commands and changes the cameras of a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.port = 0
        self._listener: asyncio.Server | None = None

    async def listen(self, port: int) -> None:
        """Opens the port on 127.0.0.1 (0 chooses one)."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=MAX_LINE_BYTES)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self.obey(line.decode())).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the test went away, or sent no line
        finally:
            writer.close()

    async def obey(self, line: str) -> dict[str, Any]:
        """Carries out one command; {"ok": true, ...} or {"ok": false, "error": text}."""
        verb, *words = line.split()[:8] or [""]
        command = _COMMANDS.get(verb)
        try:
            if command is None:
                raise BadCommand(f"unknown command; known are {', '.join(sorted(_COMMANDS))}")
            return {"ok": True, **(await command(self._server, words) or {})}
        except (BadCommand, ValueError, IndexError) as problem:
            return {"ok": False, "error": f"{verb}: {problem}"}


Result = dict[str, Any] | None
Command = Callable[[Server, list[str]], Awaitable[Result]]
_COMMANDS: dict[str, Command] = {}


def _command(function: Command) -> Command:
    _COMMANDS[function.__name__] = function
    return function


def _cameras(server: Server, words: list[str]) -> list[Camera]:
    """The cameras that the first word names."""
    return server.cameras() if words[0] == "all" else [server.camera(int(words[0]))]


def _each(change: Callable[[Camera, list[str]], None]) -> Command:
    """A command that changes each named camera; the rest of the words are its arguments."""

    async def run(server: Server, words: list[str]) -> Result:
        for camera in _cameras(server, words):
            change(camera, words[1:])
        return None

    run.__name__ = change.__name__
    return _command(run)


@_command
async def kill(server: Server, words: list[str]) -> Result:
    """kill CAM: closes its connections in order (FIN)."""
    found = [each for camera in _cameras(server, words) for each in server.connections_of(camera)]
    for connection in found:
        connection.kill()
    return {"closed": len(found)}


@_command
async def rst(server: Server, words: list[str]) -> Result:
    """rst CAM: resets its connections (RST)."""
    found = [each for camera in _cameras(server, words) for each in server.connections_of(camera)]
    for connection in found:
        connection.reset()
    return {"closed": len(found)}


@_command
async def hang(server: Server, words: list[str]) -> Result:
    """hang CAM: the sessions that are open now send nothing more, TCP stays open; new ones work."""
    found = [session for camera in _cameras(server, words) for session in server.sessions_of(camera)]
    for session in found:
        session.is_hung = True
    return {"hung": len(found)}


@_command
async def freeze(server: Server, words: list[str]) -> Result:
    """freeze CAM: accepts connections, answers and sends nothing until `resume`. `all`: the whole server."""
    server.is_frozen = server.is_frozen or words[0] == "all"
    for camera in _cameras(server, words):
        camera.faults.is_frozen = True
    return None


@_command
async def down(server: Server, words: list[str]) -> Result:
    """down CAM SECONDS: closes connections at the first request. `all`: the port is closed, TCP refused."""
    seconds = float(words[1])
    if words[0] == "all":
        server.refuse_all(seconds)
        return None
    camera = server.camera(int(words[0]))
    camera.faults.down_until = time.time() + seconds
    for connection in server.connections_of(camera):
        connection.kill()
    return None


@_command
async def resume(server: Server, words: list[str]) -> Result:
    """resume CAM: ends every fault except a changed password, a jumped clock and what is already closed."""
    if words[0] == "all":
        server.is_frozen = False
        server.reopen()
    for camera in _cameras(server, words):
        was_switched = camera.faults.switched_to is not None
        camera.faults = Faults()
        for session in server.sessions_of(camera):
            session.is_hung = False
            if was_switched:
                session.switch(await server.library.load(session.variant.profile))
    return None


@_command
async def switch(server: Server, words: list[str]) -> Result:
    """switch CAM PROFILE [ONLY]: plays another profile from now on; ONLY: in place of that one."""
    variant, only = find_variant(words[1]), words[2] if len(words) > 2 else None
    if variant is None:
        raise BadCommand(f"no profile {words[1]}")
    loop = await server.library.load(variant.profile)
    for camera in _cameras(server, words):
        camera.faults.switched_to, camera.faults.switched_from = words[1], only
        for session in server.sessions_of(camera):
            if only in (None, session.variant.profile.name):
                session.switch(loop)
    return None


@_command
async def stats(server: Server, words: list[str]) -> Result:
    """stats [CAM]: what was counted, by camera number, and what is open now."""
    chosen = _cameras(server, words) if words else server.cameras()
    return {
        "cameras": {
            str(camera.number): {
                **camera.counted(),
                "open_connections": len(server.connections_of(camera)),
                "open_sessions": len(server.sessions_of(camera)),
                "playing": [each.loop.profile.name for each in server.sessions_of(camera) if each.is_playing],
            }
            for camera in chosen
        }
    }


@_each
def stall(camera: Camera, words: list[str]) -> None:
    """stall CAM: RTSP is answered, no media is sent, until `resume`."""
    camera.faults.is_stalled = True


@_each
def jump(camera: Camera, words: list[str]) -> None:
    """jump CAM SECONDS: the camera's clock, and with it all time stamps and reports, goes forward."""
    camera.clock_offset += float(words[0])


@_each
def back(camera: Camera, words: list[str]) -> None:
    """back CAM SECONDS: the camera's clock goes back."""
    camera.clock_offset -= float(words[0])


@_each
def drop(camera: Camera, words: list[str]) -> None:
    """drop CAM N: the next N pictures are lost on the way."""
    camera.faults.drop_frames = int(words[0])


@_each
def garbage(camera: Camera, words: list[str]) -> None:
    """garbage CAM N: half of each packet of the next N pictures is overwritten."""
    camera.faults.garble_frames = int(words[0])


@_each
def status(camera: Camera, words: list[str]) -> None:
    """status CAM CODE [METHOD]: DESCRIBE, or that method, is answered with this code; `ok` clears it."""
    method = words[1] if len(words) > 1 else "DESCRIBE"
    if words[0] == "ok":
        camera.faults.status.pop(method, None)
    else:
        camera.faults.status[method] = int(words[0])


@_each
def slow(camera: Camera, words: list[str]) -> None:
    """slow CAM SECONDS [frame]: DESCRIBE is answered late, or (frame) the first picture comes late."""
    if words[1:] == ["frame"]:
        camera.faults.frame_delay_seconds = float(words[0])
    else:
        camera.faults.describe_delay_seconds = float(words[0])


@_each
def mute(camera: Camera, words: list[str]) -> None:
    """mute CAM: no sound is sent."""
    camera.faults.is_muted = True


@_each
def http(camera: Camera, words: list[str]) -> None:
    """http CAM: answers in HTTP, as a wrong port would."""
    camera.faults.speaks_http = True


@_each
def limit(camera: Camera, words: list[str]) -> None:
    """limit CAM N: more than N sessions get 453, as cameras with few connections answer."""
    camera.faults.max_sessions = int(words[0])


@_each
def redirect(camera: Camera, words: list[str]) -> None:
    """redirect CAM URL: DESCRIBE is answered with 302."""
    camera.faults.redirect_url = words[0]


@_each
def password(camera: Camera, words: list[str]) -> None:
    """password CAM NEW: a login that worked is refused from now on."""
    camera.password = words[0]
