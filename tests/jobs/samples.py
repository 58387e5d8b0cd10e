"""Small jobs for the tests of the workers."""

from __future__ import annotations

import os
import time
from pathlib import Path


def write(path: str) -> None:
    """Leave a mark: this job ran, in the process of this id."""
    Path(path).write_text(str(os.getpid()))


def stay(path: str) -> None:
    """Leave the mark and go on for long."""
    write(path)
    time.sleep(300)
