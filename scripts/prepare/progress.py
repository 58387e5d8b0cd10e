"""Lines that tell a person which step runs and how long it took, and running programs quietly.

What a program prints goes to one log file and is shown only when it fails; never more than its last lines.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
LOG = ROOT / ".cache" / "set-up.log"
_LINES_SHOWN_ON_FAILURE = 15


class SetUpError(Exception):
    """A step that cannot be done here; the sentence says what a person can do."""


class Steps:
    """Numbered steps on standard output: `[2/4] Python packages ... 18 s`."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0
        self.remark = ""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step; what it did is `remark`, or the time it took, or that nothing was missing."""
        self.number += 1
        self.remark = ""
        print(f"[{self.number}/{self.total}] {title} ... ", end="", flush=True)
        began = time.monotonic()
        try:
            yield
        except BaseException:
            print("failed", flush=True)
            raise
        seconds = time.monotonic() - began
        took = f"{seconds:.0f} s" if seconds >= 1 else "ready"
        print(f"{self.remark}, {took}" if self.remark else took, flush=True)


def run(argv: Sequence[str]) -> None:
    """Run a program of the set-up; its output goes to the log.

    Raises:
        SetUpError: it failed; the message holds the last lines that it printed.
    """
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(argv)}\n".encode())
        log.flush()
        start = log.tell()
        try:
            code = subprocess.call(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except OSError as error:
            raise SetUpError(f"{argv[0]} cannot be started: {error}") from error
    if code != 0:
        with LOG.open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").splitlines()[-_LINES_SHOWN_ON_FAILURE:]
        said = "\n".join(f"    {line}" for line in lines)
        raise SetUpError(f"`{' '.join(argv[:4])} ...` failed with {code} (all of it in {LOG}):\n{said}")


def fail(message: object) -> int:
    """Print why the command ends and return its exit code."""
    print(f"\n{message}", file=sys.stderr, flush=True)
    return 1
