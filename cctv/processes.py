"""Processes of this machine by pid and start time, which no two of them ever share.

Reads /proc and signals nobody.
"""

from __future__ import annotations

import os


def started_at(pid: int) -> int | None:
    """Start time of a living process, in clock ticks since boot (proc(5), stat field 22); None: gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def identity() -> str:
    """This process as text that no other process ever has: "<pid>:<start time>"."""
    return f"{os.getpid()}:{started_at(os.getpid())}"


def is_alive(worker: str) -> bool:
    """Whether the process with that identity lives on this machine."""
    pid, _, start = worker.partition(":")
    return pid.isdigit() and start.isdigit() and started_at(int(pid)) == int(start)
