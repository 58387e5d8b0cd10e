"""run.json: what a run is, beside its files, so that the index can be rebuilt and a running capture adopted.
Written whole and by rename only; it must never hold an address or a password.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cctv.storage import paths


@dataclass(frozen=True, slots=True)
class RunFile:
    """The facts of one run. `pid_started` is field 22 of /proc/<pid>/stat (clock ticks since boot);
    `epoch_ms` is the -output_ts_offset given to ffmpeg; `mapping` is a list of (content_ms, offset_ms),
    wall = content + offset. `revision` is that of the stream: another one means another address or login."""

    run: str
    camera_id: int
    stream_id: int
    kind: str = "main"
    node: str = ""
    ordinal: int = 0
    fence: int = 0
    revision: int = 0
    pid: int | None = None
    pid_started: int | None = None
    epoch_ms: int = 0
    mapping: list[tuple[int, int]] = field(default_factory=list)
    video_codec: str | None = None
    audio_codec: str | None = None
    width: int | None = None
    height: int | None = None
    init_sha256: str | None = None
    init_size: int | None = None
    ended_cause: str | None = None


_NAMES = frozenset(entry.name for entry in fields(RunFile))
_NUMBERS = ("camera_id", "stream_id", "ordinal", "fence", "revision", "epoch_ms")
_LATER_NUMBERS = ("width", "height", "init_size")  # null until the first picture
_LATER_TEXTS = ("video_codec", "audio_codec", "init_sha256", "ended_cause")


def write_run(run_directory: Path, run: RunFile, *, durable: bool = True) -> None:
    """Replace run.json in one step; `durable` also waits for the disk. OSError when the disk refuses."""
    target = paths.run_file(run_directory)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, json.dumps(asdict(run), separators=(",", ":")).encode())
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(target)
    if durable:
        directory = os.open(run_directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def read_run(run_directory: Path) -> RunFile | None:
    """The run of a directory; None when run.json is missing or damaged. Unknown entries are ignored."""
    try:
        content = json.loads(paths.run_file(run_directory).read_bytes())
        return _from_json(content)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def update_run(run_directory: Path, *, durable: bool = True, **changes: Any) -> RunFile | None:
    """Read, change and replace; None when there is nothing readable to change. One writer at a time (the
    owner)."""
    run = read_run(run_directory)
    if run is None:
        return None
    run = replace(run, **changes)
    write_run(run_directory, run, durable=durable)
    return run


def _from_json(content: Any) -> RunFile:
    if not isinstance(content, dict):
        raise ValueError("not an object")
    values = {name: value for name, value in content.items() if name in _NAMES}
    paths.parse_run_key(values["run"])
    for name in _NUMBERS:
        if name in values and (isinstance(values[name], bool) or not isinstance(values[name], int)):
            raise ValueError(f"{name} is not a number")
    for names, kind in ((_LATER_NUMBERS, int), (_LATER_TEXTS, str)):
        if any(not isinstance(values.get(name), kind | None) for name in names):
            raise ValueError("an entry is of another kind")
    mapping = [(int(content_ms), int(offset_ms)) for content_ms, offset_ms in values.get("mapping", [])]
    return RunFile(**{**values, "mapping": mapping})
