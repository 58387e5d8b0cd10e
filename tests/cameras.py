"""The tests' cameras: a demo server in its own process, its control port, and numbers read from pictures.
A test that needs a camera takes it from here; nothing here knows the product's database or pages."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from cctv.demo import barcode
from cctv.demo.control import Control

ROOT = Path(__file__).resolve().parent.parent
CACHE_DIR = ROOT / ".cache" / "loops"  # git-ignored: each loop is encoded once in a checkout
READY_SECONDS = 90.0


class CameraFarm:
    """A running demo server. `with CameraFarm.start() as farm: farm.url("t1", 3); farm.control("hang", 3)`"""

    def __init__(self, process: subprocess.Popen[str], *, port: int, control_port: int) -> None:
        self.process = process
        self.port = port
        self.control = Control(control_port)

    @classmethod
    def start(
        cls, cache_dir: Path = CACHE_DIR, *, loops: tuple[str, ...] = ("t1",), options: tuple[str, ...] = ()
    ) -> CameraFarm:
        """Starts a server on free ports; `loops` are ready at once, others when they are first asked for."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "cctv.demo", "--port", "0", "--control-port", "0"),
                *("--cache", str(cache_dir), "--loops", ",".join(loops), "--until-stdin-closes"),
                *options,
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,  # its end is the end of the server, however the tests end
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"rtsp://[^/]*:(\d+)/.*control port (\d+)", line)
        if not found:
            process.kill()
            raise RuntimeError(f"the cameras did not start: {line!r}")
        return cls(process, port=int(found.group(1)), control_port=int(found.group(2)))

    def url(
        self, profile: str, number: int, *, auth: bool = False, user: str = "admin", password: str = "secret"
    ) -> str:
        """The address of a camera; with `auth` the one that asks for a login, credentials included."""
        if auth:
            return f"rtsp://{user}:{password}@127.0.0.1:{self.port}/auth/{profile}/{number}"
        return f"rtsp://127.0.0.1:{self.port}/{profile}/{number}"

    def stop(self) -> None:
        """Ends the server; harmless when it has ended."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> CameraFarm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def numbers_in(path: Path | str, *, height: int = 240, width: int = 320) -> list[int | None]:
    """The frame number of every picture that decodes from a file or playlist, read at that size."""
    done = subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough"),
            *("-vf", f"scale={width}:{height}", "-f", "rawvideo", "-pix_fmt", "gray", "-"),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    size = width * height
    pictures = (done.stdout[start : start + size] for start in range(0, len(done.stdout), size))
    return [barcode.read(picture, width, height) for picture in pictures]


def steps_of(numbers: list[int | None], frames: int) -> list[int]:
    """The differences between consecutive numbers of a loop of `frames` pictures; all 1 when none is lost."""
    known = [number for number in numbers if number is not None]
    assert len(known) == len(numbers), f"unreadable pictures: {numbers}"
    return [(later - earlier) % frames for earlier, later in pairwise(known)]
