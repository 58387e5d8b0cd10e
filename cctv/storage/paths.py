"""The only place that spells a path below MEDIA_DIR; everything else asks here with ids.
It takes no names that people type and must never build a path from text that is not a checked run key.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import NamedTuple

MARKER_NAME = ".cctv-volume"
RESERVE_NAME = ".reserve"
RUN_FILE_NAME = "run.json"
LOG_NAME = "ffmpeg.log"
SEGMENT_PATTERN = "%05d.mp4"  # ffmpeg's template; the only % in the whole path

_RUN_KEY = re.compile(r"([1-9][0-9]{0,9})-([0-9]{9,11})-([0-9a-f]{4})", re.ASCII)
_SEGMENT_NAME = re.compile(r"([0-9]{5,8})\.mp4", re.ASCII)
_LARGEST_ID = 2**31 - 1


class RunKey(NamedTuple):
    """The parts of a run key; `epoch_s` is the wall clock second in which the run was begun."""

    stream_id: int
    epoch_s: int
    suffix: str


def new_run_key(stream_id: int, epoch_s: int) -> str:
    """A key that no other run has; needs no database. ValueError for impossible numbers."""
    key = f"{_checked(stream_id)}-{epoch_s:d}-{secrets.token_hex(2)}"
    parse_run_key(key)
    return key


def parse_run_key(text: str) -> RunKey:
    """The parts of a run key; ValueError for anything else, whatever it is."""
    match = _RUN_KEY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a run key")
    return RunKey(int(match[1]), int(match[2]), match[3])


def is_run_key(text: str) -> bool:
    return isinstance(text, str) and _RUN_KEY.fullmatch(text) is not None


def _checked(number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _LARGEST_ID:
        raise ValueError("not an id")
    return number


def camera_dir(media_dir: Path, camera_id: int) -> Path:
    return Path(media_dir) / str(_checked(camera_id))


def run_dir(media_dir: Path, camera_id: int, run_key: str) -> Path:
    parse_run_key(run_key)
    return camera_dir(media_dir, camera_id) / run_key


def segment_name(number: int) -> str:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 10**8:
        raise ValueError("not a segment number")
    return f"{number:05d}.mp4"


def segment_path(media_dir: Path, camera_id: int, run_key: str, number: int) -> Path:
    return run_dir(media_dir, camera_id, run_key) / segment_name(number)


def segment_number(name: str) -> int | None:
    """The number in a file name that ffmpeg wrote; None for any other file."""
    match = _SEGMENT_NAME.fullmatch(name)
    return int(match[1]) if match else None


def run_file(run_directory: Path) -> Path:
    return run_directory / RUN_FILE_NAME


def log_path(run_directory: Path) -> Path:
    return run_directory / LOG_NAME


def marker_path(media_dir: Path) -> Path:
    return Path(media_dir) / MARKER_NAME


def reserve_path(media_dir: Path) -> Path:
    return Path(media_dir) / RESERVE_NAME


def list_cameras(media_dir: Path) -> list[int]:
    """The camera ids that have a directory, ascending; foreign names are left out."""
    names = _names(Path(media_dir))
    return sorted(int(name) for name in names if re.fullmatch(r"[1-9][0-9]{0,9}", name, re.ASCII))


def list_runs(media_dir: Path, camera_id: int) -> list[str]:
    """The run keys on disk of a camera, oldest first."""
    keys = [name for name in _names(camera_dir(media_dir, camera_id)) if is_run_key(name)]
    return sorted(keys, key=lambda key: parse_run_key(key)[1:])


def list_segments(media_dir: Path, camera_id: int, run_key: str) -> list[int]:
    """The segment numbers on disk of a run, ascending."""
    names = _names(run_dir(media_dir, camera_id, run_key))
    return sorted(number for name in names if (number := segment_number(name)) is not None)


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are enough, no Path objects
    except (FileNotFoundError, NotADirectoryError):
        return []


def below(root: Path, path: Path) -> Path:
    """`path` resolved, when it truly lies below `root`; ValueError when a link leads elsewhere."""
    resolved = Path(path).resolve()
    if not resolved.is_relative_to(Path(root).resolve()):
        raise ValueError("the path leaves its root")
    return resolved


def open_segment(media_dir: Path, camera_id: int, run_key: str, number: int) -> int:
    """A descriptor for reading, never through a symbolic link; FileNotFoundError when it is gone.

    The directories are made by this program; the check of the whole chain is `below`, for faces that serve
    bytes.
    """
    path = segment_path(media_dir, camera_id, run_key, number)
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
