"""What lies beside the videos of an export: the list of its files in words, and the times as a text track.

Words only; times are those of the site, spelled so that nobody abroad misreads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cctv.clock import from_ms
from cctv.services.export.export_parts import MadeFile, Part

NAME = "index.txt"


@dataclass(frozen=True, slots=True)
class Cover:
    """What the list says of the export as a whole."""

    number: int
    organisation: str
    made_ms: int
    made_by: str
    started_ms: int
    ended_ms: int
    note: str
    zone: ZoneInfo


def text(cover: Cover, files: list[MadeFile], empty: list[str]) -> str:
    """The list of the files; `empty` names cameras of which nothing was recorded."""
    return "\r\n".join([*_head(cover), *_files(cover, files), *_tail(files, empty), ""])


def moment(ms: int, zone: ZoneInfo) -> str:
    """2026-11-22 14:36:00 WET: with the zone, because one hour of a year comes twice."""
    return f"{from_ms(ms).astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def stamps(part: Part, zone: ZoneInfo, name: str) -> Iterator[tuple[int, str]]:
    """(content ticks, text) of every whole second of a part, its first moment included."""
    first = part.started_ms // 1000 * 1000
    for ms in range(first, part.ended_ms, 1000):
        yield part.found.ticks_at(max(ms, part.started_ms)), f"{name}  {moment(ms, zone)}"


def _head(cover: Cover) -> list[str]:
    lines = [
        f"Export {cover.number}" + (f" of {cover.organisation}" if cover.organisation else ""),
        "",
        f"Made       {moment(cover.made_ms, cover.zone)}" + (f" by {cover.made_by}" if cover.made_by else ""),
        f"Asked for  {moment(cover.started_ms, cover.zone)} to {moment(cover.ended_ms, cover.zone)}",
        f"Time zone  {cover.zone.key}: all times here are of the site",
    ]
    return [*lines, *([f"Note       {cover.note}"] if cover.note else []), ""]


def _files(cover: Cover, files: list[MadeFile]) -> Iterator[str]:
    for file in files:
        yield file.name
        yield f"  Camera   {file.camera_name}"
        yield f"  From     {moment(file.started_ms, cover.zone)}"
        yield f"  To       {moment(file.ended_ms, cover.zone)}"
        yield f"  Plays    {_length(file.duration_ms)}"
        yield f"  Size     {file.size_bytes:,} bytes"
        yield f"  SHA-256  {file.sha256}"
        for start, end, why in file.missing:
            yield f"  Missing  {moment(start, cover.zone)} to {moment(end, cover.zone)}: {why}"
        yield ""


def _tail(files: list[MadeFile], empty: list[str]) -> list[str]:
    lines = [f"{name}: nothing was recorded in this time." for name in empty]
    if lines:
        lines.append("")
    if files:
        lines += [
            "Pictures and sound are those that the camera sent, not changed and not compressed again.",
            "To check a file: sha256sum FILE (Linux), shasum -a 256 FILE (Mac),",
            "Get-FileHash FILE (Windows). The result must be the SHA-256 above.",
        ]
    return lines


def _length(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
