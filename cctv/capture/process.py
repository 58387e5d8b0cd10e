"""Processes of this machine: who is alive, by pid and start time, and which ffmpeg writes below MEDIA_DIR.

Reads /proc; signals only the one process that `end` names.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import NamedTuple

from cctv.media import whereabouts
from cctv.processes import identity, is_alive, started_at

__all__ = ["Running", "end", "find_captures", "has_connection", "identity", "is_alive", "started_at"]
from cctv.storage import paths


class Running(NamedTuple):
    """An ffmpeg that writes a run of ours."""

    pid: int
    pid_started: int
    camera_id: int
    run_key: str


def find_captures(media_dir: Path) -> list[Running]:
    """Every ffmpeg that writes segments below this MEDIA_DIR, whoever started it."""
    root = f"{Path(media_dir)}/".encode()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names are enough
    return [running for pid in pids if (running := _read(pid, root))]


def _read(pid: int, root: bytes) -> Running | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            last = file.read().rstrip(b"\0").rpartition(b"\0")[2]
    except OSError:
        return None
    suffix = b"/" + paths.SEGMENT_PATTERN.encode()
    if not last.startswith(root) or not last.endswith(suffix):
        return None
    camera, _, key = last[len(root) : -len(suffix)].decode("utf-8", "replace").partition("/")
    start = started_at(pid)
    if start is None or not camera.isdigit() or not paths.is_run_key(key):
        return None
    return Running(pid, start, int(camera), key)


def has_connection(pid: int, port: int) -> bool:
    """Whether the process holds an established connection to that port."""
    ends = whereabouts.ends(pid)
    # None: it has just ended, or may not be looked at; nothing can be said against it.
    return ends is None or any(end.port == port and end.is_established for end in ends)


def end(running: Running) -> None:
    """Kill exactly that process, when it is still the same."""
    try:
        descriptor = os.pidfd_open(running.pid)
    except OSError:
        return
    try:
        if started_at(running.pid) == running.pid_started:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)
