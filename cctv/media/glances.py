"""Key frames of our own files as small grey pictures: only the bytes of key fragments are read, one confined
ffmpeg decodes them all. It never opens a camera, never decodes what lies between, and stores nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cctv.media import argv, tools
from cctv.media.boxes import TICKS_PER_SECOND, read_fragment, read_init
from cctv.media.motion import HEIGHT, WIDTH

MOST_BYTES = 48 << 20  # of one child's input: a minute of 4K; what is longer is cut into several
_LARGEST_KEY = 8 << 20  # bytes of one key fragment
_PAIR_TICKS = 4500  # 50 ms: parameter sets sent as a picture of their own, and the picture
_CPU_SECONDS = 60  # of one child; a file of a minute takes about one
_TIMES = re.compile(rb"\bn: *\d+ +pts: *(-?\d+)")


class GlanceFailed(Exception):
    """ffmpeg did not end in time, or showed nothing of what it was given; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One small picture and its content time in ticks of 90 kHz."""

    ticks: int
    picture: NDArray[np.uint8]


class Clip:
    """Bytes for one child: the init of a run and key fragments of its files."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size_bytes = 0
        self.ticks: list[int] = []  # content time of each key fragment taken in

    @property
    def keys(self) -> int:
        """How many key fragments were taken in."""
        return len(self.ticks)

    def add(
        self,
        descriptor: int,
        offsets: Iterable[tuple[int, int]],
        *,
        least_apart_ticks: int,
        start_ticks: int = 0,
    ) -> int:
        """Take in the key fragments at these (offset, ticks since `start_ticks`) of a file, leaving out what
        follows too closely; how many of those wanted could not be read. NotMedia when it has no init."""
        init = read_init(descriptor)
        if not self.parts:
            self._keep(os.pread(descriptor, init.size, 0))
        end = os.fstat(descriptor).st_size
        last: int | None = None
        unread = 0
        for offset, ticks in offsets:
            is_pair = last is not None and ticks - last < _PAIR_TICKS
            if last is not None and not is_pair and ticks - last < least_apart_ticks:
                continue
            last = ticks if not is_pair else last
            found = read_fragment(descriptor, init, offset, end=min(end, offset + _LARGEST_KEY))
            content = os.pread(descriptor, found.size, offset) if found else b""
            if found is None or len(content) != found.size:
                unread += 1
                continue
            self._keep(content)
            self.ticks.append(start_ticks + ticks)
        return unread

    def unseen(self, glances: Iterable[Glance]) -> list[int]:
        """Content times of the key fragments of which `decode` gave no picture: they are damaged.

        Two closer than 50 ms are parameter sets and their picture: one picture is enough for both.
        """
        seen = sorted(glance.ticks for glance in glances)
        found = []
        for at, ticks in enumerate(self.ticks):
            following = self.ticks[at + 1] if at + 1 < len(self.ticks) else ticks + TICKS_PER_SECOND
            if not any(ticks - _PAIR_TICKS <= one < max(following, ticks + _PAIR_TICKS) for one in seen):
                found.append(ticks)
        return found

    def _keep(self, content: bytes) -> None:
        self.parts.append(content)
        self.size_bytes += len(content)

    def decode(self, *, timeout_s: float = 30.0) -> list[Glance]:
        """The pictures that could be decoded, in order; damaged ones are left out.

        Raises:
            GlanceFailed: ffmpeg hangs, died or showed nothing at all.
        """
        if not self.keys:
            return []
        command = argv.glances_argv(WIDTH, HEIGHT, ffmpeg_path=tools.ffmpeg_path() or "ffmpeg")
        # What ffmpeg reads lies in a nameless file: with a pipe both ends would have to be kept busy.
        with tempfile.TemporaryFile() as source:
            source.writelines(self.parts)
            source.seek(0)
            try:
                done = subprocess.run(
                    tools.confined(command, cpu_seconds=_CPU_SECONDS),
                    stdin=source,
                    capture_output=True,
                    timeout=timeout_s,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise GlanceFailed(f"decoding did not end within {timeout_s:g} s") from None
        times = [int(found) for found in _TIMES.findall(done.stderr)]
        pixels = np.frombuffer(done.stdout, np.uint8)
        count = min(len(times), pixels.size // (WIDTH * HEIGHT))
        if not count:
            raise GlanceFailed(_said(done.stderr) or f"ffmpeg ended with {done.returncode}")
        pictures = pixels[: count * WIDTH * HEIGHT].reshape(count, HEIGHT, WIDTH)
        return [Glance(ticks, picture) for ticks, picture in zip(times, pictures, strict=False)]


def _said(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if "showinfo" not in line]
    return lines[-1][:200] if lines else ""
