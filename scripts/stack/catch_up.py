"""The preflight as a process of its own, and once more for a database that was away at the start.

Without this a system that came up before its database would serve a database without tables for ever.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from scripts.stack.preflight import Facts

PREFLIGHT = (sys.executable, "-m", "scripts.stack.preflight")
_EVERY_SECONDS = 5.0


def read_facts(code: int, printed: str) -> Facts:
    """What a preflight found; a refusal when it failed in a way that it did not foresee."""
    if code != 0:
        return Facts(refusal="The configuration or the database cannot be used; the reason stands above.")
    return Facts(**json.loads(printed.splitlines()[-1]))


class CatchUp:
    """Asks again every few seconds until the database is up to date; `on_done` gets the set-up link."""

    def __init__(self, env: Mapping[str, str], *, on_done: Callable[[str], None]) -> None:
        self._env = env
        self._on_done = on_done
        self._process: subprocess.Popen[str] | None = None
        self._next_at = time.monotonic() + _EVERY_SECONDS
        self._is_done = False

    def tick(self) -> float | None:
        """Look once; returns when to look again, None when there is nothing left to do."""
        if self._is_done:
            return None
        if self._process is None:
            if time.monotonic() >= self._next_at:
                self._process = subprocess.Popen(
                    [*PREFLIGHT, "--again"],
                    env=dict(self._env),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            return 0.5
        code = self._process.poll()
        if code is None:
            return 0.5
        # A few hundred bytes: they fit into the pipe, so that nobody had to read meanwhile.
        printed = self._process.stdout.read() if self._process.stdout else ""
        self._process = None
        self._next_at = time.monotonic() + _EVERY_SECONDS
        facts = read_facts(code, printed)
        if not facts.warning and not facts.refusal:
            self._is_done = True
            self._on_done(facts.setup_path)
        return 0.5
