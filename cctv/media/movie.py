"""Puts footage of one or several runs into one plain MP4 file, index in front, without changing a picture.

Says which bytes the file has, in which order; reading and writing them is the caller's. The source bytes are
taken as they lie, fragment heads included: the index passes over those.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

from cctv.media import mp4_boxes
from cctv.media.init_boxes import AudioTrack, Init, find, parse_init, walk
from cctv.media.mp4_boxes import Index, TrackBoxes
from cctv.media.samples import Chunk, HeadReader

TICKS_PER_SECOND = 90_000
_SHORT_FILE_BYTES = (1 << 32) - (1 << 20)  # of which chunk offsets fit into four bytes
_NO_HEAD = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000) + bytes(8)


class Piece(NamedTuple):
    """Bytes [offset, end) of an open source file."""

    fd: int
    offset: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.offset


class Layout(NamedTuple):
    """A file: what stands in front, then the pieces as they are."""

    head: bytes
    pieces: list[Piece]
    size_bytes: int
    duration_ms: int


@dataclass(slots=True)
class _Track:
    """The samples of a track as they are added. Times in its own timescale, from the start of the movie."""

    timescale: int
    start: int = 0
    end: int | None = None
    sizes: array[int] = field(default_factory=lambda: array("I"))
    durations: array[int] = field(default_factory=lambda: array("I"))
    shifts: array[int] = field(default_factory=lambda: array("i"))
    syncs: array[int] = field(default_factory=lambda: array("I"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    counts: array[int] = field(default_factory=lambda: array("I"))

    def add(self, chunk: Chunk, at: int, offset: int) -> None:
        """Samples that begin at `at` and lie at `offset` of the data. A hole makes the sample before it
        longer; what would be shown twice is left out."""
        if at != self.end:
            first = self._fit(chunk, at)
            if first:
                chunk, offset = _without(chunk, first), offset + sum(chunk.sizes[:first])
            if not chunk.sizes:
                return
        count = len(self.sizes)
        if chunk.shifts or self.shifts:
            self.shifts.extend([0] * (count - len(self.shifts)))
            self.shifts.extend(chunk.shifts or [0] * len(chunk.sizes))
        for position in chunk.syncs:
            self.syncs.append(count + 1 + position)
        self.offsets.append(offset)
        self.counts.append(len(chunk.sizes))
        self.sizes.extend(chunk.sizes)
        self.durations.extend(chunk.durations)
        self.end = (self.end or 0) + chunk.ticks

    def _fit(self, chunk: Chunk, at: int) -> int:
        """Make the track end where the samples begin; how many of them come too early for that."""
        first = 0
        earliest = 0 if self.end is None else self.end
        while first < len(chunk.sizes) and at + chunk.durations[first] <= earliest:
            at += chunk.durations[first]
            first += 1
        if self.end is None:
            self.start = self.end = at
        elif first < len(chunk.sizes) and at != self.end:
            self.durations[-1] = max(1, self.durations[-1] + at - self.end)
            self.end = at
        return first

    def index(self, base: int) -> Index:
        is_all_sync = len(self.syncs) == len(self.sizes)
        return Index(
            self.sizes,
            self.durations,
            self.shifts,
            array("I") if is_all_sync else self.syncs,
            [base + offset for offset in self.offsets],
            self.counts,
        )


class Movie:
    """One file in the making: `begin` a stretch of footage, `add` its bytes, in the end `layout`."""

    def __init__(self, init: bytes) -> None:
        self._init = parse_init(init)
        self._content = init
        self._video = _Track(self._init.video.timescale)
        self._audio: _Track | None = None
        self._audio_init: tuple[bytes, AudioTrack] | None = None
        self._pieces: list[Piece] = []
        self._data_bytes = 0
        self._shift = 0  # 90 kHz ticks from content time to the time in the movie
        self._source = self._init
        self._reader = HeadReader(self._init)
        self.end_ticks = 0

    def fits(self, init: bytes) -> bool:
        """Whether footage with this init can go on in this file: players set up their decoder once."""
        other = parse_init(init)
        mine, theirs = self._init.video, other.video
        is_same_video = (mine.parameter_sets, mine.timescale) == (theirs.parameter_sets, theirs.timescale)
        known = self._audio_init[1] if self._audio_init else None
        return is_same_video and (known is None or other.audio is None or _sounds_like(known, other.audio))

    def begin(self, init: bytes, content_ticks: int, *, hole_ticks: int = 0) -> None:
        """What follows begins at this content time; the last picture before it stays for `hole_ticks`."""
        self._source = parse_init(init)
        self._reader = HeadReader(self._source)
        if self._source.audio is not None and self._audio_init is None:
            self._audio_init = init, self._source.audio
            self._audio = _Track(self._source.audio.timescale)
        self._shift = self.end_ticks + hole_ticks - content_ticks

    def at(self, content_ticks: int) -> int:
        """Where a content time of the current stretch lies in the movie, 90 kHz ticks."""
        return content_ticks + self._shift

    def add(self, fd: int, offset: int, end: int, *, stop_ticks: int | None = None) -> Piece:
        """The fragments of [offset, end) of an open file, up to the content time `stop_ticks`; what was
        taken."""
        stop = offset
        for head in self._reader.heads(fd, offset, end):
            if stop_ticks is not None and self._begins_after(head.chunks, stop_ticks):
                break
            for chunk in head.chunks:
                self._take(chunk, self._data_bytes - offset)
            stop = head.end
        piece = Piece(fd, offset, stop)
        if piece.size:
            self._pieces.append(piece)
            self._data_bytes += piece.size
        return piece

    def _begins_after(self, chunks: list[Chunk], stop_ticks: int) -> bool:
        video = self._source.video
        starts = [
            chunk.start * TICKS_PER_SECOND // video.timescale
            for chunk in chunks
            if chunk.track_id == video.track_id
        ]
        return bool(starts) and min(starts) >= stop_ticks

    def _take(self, chunk: Chunk, moved: int) -> None:
        video, audio = self._source.video, self._source.audio
        if chunk.track_id == video.track_id:
            track, scale = self._video, video.timescale
        elif self._audio is not None and audio is not None and chunk.track_id == audio.track_id:
            track, scale = self._audio, audio.timescale
        else:
            return
        track.add(chunk, chunk.start + self._shift * scale // TICKS_PER_SECOND, chunk.offset + moved)
        if track is self._video:
            self.end_ticks = (track.end or 0) * TICKS_PER_SECOND // scale

    @property
    def size_bytes(self) -> int:
        """Of the data so far."""
        return self._data_bytes

    def layout(self, *, made_s: int, texts: list[tuple[int, str]] | None = None) -> Layout:
        """The file. `texts`: what a track of texts says from which tick of the movie on, in order.

        ValueError when there is no picture in it.
        """
        if not self._video.sizes:
            raise ValueError("no picture")
        said, text_track = _text_samples(texts or [], self.end_ticks)
        tracks = [(self._video_boxes(), self._video)]
        if self._audio is not None and self._audio.sizes:
            tracks.append((self._audio_boxes(), self._audio))
        moved = len(said)
        is_long = self._data_bytes + moved > _SHORT_FILE_BYTES

        def index(base: int) -> tuple[bytes, int]:
            parts = [(boxes, track.index(base + moved)) for boxes, track in tracks]
            if said:
                parts.append((self._text_boxes(), text_track.index(base)))
            lasts = max(mp4_boxes.duration_ms(*part) for part in parts)
            traks = [mp4_boxes.trak(*part, made_s=made_s, is_long=is_long) for part in parts]
            return mp4_boxes.moov(traks, duration_ms=lasts, made_s=made_s), lasts

        in_front = len(mp4_boxes.FTYP) + len(index(0)[0]) + mp4_boxes.MDAT_HEAD_BYTES
        moov, lasts = index(in_front)
        data_bytes = mp4_boxes.MDAT_HEAD_BYTES + moved + self._data_bytes
        head = mp4_boxes.FTYP + moov + struct.pack(">I4sQ", 1, b"mdat", data_bytes) + said
        return Layout(head, self._pieces, len(head) + self._data_bytes, lasts)

    def _video_boxes(self) -> TrackBoxes:
        parts = _parts(self._content, self._init, self._init.video.track_id)
        first_shift = self._video.shifts[0] if self._video.shifts else 0
        return TrackBoxes(
            track_id=1,
            timescale=self._video.timescale,
            handler=b"vide",
            head=parts[0],
            media_header=mp4_boxes.full_box(b"vmhd", 0, 1, bytes(8)),
            stsd=parts[1],
            skip_ms=0,
            media_start=max(0, first_shift),
        )

    def _audio_boxes(self) -> TrackBoxes:
        assert self._audio is not None and self._audio_init is not None  # the caller looked
        content, audio = self._audio_init
        start = self._audio.start
        return TrackBoxes(
            track_id=2,
            timescale=self._audio.timescale,
            handler=b"soun",
            head=_NO_HEAD,
            media_header=mp4_boxes.full_box(b"smhd", 0, 0, bytes(4)),
            stsd=_parts(content, parse_init(content), audio.track_id)[1],
            skip_ms=max(0, start) * mp4_boxes.MOVIE_TIMESCALE // self._audio.timescale,
            media_start=max(0, -start),
        )

    def _text_boxes(self) -> TrackBoxes:
        video = self._init.video
        return TrackBoxes(
            track_id=3,
            timescale=TICKS_PER_SECOND,
            handler=b"sbtl",
            head=mp4_boxes.text_track_head(video.width, video.height),
            media_header=mp4_boxes.full_box(b"nmhd", 0, 0),
            stsd=mp4_boxes.text_stsd(video.width, video.height),
            skip_ms=0,
            media_start=0,
        )


def _without(chunk: Chunk, first: int) -> Chunk:
    """The chunk from its sample `first` on; its place is the caller's to move."""
    return chunk._replace(
        sizes=chunk.sizes[first:],
        durations=chunk.durations[first:],
        syncs=[position - first for position in chunk.syncs if position >= first],
        shifts=chunk.shifts[first:],
        ticks=sum(chunk.durations[first:]),
    )


