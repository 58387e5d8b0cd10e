"""Playing back: playlists over stored files by byte range, and the picture at a moment.

Shows only what somebody wanted, from the key frame before; never bytes, which the face of the media serves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from cctv.clock import now_ms
from cctv.errors import NotFound, Unavailable
from cctv.intervals import Interval, overlaps
from cctv.media.boxes import Fragment, NotMedia, read_init, scan
from cctv.media.playlists import Cell, recorded
from cctv.models.segment import TICKS_PER_MS
from cctv.services.footage import footage_files
from cctv.services.footage.finding import TOLERANCE_MS, FoundSegment, find_segments
from cctv.services.recording.wanted import wanted
from cctv.storage import paths

LEAST_CELL_S = 4  # shorter ones cost a request each, longer ones make seeking slow
LONGEST_PLAYLIST_MS = 6 * 3_600_000  # 5,400 cells; the page asks for an hour at a time
_LEAST_TICKS = LEAST_CELL_S * 1000 * TICKS_PER_MS
_STEADY_TARGET_S = 10  # of a growing playlist: it must not change, and 4 s plus a group of pictures fits
_LONGEST_FRAGMENT_BYTES = 16 << 20
_HEAD_OF_FRAGMENT_BYTES = 128 * 1024  # its moof; of a copy in the cloud no more is fetched
_FINISHED_AFTER_MS = 120_000  # by then every file of an interval has its row


@dataclass(frozen=True, slots=True)
class Playlist:
    """The text; where wall time lies in it, as (started_ms, ended_ms, position in seconds); and its end.

    `is_finished` False: it grows, ask again. `to_ms`: where it ends; what was asked for beyond is cut off.
    """

    text: str
    positions: list[tuple[int, int, float]]
    duration_s: float
    is_finished: bool
    to_ms: int

    def as_dict(self) -> dict[str, object]:
        """For the page."""
        return {
            "positions": self.positions,
            "duration_s": round(self.duration_s, 3),
            "is_finished": self.is_finished,
            "to_ms": self.to_ms,
        }


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """Where the picture at a moment lies in a file: init [0, init_size), fragment [offset, offset + size)."""

    camera_id: int
    run_key: str
    number: int
    init_size: int
    offset: int
    size: int
    at_ms: int
    video_codec: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes of one file between two key frames; `ticks` counts from the start of the file."""

    found: FoundSegment
    offset: int
    size: int
    ticks: int
    duration_ticks: int

    @property
    def content_ticks(self) -> int:
        return self.found.start_ticks + self.ticks

    @property
    def started_ms(self) -> int:
        return self.found.ms_at(self.content_ticks)

    @property
    def ended_ms(self) -> int:
        return self.found.ms_at(self.content_ticks + self.duration_ticks)


