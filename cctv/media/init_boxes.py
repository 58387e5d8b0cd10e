"""Reads the init (ftyp + moov) of a fragmented MP4 file: which tracks there are and how they are coded.
Works on bytes in memory only; files and fragments are read in boxes.py.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from cctv.media.parameter_sets import avc_codec, avc_sps, hevc_codec, hevc_sps

_VIDEO_ENTRIES = (b"avc1", b"avc3", b"hvc1", b"hev1")


class NotMedia(Exception):
    """The bytes are not (or not yet) a fragmented MP4 file of ours."""


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """`codec` as in RFC 6381; `parameter_sets` is the avcC or hvcC record, `sps` the SPS units in it."""

    track_id: int
    timescale: int
    codec: str
    width: int
    height: int
    parameter_sets: bytes
    sps: tuple[bytes, ...] = ()
    is_hevc: bool = False


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """`codec` as in RFC 6381 (`mp4a.40.2`, `Opus`, else the name of the sample entry); `sample_rate` in
    Hz."""

    track_id: int
    timescale: int
    codec: str
    channels: int
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Init:
    """`size` bytes from the start of the file, equal in all files of a run; `defaults` are the trex
    (duration, size, flags) of each track id."""

    size: int
    sha256: str
    video: VideoTrack
    audio: AudioTrack | None
    defaults: dict[int, tuple[int, int, int]] = field(default_factory=dict, hash=False)

    @property
    def codecs(self) -> str:
        """The CODECS attribute of a playlist and of a MediaSource type."""
        return self.video.codec + (f",{self.audio.codec}" if self.audio else "")


def parse_init(content: bytes) -> Init:
    """Init of exactly these bytes (ftyp ... moov); NotMedia when there is no video track in it that we
    know."""
    try:
        return _parse(content)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise NotMedia(f"damaged moov box: {error}") from error


def _parse(content: bytes) -> Init:
    video: VideoTrack | None = None
    audio: AudioTrack | None = None
    defaults: dict[int, tuple[int, int, int]] = {}
    for kind, start, end in walk(content, 0, len(content)):
        if kind != b"moov":
            continue
        for inner, inner_start, inner_end in walk(content, start, end):
            if inner == b"mvex":
                defaults.update(_trex_defaults(content, inner_start, inner_end))
            elif inner == b"trak":
                track = _track(content, inner_start, inner_end)
                if isinstance(track, VideoTrack):
                    video = video or track
                elif track is not None:
                    audio = audio or track
    if video is None:
        raise NotMedia("there is no H.264 or H.265 track")
    return Init(len(content), hashlib.sha256(content).hexdigest(), video, audio, defaults)


def walk(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the payload, end) of the boxes in a row; stops at the first impossible one."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        if size < 8 or start + size > end:
            return
        yield kind, start + 8, start + size
        start += size


def find(content: bytes, start: int, end: int, *path: bytes) -> tuple[int, int] | None:
    """(start, end) of the payload of the box at the end of a path; None when it is not there."""
    for name in path:
        for kind, inner_start, inner_end in walk(content, start, end):
            if kind == name:
                start, end = inner_start, inner_end
                break
        else:
            return None
    return start, end


def _trex_defaults(content: bytes, start: int, end: int) -> dict[int, tuple[int, int, int]]:
    found = {}
    for kind, at, _ in walk(content, start, end):
        if kind == b"trex":
            track_id, _, duration, size, flags = struct.unpack_from(">5I", content, at + 4)
            found[track_id] = (duration, size, flags)
    return found


def _track(content: bytes, start: int, end: int) -> VideoTrack | AudioTrack | None:
    tkhd = find(content, start, end, b"tkhd")
    mdhd = find(content, start, end, b"mdia", b"mdhd")
    stsd = find(content, start, end, b"mdia", b"minf", b"stbl", b"stsd")
    if tkhd is None or mdhd is None or stsd is None:
        return None
    track_id = struct.unpack_from(">I", content, tkhd[0] + (20 if content[tkhd[0]] else 12))[0]
    timescale = struct.unpack_from(">I", content, mdhd[0] + (20 if content[mdhd[0]] else 12))[0]
    if not timescale:
        return None
    for entry, at, entry_end in walk(content, stsd[0] + 8, stsd[1]):
        if entry in _VIDEO_ENTRIES:
            return _video(content, at, entry_end, track_id=track_id, timescale=timescale)
        if find(content, start, end, b"mdia", b"minf", b"smhd"):
            return _audio(content, at, entry_end, entry=entry, track_id=track_id, timescale=timescale)
    return None


def _video(content: bytes, at: int, end: int, *, track_id: int, timescale: int) -> VideoTrack | None:
    width, height = struct.unpack_from(">HH", content, at + 24)
    for kind, start, stop in walk(content, at + 78, end):
        record = content[start:stop]
        if kind == b"avcC" and len(record) >= 7:
            return VideoTrack(track_id, timescale, avc_codec(record), width, height, record, avc_sps(record))
        if kind == b"hvcC" and len(record) >= 23:
            codec, sps = hevc_codec(record), hevc_sps(record)
            return VideoTrack(track_id, timescale, codec, width, height, record, sps, True)
    return None


def _audio(content: bytes, at: int, end: int, *, entry: bytes, track_id: int, timescale: int) -> AudioTrack:
    channels = struct.unpack_from(">H", content, at + 16)[0]
    sample_rate = struct.unpack_from(">I", content, at + 24)[0] >> 16
    codec = entry.decode("latin-1").strip()
    esds = find(content, at + 28, end, b"esds")
    if entry == b"mp4a" and esds:
        codec = _mp4a_codec(content[esds[0] + 4 : esds[1]])
    return AudioTrack(track_id, timescale, codec, channels, sample_rate or timescale)


def _mp4a_codec(descriptors: bytes) -> str:
    """`mp4a.OO.A` from the object type and the first five bits of the decoder's configuration (RFC 6381,
    3.3)."""
    object_type, at = 0, 0
    while at + 2 <= len(descriptors):
        tag = descriptors[at]
        at += 1
        while at < len(descriptors) and descriptors[at] & 0x80:
            at += 1
        at += 1
        if tag == 0x03:  # ES_Descriptor: the next one lies inside (id and flags are 3 bytes)
            at += 3
        elif tag == 0x04:  # DecoderConfigDescriptor
            object_type = descriptors[at]
            at += 13
        elif tag == 0x05:  # DecoderSpecificInfo
            kind = descriptors[at] >> 3
            if kind == 31:
                kind = 32 + ((descriptors[at] & 7) << 3 | descriptors[at + 1] >> 5)
            return f"mp4a.{object_type:x}.{kind}"
        else:
            break
    return f"mp4a.{object_type:x}" if object_type else "mp4a"
