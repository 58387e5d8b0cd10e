"""Reads where each sample of our fragments lies and how long it lasts: what the index of a file needs.

Reads the heads of fragments only, never their pictures; how an index is spelled is said in mp4_boxes.py.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cctv.media.init_boxes import Init

_HEAD_BYTES = 1024  # holds the moof of 200 ms: one pread each
_LARGEST_MOOF = 1 << 20
_SKIPPABLE = frozenset((b"styp", b"sidx", b"free", b"skip", b"emsg", b"prft", b"uuid"))
_NON_SYNC = 0x0001_0000  # sample_is_non_sync_sample (ISO/IEC 14496-12, 8.8.3.1)

_box = struct.Struct(">I4s").unpack_from
_two = struct.Struct(">II").unpack_from
_word = struct.Struct(">I").unpack_from
_signed = struct.Struct(">i").unpack_from
_long = struct.Struct(">Q").unpack_from


class Chunk(NamedTuple):
    """Samples of one track that lie behind one another.

    `start` and `durations` in the track's timescale, `offset` in the source file, `syncs` are positions in
    the chunk, `shifts` are composition offsets (empty: all are 0).
    """

    track_id: int
    start: int
    offset: int
    sizes: Sequence[int]
    durations: Sequence[int]
    syncs: Sequence[int]
    shifts: Sequence[int]


class Head(NamedTuple):
    """A complete fragment: [offset, end) of the file."""

    offset: int
    end: int
    chunks: list[Chunk]


def heads(fd: int, init: Init, offset: int, end: int) -> Iterator[Head]:
    """The complete fragments of [offset, end), which begins with one; stops at what is none."""
    try:
        while offset + 16 <= end:
            content = os.pread(fd, min(_HEAD_BYTES, end - offset), offset)
            size, kind = _box(content, 0)
            if size < 8 or offset + size > end:
                return
            if kind in _SKIPPABLE:
                offset += size
                continue
            if kind != b"moof" or size > _LARGEST_MOOF:
                return
            if size + 16 > len(content):
                content = os.pread(fd, min(size + 16, end - offset), offset)
            behind = offset + size + _data_size(content, size)
            if behind > end:
                return
            yield Head(offset, behind, list(_chunks(content, size, offset, init)))
            offset = behind
    except (struct.error, IndexError):
        return


def _data_size(content: bytes, at: int) -> int:
    size, kind = _box(content, at)
    if size == 1:
        size = _long(content, at + 8)[0]
    if kind != b"mdat" or size < 8:
        raise struct.error("no mdat behind the moof")
    return int(size)


def _chunks(content: bytes, moof_size: int, offset: int, init: Init) -> Iterator[Chunk]:
    at = 8
    while at + 8 <= moof_size:
        size, kind = _box(content, at)
        if size < 8 or at + size > moof_size:
            raise struct.error("a box leaves the moof")
        if kind == b"traf":
            yield from _traf(content, at + 8, at + size, offset, init)
        at += size


def _traf(content: bytes, at: int, end: int, offset: int, init: Init) -> Iterator[Chunk]:
    track_id = start = 0
    base = position = offset
    defaults = (0, 0, 0)
    while at + 8 <= end:
        size, kind = _box(content, at)
        if size < 8 or at + size > end:
            raise struct.error("a box leaves its track")
        if kind == b"tfhd":
            track_id, base, defaults = _tfhd(content, at, offset, init)
        elif kind == b"tfdt":
            start = _long(content, at + 12)[0] if content[at + 8] else _word(content, at + 12)[0]
        elif kind == b"trun":
            chunk = _trun(content, at, at + size, (track_id, start, base, position), defaults)
            start += sum(chunk.durations)
            position = chunk.offset + sum(chunk.sizes)
            if chunk.sizes:
                yield chunk
        at += size


def _tfhd(content: bytes, at: int, offset: int, init: Init) -> tuple[int, int, tuple[int, int, int]]:
    """Track id, what data offsets count from, and the (duration, size, flags) defaults (8.8.7)."""
    flags, track_id = _two(content, at + 8)
    duration, size, sample_flags = init.defaults.get(track_id, (0, 0, 0))
    at += 16
    base = offset
    if flags & 0x1:
        base = _long(content, at)[0]
        at += 8
    if flags & 0x2:
        at += 4
    if flags & 0x8:
        duration = _word(content, at)[0]
        at += 4
    if flags & 0x10:
        size = _word(content, at)[0]
        at += 4
    if flags & 0x20:
        sample_flags = _word(content, at)[0]
    return track_id, base, (duration, size, sample_flags)


def _trun(
    content: bytes,
    at: int,
    end: int,
    where: tuple[int, int, int, int],
    defaults: tuple[int, int, int],
) -> Chunk:
    """One run of samples (8.8.8)."""
    track_id, start, base, position = where
    flags, count = _two(content, at + 8)
    at += 16
    if flags & 0x1:
        position = base + _signed(content, at)[0]
        at += 4
    first_flags = None
    if flags & 0x4:
        first_flags = _word(content, at)[0]
        at += 4
    width = (flags >> 8 & 1) + (flags >> 9 & 1) + (flags >> 10 & 1) + (flags >> 11 & 1)
    if count * width * 4 > end - at or count > _LARGEST_MOOF:
        raise struct.error("the samples do not fit in their box")
    values = struct.unpack_from(f">{count * width}I", content, at)
    columns = iter(range(width))
    durations = values[next(columns) :: width] if flags & 0x100 else (defaults[0],) * count
    sizes = values[next(columns) :: width] if flags & 0x200 else (defaults[1],) * count
    marks = values[next(columns) :: width] if flags & 0x400 else None
    shifts = [_as_signed(value) for value in values[next(columns) :: width]] if flags & 0x800 else ()
    return Chunk(
        track_id, start, position, sizes, durations, _syncs(marks, first_flags, defaults[2], count), shifts
    )


def _syncs(marks: Sequence[int] | None, first: int | None, default: int, count: int) -> Sequence[int]:
    if marks is not None:
        found = [at for at, mark in enumerate(marks) if not mark & _NON_SYNC]
    else:
        found = [] if default & _NON_SYNC else list(range(count))
    if first is None or not count:
        return found
    rest = [at for at in found if at]
    return rest if first & _NON_SYNC else [0, *rest]


def _as_signed(value: int) -> int:
    return value - (1 << 32) if value & 0x8000_0000 else value