def playlist(camera_id: int, start_ms: int, end_ms: int, *, at_ms: int | None = None) -> Playlist:
    """The HLS playlist of [start_ms, end_ms); addresses are `<run_key>/<number>.mp4`, relative to it.

    While the interval reaches now it is an EVENT playlist that grows when asked for again, up to the last
    whole group of pictures; afterwards VOD. At most LONGEST_PLAYLIST_MS of it.

    Raises:
        NotFound: nothing was recorded in that time.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    end_ms = min(end_ms, start_ms + LONGEST_PLAYLIST_MS)
    is_finished = end_ms <= at_ms - _FINISHED_AFTER_MS
    shown = wanted(camera_id, start_ms, end_ms)
    found = find_segments(camera_id, start_ms, end_ms) if shown else []
    pieces = [piece for entry in found for piece in _pieces(entry, shown)]
    if not pieces:
        raise NotFound("Nothing was recorded in this time.")
    blocks = list(_blocks(pieces))
    cells = _cells(blocks)
    target_s = None if is_finished else max(_STEADY_TARGET_S, *(round(cell.duration_s) for cell in cells))
    return Playlist(
        text=recorded(cells, is_finished=is_finished, target_s=target_s),
        positions=_positions(blocks),
        duration_s=sum(cell.duration_s for cell in cells),
        is_finished=is_finished,
        to_ms=end_ms,
    )


def key_frame_at(camera_id: int, ms: int) -> KeyFrame:
    """The newest key frame at or before a recorded moment, in the file that holds it.

    Raises:
        NotFound: nothing was recorded then, or its file is gone.
        Unavailable: it is only in the cloud, which cannot be read now.
    """
    found = find_segments(camera_id, ms, ms + 1) if wanted(camera_id, ms, ms + 1) else []
    entry = next((entry for entry in found if entry.from_ms <= ms < entry.to_ms), None)
    if entry is None:
        raise NotFound("Nothing was recorded at this time.")
    ticks = entry.ticks_at(ms) - entry.start_ticks
    gops = entry.list_gops()
    before = [gop for gop in gops if gop[1] <= ticks] or gops[:1]
    fragment = _first_fragment(entry, before[-1][0]) if before else None
    if fragment is None:
        raise NotFound("The file of this time is missing or damaged.")
    return KeyFrame(
        camera_id=camera_id,
        run_key=entry.run_key,
        number=entry.number,
        init_size=entry.init_size,
        offset=fragment.offset,
        size=fragment.size,
        at_ms=entry.ms_at(entry.start_ticks + before[-1][1]),
        video_codec=entry.video_codec,
    )


def _pieces(entry: FoundSegment, shown: list[Interval]) -> Iterator[_Piece]:
    """The shown groups of pictures of a file, joined to at least LEAST_CELL_S.

    Of a file that is still written only what cannot change any more: not its last group of pictures, nor a
    piece that is still short.
    """
    group: list[_Piece] = []
    for gop in _groups_of_pictures(entry):
        begin, end = max(gop.started_ms, entry.from_ms), min(gop.ended_ms, entry.to_ms)
        if end <= begin or not overlaps(shown, begin, end):
            if group:
                yield _joined(group)
            group = []
            continue
        group.append(gop)
        if sum(one.duration_ticks for one in group) >= _LEAST_TICKS:
            yield _joined(group)
            group = []
    if group and not entry.is_open:
        yield _joined(group)


def _groups_of_pictures(entry: FoundSegment) -> Iterator[_Piece]:
    starts = entry.list_gops()
    ends = starts[1:] if entry.is_open else [*starts[1:], (entry.size_bytes, entry.duration_ticks)]
    for (offset, ticks), (end_offset, end_ticks) in zip(starts, ends, strict=False):
        if end_ticks > ticks and end_offset > offset:
            yield _Piece(entry, offset, end_offset - offset, ticks, end_ticks - ticks)


def _joined(group: list[_Piece]) -> _Piece:
    first, last = group[0], group[-1]
    return _Piece(
        first.found,
        first.offset,
        last.offset + last.size - first.offset,
        first.ticks,
        last.ticks + last.duration_ticks - first.ticks,
    )


def _blocks(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces that play through; between blocks the run changes or time jumps, which is a discontinuity."""
    block: list[_Piece] = []
    for piece in pieces:
        if block and not _plays_through(block[-1], piece):
            yield block
            block = []
        block.append(piece)
    yield block


def _plays_through(before: _Piece, piece: _Piece) -> bool:
    step_ticks = piece.content_ticks - before.content_ticks - before.duration_ticks
    return before.found.run_key == piece.found.run_key and abs(step_ticks) <= TOLERANCE_MS * TICKS_PER_MS


def _cells(blocks: list[list[_Piece]]) -> list[Cell]:
    maps: dict[str, str] = {}
    cells = []
    for ordinal, block in enumerate(blocks):
        for piece in block:
            uri = f"{piece.found.run_key}/{paths.segment_name(piece.found.number)}"
            cells.append(
                Cell(
                    uri=uri,
                    duration_s=piece.duration_ticks / (TICKS_PER_MS * 1000),
                    started_ms=piece.started_ms - (_lead_ms(piece) if piece is block[0] else 0),
                    ordinal=ordinal,
                    map_uri=maps.setdefault(piece.found.run_key, uri),  # equal in all files of the run
                    map_size=piece.found.init_size,
                    byte_range=(piece.size, piece.offset),
                )
            )
    return cells


def _positions(blocks: list[list[_Piece]]) -> list[tuple[int, int, float]]:
    positions, at_s = [], 0.0
    for block in blocks:
        positions.append((block[0].started_ms, block[-1].ended_ms, round(at_s, 3)))
        at_s += sum(piece.duration_ticks for piece in block) / (TICKS_PER_MS * 1000)
    return positions


def _lead_ms(piece: _Piece) -> int:
    """By how much the sound begins before the picture. Players take the earlier one as the start of a cell; a
    run may begin with a quarter of a second of it, later cells differ by less than a frame of sound."""
    try:
        fragment = _first_fragment(piece.found, piece.offset)
    except Unavailable:  # only in the cloud, which is away: the pieces themselves will say so
        fragment = None
    if fragment is None:
        return 0
    return max(0, fragment.start_ticks - fragment.min_start_ticks) // TICKS_PER_MS


def _first_fragment(entry: FoundSegment, offset: int) -> Fragment | None:
    """The fragment at an offset of a file, or None when it is not there (any more)."""
    try:
        descriptor = footage_files.open_part(
            entry.camera_id, entry.run_key, entry.number, offset, _HEAD_OF_FRAGMENT_BYTES
        )
    except NotFound:
        return None
    try:
        end = min(entry.size_bytes, offset + _LONGEST_FRAGMENT_BYTES)
        found = scan(descriptor, read_init(descriptor), offset, end=end)
    except (OSError, NotMedia):
        return None
    finally:
        os.close(descriptor)
    return found[0] if found and found[0].offset == offset else None
