"""One log file a part, bounded in size. Parts write to it themselves; nothing here reads what they say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MAX_BYTES = 5_000_000
_KEPT = 3


def open_log(path: Path) -> int:
    """A descriptor for a part's output; appending, so that the file may be cut while it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def rotate(path: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Move the content aside when there is too much of it: name.log -> name.log.1 -> .2 -> .3.

    Copied and cut rather than renamed: the writer keeps its descriptor and no pipe is between us that
    could fill or die with us. A line written between the two steps may be lost.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return
    except FileNotFoundError:
        return
    for number in range(_KEPT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def last_line(path: Path, *, max_chars: int = 160) -> str:
    """The last line that a part printed, to say in one line why it ended."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return said[:max_chars]
