"""Where the files of exports lie, how they are called when taken home, and the room that they may use.

Files are found by the number of their export only; no name that a person typed becomes part of a path.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from cctv import config
from cctv.clock import from_ms
from cctv.extensions import db
from cctv.models import Export, ExportState
from cctv.storage import disk

MARGIN_BYTES = 1_000_000_000  # an export leaves so much free, or a twentieth of a small disk
_MARGIN_SHARE = 0.05
MOST_SHARE = 0.25  # of the disk for all exports together: footage must not go for them
SHARE_OF_ONE = 0.25  # of that, for somebody who exports only some cameras: the others need room as well
_UNDER_WAY = (ExportState.QUEUED, ExportState.RUNNING)
_NO_WORD = re.compile(r"[^\w.]+", re.UNICODE)
_OURS = re.compile(r"([1-9][0-9]{0,9})\.(?:mp4|zip|part)|fetched-[0-9a-f]{16}\.part")


class Room(NamedTuple):
    """Bytes for another export: `free_bytes` on the disk, `share_bytes` of what exports may take at all."""

    free_bytes: int
    share_bytes: int

    @property
    def most_bytes(self) -> int:
        """The largest export that can be made now."""
        return max(0, min(self.free_bytes, self.share_bytes))


def folder() -> Path:
    """The directory of this machine's exports, made when missing."""
    found = config.current().data_dir / "exports"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def path_of(export: Export) -> Path:
    """The finished file."""
    return folder() / f"{export.id}.{'zip' if (export.file_name or '').endswith('.zip') else 'mp4'}"


def unfinished_path(export_id: int) -> Path:
    """The file while it is made."""
    return folder() / f"{export_id}.part"


def fetched_path() -> Path:
    """A new place for a file out of the bucket while it is read."""
    return folder() / f"fetched-{secrets.token_hex(8)}.part"


def remove(export_id: int) -> None:
    """Remove whatever there is of an export. OSError when the disk refuses."""
    for kind in ("part", "mp4", "zip"):
        disk.unlink(folder() / f"{export_id}.{kind}")


def list_files() -> Iterable[tuple[int, Path]]:
    """(number of the export, path) of every file here; 0: fetched for one. Foreign names are left out."""
    for path in folder().iterdir():
        match = _OURS.fullmatch(path.name)
        if match:
            yield int(match[1] or 0), path


def room(node_id: int | None, *, user_id: int | None = None) -> Room:
    """What another export may take on this machine. What is being made counts with its estimate.

    `user_id`: of a person who has only a part of the share.
    """
    usage = disk.usage(folder())
    sizes = (
        select(Export.state, func.sum(func.coalesce(Export.size_bytes, Export.estimated_bytes)))
        .where(Export.state.in_([*_UNDER_WAY, ExportState.READY]), Export.node_id == node_id)
        .group_by(Export.state)
    )
    taken = {state: int(size or 0) for state, size in db.session.execute(sizes)}
    share = int(usage.total_bytes * MOST_SHARE)
    left = share - sum(taken.values())
    if user_id is not None:
        own = db.session.execute(sizes.where(Export.user_id == user_id))
        left = min(left, int(share * SHARE_OF_ONE) - sum(int(size or 0) for _, size in own))
    promised = sum(taken.get(state, 0) for state in _UNDER_WAY)
    free = usage.free_bytes - margin(usage.total_bytes) - promised
    return Room(free, left)


def margin(total_bytes: int) -> int:
    """What stays free on a disk of that size."""
    return min(MARGIN_BYTES, int(total_bytes * _MARGIN_SHARE))


def video_name(camera_name: str, start_ms: int, end_ms: int, zone: ZoneInfo) -> str:
    """Front-gate_2026-11-22_14-36-00_15-06-00.mp4, in site time."""
    return f"{plain(camera_name)}_{_span(start_ms, end_ms, zone)}.mp4"


def zip_name(camera_names: list[str], start_ms: int, end_ms: int, zone: ZoneInfo) -> str:
    """As of a video; several cameras by their number."""
    what = plain(camera_names[0]) if len(camera_names) == 1 else f"{len(camera_names)}-cameras"
    return f"{what}_{_span(start_ms, end_ms, zone)}.zip"


def plain(text: str) -> str:
    """A name for files on any system: letters, digits and hyphens."""
    return _NO_WORD.sub("-", text).strip("-._")[:60] or "camera"


def _span(start_ms: int, end_ms: int, zone: ZoneInfo) -> str:
    start, end = (from_ms(ms).astimezone(zone) for ms in (start_ms, end_ms))
    until = f"{end:%H-%M-%S}" if start.date() == end.date() else f"{end:%Y-%m-%d_%H-%M-%S}"
    return f"{start:%Y-%m-%d_%H-%M-%S}_{until}"