def _sounds_like(mine: AudioTrack, theirs: AudioTrack) -> bool:
    return (mine.timescale, mine.codec, mine.channels, mine.sample_rate) == (
        theirs.timescale,
        theirs.codec,
        theirs.channels,
        theirs.sample_rate,
    )


def _parts(content: bytes, init: Init, track_id: int) -> tuple[bytes, bytes]:
    """Matrix, width and height of a track, and its sample entries, as the capture wrote them."""
    moov = find(content, 0, init.size, b"moov")
    assert moov is not None  # parse_init found the track in it
    for kind, start, end in walk(content, *moov):
        tkhd = find(content, start, end, b"tkhd") if kind == b"trak" else None
        if tkhd is None:
            continue
        if struct.unpack_from(">I", content, tkhd[0] + (20 if content[tkhd[0]] else 12))[0] != track_id:
            continue
        stsd = find(content, start, end, b"mdia", b"minf", b"stbl", b"stsd")
        assert stsd is not None
        return content[tkhd[1] - 44 : tkhd[1]], content[stsd[0] - 8 : stsd[1]]
    raise ValueError("the track is not in its init")


def _text_samples(texts: list[tuple[int, str]], end_ticks: int) -> tuple[bytes, _Track]:
    """The bytes of a text track and its samples, without a hole from 0 to the end."""
    track = _Track(TICKS_PER_SECOND)
    kept = [(max(0, at), text) for at, text in texts if at < end_ticks]
    if not kept:
        return b"", track
    if kept[0][0] > 0:
        kept.insert(0, (0, ""))
    encoded = [struct.pack(">H", len(text.encode())) + text.encode() for _, text in kept]
    ends = [*(at for at, _ in kept[1:]), end_ticks]
    lasting = [max(1, end - at) for (at, _), end in zip(kept, ends, strict=True)]
    sizes = [len(one) for one in encoded]
    track.add(Chunk(3, 0, 0, sizes, lasting, range(len(sizes)), (), sum(lasting), sum(sizes)), 0, 0)
    return b"".join(encoded), track
