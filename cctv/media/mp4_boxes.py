"""Spells the boxes of a plain MP4 file with its index in front (ISO/IEC 14496-12, 14496-14; 3GPP TS 26.245).

Bytes only: what the samples are and where they lie is said in movie.py.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

MOVIE_TIMESCALE = 1000
FTYP = struct.pack(">I4s4sI", 32, b"ftyp", b"isom", 0x200) + b"isomiso2avc1mp41"
MDAT_HEAD_BYTES = 16  # always the long form, so that the size of the index depends on nothing but the samples
_EPOCH_1904_S = 2_082_844_800  # seconds from 1904 to 1970
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED = 0x55C4  # ISO 639 "und", packed
_FOUR_BYTES = 1 << 32


class Index(NamedTuple):
    """The samples of a track: bytes, ticks of the track's timescale, where chunks begin in the file.

    `shifts` (composition offsets) is empty when all are 0, `syncs` (counted from 1) when all samples are
    sync samples.
    """

    sizes: array[int]
    durations: array[int]
    shifts: array[int]
    syncs: array[int]
    chunk_offsets: Sequence[int]
    chunk_counts: Sequence[int]


class TrackBoxes(NamedTuple):
    """What is to be said of a track besides its samples. `head` is matrix, width and height of its tkhd."""

    track_id: int
    timescale: int
    handler: bytes
    head: bytes
    media_header: bytes  # vmhd, smhd or nmhd, whole
    stsd: bytes  # whole
    skip_ms: int  # of silence in front of it
    media_start: int  # ticks of its first samples that are not shown
    is_enabled: bool = True


def box(kind: bytes, *payload: bytes) -> bytes:
    """A box around its payload."""
    content = b"".join(payload)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def moov(tracks: Iterable[bytes], *, duration_ms: int, made_s: int) -> bytes:
    """The index of the file. `made_s`: when the footage begins, in seconds since 1970."""
    tracks = list(tracks)
    made = made_s + _EPOCH_1904_S
    mvhd = struct.pack(">IIII", made, made, MOVIE_TIMESCALE, duration_ms)
    mvhd += struct.pack(">IH10x", 0x10000, 0x100) + _UNITY + struct.pack(">24xI", len(tracks) + 1)
    return box(b"moov", full_box(b"mvhd", 0, 0, mvhd), *tracks)


def trak(track: TrackBoxes, index: Index, *, made_s: int, is_long: bool) -> bytes:
    """One track. `is_long`: chunk offsets take eight bytes."""
    made = made_s + _EPOCH_1904_S
    ticks = sum(index.durations)
    shown_ms = max(0, ticks - track.media_start) * MOVIE_TIMESCALE // track.timescale
    whole_ms = track.skip_ms + shown_ms
    tkhd = struct.pack(">IIIII", made, made, track.track_id, 0, whole_ms)
    volume = 0x100 if track.handler == b"soun" else 0
    tkhd += struct.pack(">8xhhHH", 0, 0, volume, 0) + track.head
    minf = box(
        b"minf",
        track.media_header,
        box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))),
        box(b"stbl", track.stsd, *_sample_tables(index, is_long=is_long)),
    )
    mdia = box(b"mdia", _mdhd(made, track.timescale, ticks), _hdlr(track.handler), minf)
    flags = 0x3 if track.is_enabled else 0x2
    return box(b"trak", full_box(b"tkhd", 0, flags, tkhd), _edts(track, shown_ms), mdia)


def duration_ms(track: TrackBoxes, index: Index) -> int:
    """How long the track is shown, silence in front of it included."""
    ticks = sum(index.durations) - track.media_start
    return track.skip_ms + max(0, ticks) * MOVIE_TIMESCALE // track.timescale


def text_track_head(width: int, height: int) -> bytes:
    """Matrix, width and height of a text in the lowest tenth of the picture."""
    place = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, height * 9 // 10 << 16, 0x40000000)
    return place + struct.pack(">II", width << 16, height // 10 << 16)


def text_stsd(width: int, height: int) -> bytes:
    """A sample entry of timed text (tx3g): white on black, in the middle of its lines."""
    lines = struct.pack(">hhhh", 0, 0, height // 10, width)
    style = struct.pack(">HHHBB", 0, 0, 1, 0, max(12, height // 24)) + b"\xff\xff\xff\xff"
    font = box(b"ftab", struct.pack(">HHB", 1, 1, 5), b"Arial")
    place = struct.pack(">Ibb4B", 0, 1, -1, 0, 0, 0, 0xC0)
    entry = box(b"tx3g", struct.pack(">6xH", 1), place, lines, style, font)
    return full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry)


def _mdhd(made: int, timescale: int, ticks: int) -> bytes:
    if ticks < _FOUR_BYTES:
        return full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", made, made, timescale, ticks, _UNDETERMINED, 0))
    return full_box(b"mdhd", 1, 0, struct.pack(">QQIQHH", made, made, timescale, ticks, _UNDETERMINED, 0))


def _hdlr(handler: bytes) -> bytes:
    return full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, handler), b"\0")


def _edts(track: TrackBoxes, shown_ms: int) -> bytes:
    """When the track begins: players keep sound and picture together by it."""
    entries = [struct.pack(">Iihh", shown_ms, track.media_start, 1, 0)]
    if track.skip_ms:
        entries.insert(0, struct.pack(">Iihh", track.skip_ms, -1, 1, 0))
    return box(b"edts", full_box(b"elst", 0, 0, struct.pack(">I", len(entries)), *entries))


def _sample_tables(index: Index, *, is_long: bool) -> list[bytes]:
    """stts, ctts, stss, stsc, stsz and stco or co64 (8.6, 8.7)."""
    tables = [full_box(b"stts", 0, 0, _runs(index.durations, "I"))]
    if index.shifts:
        is_signed = min(index.shifts) < 0
        tables.append(full_box(b"ctts", int(is_signed), 0, _runs(index.shifts, "i" if is_signed else "I")))
    if index.syncs:
        tables.append(full_box(b"stss", 0, 0, struct.pack(">I", len(index.syncs)), _big_endian(index.syncs)))
    offsets = array("Q" if is_long else "I", index.chunk_offsets)
    return [
        *tables,
        full_box(b"stsc", 0, 0, _chunk_runs(index.chunk_counts)),
        full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(index.sizes)), _big_endian(index.sizes)),
        full_box(
            b"co64" if is_long else b"stco", 0, 0, struct.pack(">I", len(offsets)), _big_endian(offsets)
        ),
    ]


def _runs(values: Iterable[int], form: str) -> bytes:
    """Values as (how often, value)."""
    found = [(sum(1 for _ in group), value) for value, group in groupby(values)]
    entry = struct.Struct(f">I{form}")
    return struct.pack(">I", len(found)) + b"".join(entry.pack(count, value) for count, value in found)


def _chunk_runs(counts: Sequence[int]) -> bytes:
    """(first chunk, samples in each, sample entry) wherever the number of samples changes."""
    entries, before = [], None
    for number, count in enumerate(counts, start=1):
        if count != before:
            entries.append(struct.pack(">III", number, count, 1))
            before = count
    return struct.pack(">I", len(entries)) + b"".join(entries)


def _big_endian(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        return values.tobytes()
    swapped = array(values.typecode, values)
    swapped.byteswap()
    return swapped.tobytes()
