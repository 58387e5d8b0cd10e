"""Reads where each sample of our fragments lies and how long it lasts: what the index of a file needs.

Reads the heads of fragments only, never their pictures; how an index is spelled is said in mp4_boxes.py.
Heads repeat themselves: where the numbers stand is worked out once for each form of them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from cctv.media.init_boxes import Init

_HEAD_BYTES = 1024  # holds the moof of 200 ms: one pread each
_LARGEST_MOOF = 1 << 20
_MOST_FORMS = 64  # of one size: a camera has a handful in all
_SKIPPABLE = frozenset((b"styp", b"sidx", b"free", b"skip", b"emsg", b"prft", b"uuid"))
_COLUMNS = (0x100, 0x200, 0x400, 0x800)  # of a trun: duration, size, flags, composition offset
_NON_SYNC = 0x0001_0000  # sample_is_non_sync_sample (ISO/IEC 14496-12, 8.8.3.1)
_MFHD, _TRAF, _TFHD, _TFDT, _TRUN = (
    int.from_bytes(kind, "big") for kind in (b"mfhd", b"traf", b"tfhd", b"tfdt", b"trun")
)

_box = struct.Struct(">I4s").unpack_from
_long = struct.Struct(">Q").unpack_from

Words = tuple[int, ...]  # a moof as big-endian numbers of four bytes: every field of one is aligned so


class Chunk(NamedTuple):
    """Samples of one track that lie behind one another.

    `start` and `durations` in the track's timescale, `offset` in the source file, `syncs` are positions in
    the chunk, `shifts` are composition offsets (empty: all are 0). `ticks` and `size` are the sums.
    """

    track_id: int
    start: int
    offset: int
    sizes: Sequence[int]
    durations: Sequence[int]
    syncs: Sequence[int]
    shifts: Sequence[int]
    ticks: int
    size: int


class Head(NamedTuple):
    """A complete fragment: [offset, end) of the file."""

    offset: int
    end: int
    chunks: list[Chunk]


class _Run(NamedTuple):
    """Where the numbers of a run of samples stand among the words; None: a default holds for all."""

    track_id: int
    start_at: int
    is_long_start: bool
    place_at: int | None
    first_flags_at: int | None
    begin: int
    end: int
    width: int
    duration: int | None  # columns
    size: int | None
    flags: int | None
    shift: int | None
    durations: Words  # the defaults
    sizes: Words
    syncs: Words

    def chunk(self, words: Words, offset: int, start: int, position: int) -> Chunk:
        begin, end, width = self.begin, self.end, self.width
        durations = self.durations if self.duration is None else words[begin + self.duration : end : width]
        sizes = self.sizes if self.size is None else words[begin + self.size : end : width]
        if self.place_at is not None:
            position = offset + _signed(words[self.place_at])
        syncs: Sequence[int] = self.syncs
        if self.flags is not None:
            marks = words[begin + self.flags : end : width]
            syncs = [at for at, mark in enumerate(marks) if not mark & _NON_SYNC]
        if self.first_flags_at is not None:
            rest = [at for at in syncs if at]
            syncs = rest if words[self.first_flags_at] & _NON_SYNC else [0, *rest]
        shifts: Sequence[int] = ()
        if self.shift is not None:
            shifts = [_signed(value) for value in words[begin + self.shift : end : width]]
        return Chunk(
            self.track_id, start, position, sizes, durations, syncs, shifts, sum(durations), sum(sizes)
        )


class _Form:
    """What all moofs of one form have in common, and where they differ."""

    def __init__(self, words: Words, init: Init) -> None:
        self.runs: list[_Run] = []
        self._free: set[int] = set()
        self._init = init
        at = 2
        while at + 2 <= len(words):
            end = self._end(words, at, len(words))
            if words[at + 1] == _MFHD:
                self._free.add(at + 3)
            elif words[at + 1] == _TRAF:
                self._read_traf(words, at + 2, end)
            at = end
        fixed = [place for place in range(len(words)) if place not in self._free]
        self._common = itemgetter(*fixed)
        self._expected = self._common(words)

    def fits(self, words: Words) -> bool:
        """Whether a moof of the same length has this form."""
        return bool(self._common(words) == self._expected)

    def chunks(self, words: Words, offset: int) -> list[Chunk]:
        """The samples of a moof of this form that stands at `offset`."""
        found: list[Chunk] = []
        start_at = -1
        start, position = 0, offset
        for run in self.runs:
            if run.start_at != start_at:
                start_at, position = run.start_at, offset
                start = words[start_at]
                if run.is_long_start:
                    start = start << 32 | words[start_at + 1]
            chunk = run.chunk(words, offset, start, position)
            start += chunk.ticks
            position = chunk.offset + chunk.size
            found.append(chunk)
        return found

    def _end(self, words: Words, at: int, limit: int) -> int:
        size = words[at]
        if size < 8 or size % 4 or at + size // 4 > limit:
            raise struct.error("a box leaves the one around it")
        return at + size // 4

    def _read_traf(self, words: Words, at: int, limit: int) -> None:
        track_id = 0
        start: tuple[int, bool] | None = None
        defaults, spelled = (0, 0, 0), [-1, -1, -1]
        columns = 0xF00  # those that every run of this track has
        while at + 2 <= limit:
            end = self._end(words, at, limit)
            if words[at + 1] == _TFHD:
                track_id, defaults, spelled = self._read_tfhd(words, at)
            elif words[at + 1] == _TFDT:
                is_long = bool(words[at + 2] >> 24)
                start = at + 3, is_long
                self._free.update(range(at + 3, at + 5 if is_long else at + 4))
            elif words[at + 1] == _TRUN and start is not None:
                columns &= words[at + 2]
                self._read_trun(words, at, end, (track_id, *start), defaults)
            at = end
        # A default that no run of it uses may be anything: ffmpeg puts the first sample's there.
        unused = [place for bit, place in zip(_COLUMNS, spelled, strict=False) if columns & bit]
        self._free.update(place for place in unused if place > 0)

    def _read_tfhd(self, words: Words, at: int) -> tuple[int, tuple[int, int, int], list[int]]:
        """Track id, its (duration, size, flags) defaults, and where these stand (8.8.7)."""
        flags, track_id = words[at + 2], words[at + 3]
        if flags & 0x1:
            raise struct.error("offsets that count from elsewhere")  # ours count from the moof
        found = list(self._init.defaults.get(track_id, (0, 0, 0)))
        spelled = [-1, -1, -1]
        at += 5 if flags & 0x2 else 4
        for number, bit in enumerate((0x8, 0x10, 0x20)):
            if flags & bit:
                found[number], spelled[number] = words[at], at
                at += 1
        return track_id, (found[0], found[1], found[2]), spelled

    def _read_trun(
        self,
        words: Words,
        at: int,
        end: int,
        track: tuple[int, int, bool],
        defaults: tuple[int, int, int],
    ) -> None:
        """One run of samples (8.8.8)."""
        flags, count = words[at + 2], words[at + 3]
        place_at = first_flags_at = None
        at += 4
        if flags & 0x1:
            place_at = at
            at += 1
        if flags & 0x4:
            first_flags_at = at
            at += 1
        columns = [bit for bit in _COLUMNS if flags & bit]
        width = len(columns)
        if at + count * width > end:
            raise struct.error("the samples do not fit in their box")
        duration, size, mark, shift = (columns.index(bit) if bit in columns else None for bit in _COLUMNS)
        self._free.update(place for place in (place_at, first_flags_at) if place is not None)
        self._free.update(range(at, at + count * width))
        if not count:
            return
        self.runs.append(
            _Run(
                *track,
                place_at,
                first_flags_at,
                at,
                at + count * width,
                max(1, width),
                duration,
                size,
                mark,
                shift,
                (defaults[0],) * count,
                (defaults[1],) * count,
                () if defaults[2] & _NON_SYNC else tuple(range(count)),
            )
        )


class HeadReader:
    """Reads the heads of the fragments of one run; the forms that it has met are kept."""

    def __init__(self, init: Init) -> None:
        self._init = init
        self._forms: dict[int, list[_Form]] = {}

    def heads(self, fd: int, offset: int, end: int) -> Iterator[Head]:
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
                if kind != b"moof" or size > _LARGEST_MOOF or size % 4:
                    return
                if size + 16 > len(content):
                    content = os.pread(fd, min(size + 16, end - offset), offset)
                behind = offset + size + _data_size(content, size)
                if behind > end:
                    return
                words = struct.unpack_from(f">{size // 4}I", content)
                yield Head(offset, behind, self._form(words).chunks(words, offset))
                offset = behind
        except (struct.error, IndexError):
            return

    def _form(self, words: Words) -> _Form:
        known = self._forms.setdefault(len(words), [])
        for form in known:
            if form.fits(words):
                return form
        form = _Form(words, self._init)
        if len(known) < _MOST_FORMS:
            known.append(form)
        return form


def _data_size(content: bytes, at: int) -> int:
    size, kind = _box(content, at)
    if size == 1:
        size = _long(content, at + 8)[0]
    if kind != b"mdat" or size < 8:
        raise struct.error("no mdat behind the moof")
    return int(size)


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x8000_0000 else value
