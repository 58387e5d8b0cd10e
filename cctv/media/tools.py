"""Finds the programs that media work needs, says which version they are, and confines what decodes.
The only program it runs by itself is a trial whether a process may have a network of its own.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess


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


@functools.cache
def _unshare() -> tuple[str, ...]:
    """The beginning of a command that runs without any network; empty where the kernel does not allow it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    # Root needs no name space of users for it; anybody else does, and containers often forbid that one.
    ways = ["--net"], ["--user", "--map-current-user", "--net"]
    for way in ways if os.geteuid() == 0 else ways[1:]:
        trial = [unshare, *way, "--", "true"]
        done = subprocess.run(trial, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=10)
        if done.returncode == 0:
            return (unshare, *way, "--")
    return ()


def without_network(argv: list[str]) -> list[str]:
    """The same command, in the same process, without any network: for what decodes bytes that a camera sent
    (THREATS 43). Unchanged where the kernel does not allow it."""
    return [*_unshare(), *argv]


def confined(argv: list[str], *, cpu_seconds: int = 10) -> list[str]:
    """The same command for decoding bytes that a camera sent: it dies with the thread that starts it, may
    take `cpu_seconds` of CPU and 2 GB, opens few files, writes none and has no network (THREATS 43).
    Unchanged without util-linux."""
    prlimit = _prlimit()
    limits = [f"--cpu={cpu_seconds}", "--as=2147483648", "--fsize=0", "--nofile=64", "--core=0"]
    # unshare comes first: a new name space of users would make the kernel forget the signal of the parent.
    return without_network(dying_with_parent([prlimit, *limits, "--", *argv] if prlimit else argv))
