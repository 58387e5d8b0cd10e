"""`python -m cctv.demo`: the demo camera, in the foreground until TERM or INT.
It prints one line when it is ready to be asked, and nothing else unless something is wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from cctv.demo.faults import ControlPort
from cctv.demo.loops import LoopFailed
from cctv.demo.profiles import PROFILES
from cctv.demo.server import MAX_QUEUE_BYTES, Library, Server


def main() -> int:
    options = _parse()
    try:
        return asyncio.run(_serve(options))
    except (LoopFailed, OSError) as problem:
        print(f"The demo camera cannot start: {problem}", file=sys.stderr)
        return 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m cctv.demo", description="An RTSP camera that plays loops."
    )
    parser.add_argument("--port", type=int, default=18554, help="RTSP port; 0 chooses a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--control-port", type=int, help="port for faults on command, on 127.0.0.1; 0 chooses one"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/loops"), help="where encoded loops are kept"
    )
    parser.add_argument("--ffmpeg", default="ffmpeg", help="the ffmpeg that encodes them")
    parser.add_argument(
        "--loops", default="demo", help="profiles to have ready at the start, with commas between"
    )
    parser.add_argument(
        "--max-queue", type=int, default=MAX_QUEUE_BYTES, help="bytes unread at which a client is cut off"
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end with the process that started it"
    )
    options = parser.parse_args()
    options.loops = [name for name in options.loops.split(",") if name]
    if unknown := [name for name in options.loops if name not in PROFILES]:
        parser.error(f"no such loop: {', '.join(unknown)}; there are {', '.join(PROFILES)}")
    return options


async def _serve(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(
        Library(options.cache, ffmpeg=options.ffmpeg), host=options.host, max_queue_bytes=options.max_queue
    )
    if not await _prepare(server, options.loops, stop):
        return 0
    await server.listen(options.port)
    ready = f"Demo camera ready: rtsp://{options.host}:{server.port}/demo/1"
    if options.control_port is not None:
        control = ControlPort(server)
        await control.listen(options.control_port)
        ready += f" (control port {control.port})"
    print(ready, flush=True)
    if options.until_stdin_closes:
        await loop.connect_read_pipe(lambda: _Leash(stop), sys.stdin)
    await stop.wait()
    server.close()
    return 0


async def _prepare(server: Server, names: list[str], stop: asyncio.Event) -> bool:
    """Makes the loops that are wanted at once; False when it was told to stop meanwhile."""
    stopping = asyncio.create_task(stop.wait())
    for name in names:
        loading = asyncio.create_task(server.library.load(PROFILES[name]))
        await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            loading.cancel()
            return False
        loading.result()
    stopping.cancel()
    return True


class _Leash(asyncio.Protocol):
    """Notices that the other end of standard input is gone."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, error: Exception | None) -> None:
        self._stop.set()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
