"""Writes HLS playlists (RFC 8216 and rfc8216bis) from small dataclasses: plain live, low latency,
recorded, master. Pure text; which cells exist, and what their addresses are, is decided by the callers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Part:
    """A fragment as a partial segment (bis, 4.4.4.9). `is_independent`: begins with a key frame."""

    uri: str
    duration_s: float
    is_independent: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One Media Segment. `started_ms` is the wall clock of its earliest sample over all tracks (what
    players take as its start). `ordinal` counts the runs of the stream; a gap carries that of the run
    before it. A gap has no media, its `uri` is never fetched. `byte_range` is (length, offset)."""

    uri: str
    duration_s: float
    started_ms: int
    ordinal: int
    map_uri: str = ""
    map_size: int = 0
    is_gap: bool = False
    byte_range: tuple[int, int] | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One quality for the master playlist; `bits_per_second` is its peak, `codecs` as in RFC 6381."""

    uri: str
    bits_per_second: int
    codecs: str
    width: int = 0
    height: int = 0
    frames_per_second: float = 0.0


def live(cells: Sequence[Cell], *, sequence: int, target_s: int | None = None) -> str:
    """Plain live playlist. `sequence` is that of the first cell; DISCONTINUITY-SEQUENCE is its run's
    ordinal, so that both are the same in every process without a counter. Cells must not be empty."""
    lines = _head(7, cells, sequence=sequence, target_s=target_s)
    lines += _cells(cells)
    return _text(lines)


def low_latency(
    cells: Sequence[Cell],
    *,
    sequence: int,
    part_target_s: float,
    open_parts: Sequence[Part] = (),
    open_cell: Cell | None = None,
    hint_uri: str = "",
    target_s: int | None = None,
    hold_back_parts: float = 3.0,
) -> str:
    """Low-latency playlist: `cells` with their recent parts, then the parts of the cell that is still
    growing, then the address of the part that comes next (bis, 4.4.5.3), which the server answers when it
    exists.

    `open_cell` tells run, map and time of the growing cell; its `uri` is not listed yet. No part may be
    longer than `part_target_s` (bis, 4.4.3.7).
    """
    shown = [*cells, *([open_cell] if open_cell else [])]
    parts = [part for cell in cells for part in cell.parts] + list(open_parts)
    longest = max([part_target_s, *(part.duration_s for part in parts)])
    # Players sit this far behind the end: at least two part targets, three are recommended (bis, 4.4.3.8).
    control = f"CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={_decimal(longest * hold_back_parts)}"
    lines = _head(9, shown, sequence=sequence, target_s=target_s)
    lines.insert(3, f"#EXT-X-SERVER-CONTROL:{control}")
    lines.insert(4, f"#EXT-X-PART-INF:PART-TARGET={_decimal(longest)}")
    lines += _cells(cells)
    if open_cell is not None:
        lines += _prelude(open_cell, cells[-1] if cells else None, _last_map(cells))
        lines += map(_part, open_parts)
    if hint_uri:
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{_safe(hint_uri)}"')
    return _text(lines)


def recorded(cells: Sequence[Cell], *, is_finished: bool = True, target_s: int | None = None) -> str:
    """Recorded footage: VOD, or EVENT while more is still being recorded (RFC 8216, 4.3.3.5). Each change
    of `ordinal` is a discontinuity whatever its size, because a day may show run 3 and then run 90."""
    lines = _head(7, cells, sequence=0, target_s=target_s, discontinuity_sequence=0)
    lines.insert(3, f"#EXT-X-PLAYLIST-TYPE:{'VOD' if is_finished else 'EVENT'}")
    lines += _cells(cells, single_steps=True)
    if is_finished:
        lines.append("#EXT-X-ENDLIST")
    return _text(lines)


def master(variants: Iterable[Variant]) -> str:
    """Multivariant playlist; the first variant is what players begin with."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7"]
    for variant in variants:
        attributes = [f"BANDWIDTH={variant.bits_per_second:d}", f'CODECS="{_safe(variant.codecs)}"']
        if variant.width and variant.height:
            attributes.append(f"RESOLUTION={variant.width:d}x{variant.height:d}")
        if variant.frames_per_second:
            attributes.append(f"FRAME-RATE={variant.frames_per_second:.3f}")
        lines += [f"#EXT-X-STREAM-INF:{','.join(attributes)}", _safe(variant.uri)]
    return _text(lines)


def _head(
    version: int,
    cells: Sequence[Cell],
    *,
    sequence: int,
    target_s: int | None,
    discontinuity_sequence: int | None = None,
) -> list[str]:
    # Rounded to the nearest integer, no segment may be longer (RFC 8216, 4.3.3.1).
    longest = max((math.floor(cell.duration_s + 0.5) for cell in cells), default=1)
    first = cells[0].ordinal if cells else 0
    number = first if discontinuity_sequence is None else discontinuity_sequence
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{version}",
        f"#EXT-X-TARGETDURATION:{max(1, longest, target_s or 0)}",
        f"#EXT-X-MEDIA-SEQUENCE:{sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{number}",
    ]


def _cells(cells: Sequence[Cell], *, single_steps: bool = False) -> list[str]:
    lines: list[str] = []
    before: Cell | None = None
    shown_map = ""
    for cell in cells:
        lines += _prelude(cell, before, shown_map, single_steps=single_steps)
        shown_map = cell.map_uri or shown_map
        lines += map(_part, cell.parts)
        lines.append(f"#EXTINF:{_decimal(cell.duration_s)},")
        if cell.is_gap:
            lines.append("#EXT-X-GAP")
        if cell.byte_range:
            lines.append(f"#EXT-X-BYTERANGE:{cell.byte_range[0]}@{cell.byte_range[1]}")
        lines.append(_safe(cell.uri))
        before = cell
    return lines


def _prelude(cell: Cell, before: Cell | None, shown_map: str, *, single_steps: bool = False) -> list[str]:
    """What stands before a cell: one DISCONTINUITY for each run since the cell before, so that
    DISCONTINUITY-SEQUENCE, which is the ordinal, grows by the number of tags that leave (RFC 8216, 6.2.2)."""
    lines: list[str] = []
    if before is not None and cell.ordinal != before.ordinal:
        steps = 1 if single_steps else max(1, cell.ordinal - before.ordinal)
        lines += ["#EXT-X-DISCONTINUITY"] * steps
    if cell.map_uri and cell.map_uri != shown_map:
        size = f',BYTERANGE="{cell.map_size}@0"' if cell.map_size else ""
        lines.append(f'#EXT-X-MAP:URI="{_safe(cell.map_uri)}"{size}')
    moment = datetime.fromtimestamp(cell.started_ms / 1000, UTC)
    lines.append(
        f"#EXT-X-PROGRAM-DATE-TIME:{moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"
    )
    return lines


def _last_map(cells: Sequence[Cell]) -> str:
    return next((cell.map_uri for cell in reversed(cells) if cell.map_uri), "")


def _part(part: Part) -> str:
    independent = ",INDEPENDENT=YES" if part.is_independent else ""
    return f'#EXT-X-PART:DURATION={_decimal(part.duration_s)},URI="{_safe(part.uri)}"{independent}'


def _decimal(seconds: float) -> str:
    return f"{seconds:.5f}"


def _safe(text: str) -> str:
    """A quote or line break would end the attribute or the line; addresses of ours never hold one."""
    if any(sign in text for sign in '"\r\n') or text.startswith("#"):
        raise ValueError("not fit for a playlist")
    return text


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
