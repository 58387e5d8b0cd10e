"""Finds the programs that media work needs and says which version they are.
It runs nothing by itself.
"""

from __future__ import annotations

import functools
import os
import re
import shutil


@functools.cache
def ffmpeg_path() -> str | None:
    """ffmpeg on PATH, else the one of the imageio-ffmpeg wheel, else None."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-not-found]
    except ImportError:
        return None
    try:
        path = str(get_ffmpeg_exe())
    except RuntimeError:
        return None
    return path if os.access(path, os.X_OK) else None


def parse_version(banner: str) -> tuple[int, int] | None:
    """(major, minor) from the first line of `ffmpeg -version`; None for builds that have no number."""
    match = re.search(r"ffmpeg version n?([0-9]+)\.([0-9]+)", banner)
    return (int(match[1]), int(match[2])) if match else None


@functools.cache
def _setpriv() -> str | None:
    return shutil.which("setpriv")


def dying_with_parent(argv: list[str]) -> list[str]:
    """The same command, killed by the kernel when the thread that starts it ends: for transcodes, exports
    and checks, never for captures (DECISIONS 1). Unchanged where setpriv (util-linux) is missing."""
    setpriv = _setpriv()
    return [setpriv, "--pdeathsig", "KILL", "--", *argv] if setpriv else argv


@functools.cache
def _prlimit() -> str | None:
    return shutil.which("prlimit")


def confined(argv: list[str], *, cpu_seconds: int = 10) -> list[str]:
    """The same command for decoding bytes that a camera sent: it dies with the thread that starts it, may
    take `cpu_seconds` of CPU and 2 GB, opens few files and writes none (THREATS 43). Unchanged without
    util-linux."""
    prlimit = _prlimit()
    limits = [f"--cpu={cpu_seconds}", "--as=2147483648", "--fsize=0", "--nofile=64", "--core=0"]
    return dying_with_parent([prlimit, *limits, "--", *argv] if prlimit else argv)
