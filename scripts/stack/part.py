"""One supervised process: start, notice its end, wait longer each time it dies young, stop.

Never decides when the whole system ends and never prints; that is the supervisor's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.stack.logs import open_log

# At once after the first death; then 0.5, 1, 2, 4, 8, 10, 10 ... seconds while it keeps dying young.
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0
# A part that lived this long was healthy: its next death is a first one again.
_HEALTHY_AFTER_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What a part is: its command line, and whether others need it until they have stopped."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    is_base: bool = False
    """Started before and stopped after the parts that lean on it (Redis, the demo camera)."""
    start_after_seconds: float = 0.0
    orphan_signal: str = "TERM"
    """What it gets when the supervisor dies, even by kill -9."""


class Part:
    """The life of one plan, over all its restarts."""

    def __init__(self, plan: Plan, *, log: Path, env: Mapping[str, str]) -> None:
        self.plan = plan
        self.log = log
        self.env = {**env, **plan.env, "CCTV_PART": plan.name}
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths_in_a_row = 0
        self.start_at: float | None = None
        self._started_at = 0.0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches only the supervisor.

        setpriv asks the kernel for the orphan's signal (prctl PR_SET_PDEATHSIG) and becomes the program.

        Raises:
            OSError: no memory, process or descriptor is left for it, or its log cannot be opened.
        """
        self._started_at = time.monotonic()  # also of a start that fails: it died young
        setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
        log = open_log(self.log)
        try:
            self.process = subprocess.Popen(
                [setpriv, "--pdeathsig", self.plan.orphan_signal, *self.plan.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                start_new_session=True,
            )
        finally:
            os.close(log)
        self.start_at = None

    def take_exit(self) -> int | None:
        """The exit code of a process that ended since the last call, else None."""
        if self.process is None or self.process.poll() is None:
            return None
        code: int = self.process.returncode
        # What it left in its session goes with it. A capture leads a session of its own and stays.
        self._kill_group()
        self.process = None
        return code

    def plan_restart(self) -> float:
        """Set when to start again after a death or a start that failed; returns the seconds until then."""
        now = time.monotonic()
        if now - self._started_at >= _HEALTHY_AFTER_SECONDS:
            self.deaths_in_a_row = 0
        self.deaths_in_a_row += 1
        wait = 0.0
        if self.deaths_in_a_row > 1:
            wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** (self.deaths_in_a_row - 2))
        self.start_at = now + wait
        return wait

    def terminate(self) -> None:
        """Ask it to end."""
        self.start_at = None
        if self.is_running and self.process is not None:
            self.process.terminate()

    def kill(self, *, patience_seconds: float = 2.0) -> bool:
        """End it and what it left in its process group; False when it is still there after that time.

        Even KILL waits while a process waits for a disk that does not answer.
        """
        if self.is_running and self.process is not None:
            self._kill_group()
            try:
                self.process.wait(timeout=patience_seconds)
            except subprocess.TimeoutExpired:
                return False
        return True

    def _kill_group(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


def in_words(code: int) -> str:
    """An exit code as a person reads it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name.removeprefix('SIG')}"
    except ValueError:
        return f"signal {-code}"
