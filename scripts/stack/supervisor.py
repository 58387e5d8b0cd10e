"""Keeps the parts of one machine alive until it is told to stop, then leaves no process behind.

One thread: it sleeps until a part ends, a signal comes or the next restart is due.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from scripts.stack import leftovers, logs
from scripts.stack.part import Part, Plan, in_words

# Together under the 15 s after which a stop has failed.
_STOP_SECONDS = 9.0
_STOP_BASE_SECONDS = 3.0
# After KILL: looked at again, each time for longer.
_KILL_SECONDS = (0.2, 0.5, 1.0)
_ROTATE_EVERY_SECONDS = 10.0
# A part that keeps dying is told of at first and then once in so many deaths.
_TOLD_DEATHS = 5
_TOLD_EVERY = 10


class Supervisor:
    """Parts of one DATA_DIR. `say` prints one line for the person at the terminal."""

    def __init__(self, data_dir: Path, env: Mapping[str, str], *, say: Callable[[str], None] = print) -> None:
        self.data_dir = data_dir
        self.log_dir = data_dir / "logs"
        self.parts: list[Part] = []
        self._env = {**env, leftovers.MARK: str(data_dir)}
        self._say = say
        self._stops_asked = 0
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def listen_to_signals(self) -> None:
        """From now on TERM, INT and HUP stop the system, and the end of a child wakes the loop."""
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, self._ask_to_stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup the terminal may go
            signal.signal(signal.SIGHUP, self._ask_to_stop)

    def _ask_to_stop(self, *_: object) -> None:
        self._stops_asked += 1

    @property
    def is_stopping(self) -> bool:
        return self._stops_asked > 0

    def start(self, plans: Iterable[Plan]) -> None:
        """Start these parts, those with a later start when it is due."""
        for plan in plans:
            part = Part(plan, log=self.log_dir / f"{plan.name}.log", env=self._env)
            self.parts.append(part)
            if plan.start_after_seconds:
                part.start_at = time.monotonic() + plan.start_after_seconds
            else:
                self._begin(part)

    def run(self, on_tick: Callable[[], float | None]) -> None:
        """Watch until a stop is asked; `on_tick` returns in how many seconds it wants to be called again."""
        rotate_at = time.monotonic() + _ROTATE_EVERY_SECONDS
        while not self.is_stopping:
            self._restart_dead_parts()
            now = time.monotonic()
            if now >= rotate_at:
                self._rotate_logs()
                rotate_at = now + _ROTATE_EVERY_SECONDS
            asked = on_tick()
            due = [part.start_at for part in self.parts if part.start_at is not None]
            wakes = [rotate_at, *due] + ([now + asked] if asked is not None else [])
            self._sleep(min(wakes) - time.monotonic())

    def _sleep(self, seconds: float) -> None:
        select.select([self._wake], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)

    def _restart_dead_parts(self) -> None:
        for part in self.parts:
            code = part.take_exit()
            if code is not None:
                wait = part.plan_restart()
                self._tell_death(part, code, wait)
            if part.start_at is not None and part.start_at <= time.monotonic():
                self._begin(part)

    def _begin(self, part: Part) -> None:
        """Start it; a machine that has no room for it now may have some later, and the other parts go on."""
        try:
            part.start()
        except OSError as error:
            self._tell(part, f"could not be started ({error.strerror or error})", part.plan_restart())

    def _tell_death(self, part: Part, code: int, wait: float) -> None:
        self._tell(part, f"ended ({in_words(code)}{_again(part)})", wait, last=logs.last_line(part.log))

    def _tell(self, part: Part, what: str, wait: float, *, last: str = "") -> None:
        deaths = part.deaths_in_a_row
        if deaths > _TOLD_DEATHS and deaths % _TOLD_EVERY:
            return
        when = f"in {wait:g} s" if wait else "at once"
        self._say(f"{part.plan.name} {what}; starting it again {when}. {last}".rstrip())

    def _rotate_logs(self) -> None:
        for path in self.log_dir.glob("*.log"):
            # A full disk must not end the supervisor: the log stays as it is until there is room.
            with contextlib.suppress(OSError):
                logs.rotate(path)

    def stop(self) -> None:
        """Stop everything: first what leans on others, then the rest, then whatever is still there."""
        self._stops_asked = max(1, self._stops_asked)
        self._end([part for part in self.parts if not part.plan.is_base], _STOP_SECONDS)
        self._end([part for part in self.parts if part.plan.is_base], _STOP_BASE_SECONDS)
        leftovers.end(self.data_dir, with_captures=True, patience_seconds=0.5)

    def _end(self, parts: list[Part], patience_seconds: float) -> None:
        for part in parts:
            part.terminate()
        deadline = time.monotonic() + patience_seconds
        asked_before = self._stops_asked
        while any(part.is_running for part in parts):
            for part in parts:
                part.take_exit()
            # A second Ctrl-C means now.
            if time.monotonic() > deadline or self._stops_asked > asked_before:
                break
            self._sleep(0.1)
        for part in parts:
            if part.is_running:
                self._say(f"{part.plan.name} did not stop in {patience_seconds:g} s and was killed.")
        self._kill(parts)

    def _kill(self, parts: list[Part]) -> None:
        for patience_seconds in _KILL_SECONDS:
            each = patience_seconds / max(1, len(parts))  # they die at the same time
            parts = [part for part in parts if not part.kill(patience_seconds=each)]
        for part in parts:
            self._say(f"{part.plan.name} does not end even when killed: does a disk not answer? It is left.")


def _again(part: Part) -> str:
    return f", {part.deaths_in_a_row} times in a row" if part.deaths_in_a_row > 1 else ""
