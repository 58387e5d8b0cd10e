"""Processes of a DATA_DIR that no supervisor watches any more: found by the mark in their environment.

A capturing ffmpeg is told from the rest: it leads its own session, and the next worker may adopt it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

MARK = "CCTV_STACK"


@dataclass(frozen=True)
class Process:
    """A process as /proc shows it."""

    pid: int
    name: str
    is_session_leader: bool

    @property
    def is_capture(self) -> bool:
        return self.name.startswith("ffmpeg") and self.is_session_leader


def find_marked(data_dir: Path) -> list[Process]:
    """Every living process that was started, by whatever way, under the supervisor of this DATA_DIR."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if not _belongs(entry, data_dir):
                continue
            process = _read(entry)
        except OSError:  # it ended meanwhile, or belongs to another user
            continue
        if process is not None:
            found.append(process)
    return found


def _belongs(entry: Path, data_dir: Path) -> bool:
    if f"{MARK}={data_dir}".encode() in (entry / "environ").read_bytes().split(b"\0"):
        return True
    # Redis writes its title over its environment; the title names its socket.
    return f":{data_dir}/redis.sock".encode() in (entry / "cmdline").read_bytes()


def _read(entry: Path) -> Process | None:
    """Fields of proc(5) stat: 1 pid, 2 (name), 3 state, 4 ppid, 5 process group, 6 session."""
    stat = (entry / "stat").read_text()
    name, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
    if rest[0] in "ZX":
        return None
    pid = int(entry.name)
    return Process(pid=pid, name=name, is_session_leader=int(rest[3]) == pid)


def end(data_dir: Path, *, with_captures: bool, patience_seconds: float) -> int:
    """TERM, then after `patience_seconds` KILL, until none is left; returns how many there were."""
    first = _targets(data_dir, with_captures)
    _signal(first, signal.SIGTERM)
    deadline = time.monotonic() + patience_seconds
    left = first
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = _targets(data_dir, with_captures)
    deadline = time.monotonic() + 2
    while left and time.monotonic() < deadline:
        _signal(left, signal.SIGKILL)
        time.sleep(0.05)
        left = _targets(data_dir, with_captures)
    return len(first)


def _targets(data_dir: Path, with_captures: bool) -> list[Process]:
    return [process for process in find_marked(data_dir) if with_captures or not process.is_capture]


def _signal(processes: list[Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)
