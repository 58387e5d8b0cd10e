"""What comparing pictures remembers between two looks at a camera: one small file a camera in DATA_DIR.

Only a convenience: without it, or with a damaged one, the look begins anew a few pictures earlier.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cctv.media.motion import HEIGHT, WIDTH, Change, Memory, restored

_FORMAT = 2  # raise it when the arithmetic of motion.py remembers something else


@dataclass(slots=True)
class Kept:
    """A memory with what it is of: the stream, and the moment up to which its pictures were looked at."""

    stream_id: int
    seen_ms: int
    memory: Memory


def load(data_dir: Path, camera_id: int) -> Kept | None:
    """What was kept; None when there is nothing that can be used."""
    try:
        with np.load(_path(data_dir, camera_id), allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            if facts["format"] != _FORMAT or stored["before"].shape != (HEIGHT, WIDTH):
                return None
            changes = [Change(**change) for change in facts["changes"]]
            memory = restored(stored["before"], stored["unrest"], facts["before_ms"], changes)
            return Kept(facts["stream_id"], facts["seen_ms"], memory)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def save(data_dir: Path, camera_id: int, kept: Kept) -> None:
    """Replace what was kept, by rename. OSError when the disk refuses."""
    memory = kept.memory
    if memory.before is None:
        return
    facts = {
        "format": _FORMAT,
        "stream_id": kept.stream_id,
        "seen_ms": kept.seen_ms,
        "before_ms": memory.before_ms,
        "changes": [asdict(change) for change in memory.changes],
    }
    path = _path(data_dir, camera_id)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    aside = path.with_suffix(".new")
    with aside.open("wb") as file:
        np.savez(
            file,
            facts=np.array(json.dumps(facts)),
            before=np.clip(memory.before, 0, 255).astype(np.uint8),
            unrest=memory.unrest.astype(np.float16),
        )
    aside.replace(path)


def forget(data_dir: Path, camera_id: int) -> None:
    """Begin anew with the next look."""
    for path in (_path(data_dir, camera_id), _trying_path(data_dir, camera_id)):
        with contextlib.suppress(OSError):
            path.unlink()


def keep_only(data_dir: Path, camera_ids: Iterable[int]) -> None:
    """Forget the other cameras: what is kept holds a picture."""
    kept = {str(camera_id) for camera_id in camera_ids}
    for path in (Path(data_dir) / "activity").glob("*.npz"):
        if path.stem not in kept:
            path.unlink(missing_ok=True)


def begin_try(data_dir: Path, camera_id: int, segment_id: int) -> int:
    """Note that a file is about to be decoded; the number of this try of it, from 1.

    A try that ended, well or not, is taken back by `end_try`: what is counted are those that nobody survived.
    """
    path = _trying_path(data_dir, camera_id)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        before, count = (int(word) for word in path.read_text().split())
    except (OSError, ValueError):
        before, count = 0, 0
    count = count + 1 if before == segment_id else 1
    path.write_text(f"{segment_id} {count}\n")
    return count


def end_try(data_dir: Path, camera_id: int) -> None:
    """The file was decoded or given up."""
    with contextlib.suppress(OSError):
        _trying_path(data_dir, camera_id).unlink()


def _path(data_dir: Path, camera_id: int) -> Path:
    return Path(data_dir) / "activity" / f"{int(camera_id)}.npz"


def _trying_path(data_dir: Path, camera_id: int) -> Path:
    return Path(data_dir) / "activity" / f"{int(camera_id)}.trying"
