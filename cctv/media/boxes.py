"""Reads the fragmented MP4 files that our own ffmpeg writes: the init and where each complete fragment lies.
It must never read the picture bytes beyond the head of a fragment, and never raise anything but NotMedia
on arbitrary bytes.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import NamedTuple

from cctv.media.init_boxes import AudioTrack, Init, NotMedia, VideoTrack, parse_init
from cctv.media.parameter_sets import in_band_sps, sps_facts

__all__ = [
    "TICKS_PER_SECOND",
    "AudioTrack",
    "Fragment",
    "Init",
    "NotMedia",
    "VideoTrack",
    "is_whole",
    "parameter_sets_differ",
    "read_init",
    "scan",
]

TICKS_PER_SECOND = 90_000
HEAD_BYTES = 1024  # holds a moof of 200 ms and the first units of a key frame: one pread each (measured)
_FAR_ENOUGH = 4096  # an SPS stands before the picture; only long SEI units push it back
_LARGEST_MOOF = 1 << 20
_LARGEST_INIT = 1 << 20
_SKIPPABLE = frozenset((b"styp", b"sidx", b"free", b"skip", b"emsg", b"prft", b"uuid"))
_NON_SYNC = 0x0001_0000  # sample_is_non_sync_sample (ISO/IEC 14496-12, 8.8.3.1)

_box = struct.Struct(">I4s").unpack_from
_two = struct.Struct(">II").unpack_from
_long = struct.Struct(">Q").unpack_from
_word = struct.Struct(">I").unpack_from
_signed = struct.Struct(">i").unpack_from


@dataclass(slots=True)
class Fragment:
    """One complete moof + mdat. Ticks are 90 kHz since the epoch, of the video track (of the sound when
    there is no video in it); `min_start_ticks` is the earliest start over all tracks, which is what a
    player takes as the start."""

    offset: int
    size: int
    start_ticks: int
    duration_ticks: int
    is_key: bool
    has_video: bool
    min_start_ticks: int
    sps: bytes
    pictures: int = 0

    @property
    def end_ticks(self) -> int:
        return self.start_ticks + self.duration_ticks

    @property
    def end_offset(self) -> int:
        return self.offset + self.size

    @property
    def start_ms(self) -> int:
        return self.start_ticks // 90

    @property
    def end_ms(self) -> int:
        return self.end_ticks // 90

    @property
    def min_start_ms(self) -> int:
        return self.min_start_ticks // 90


class _Traf(NamedTuple):
    track_id: int
    start: int
    duration: int
    is_sync: bool
    data_at: int
    first_size: int
    sample_count: int


def read_init(fd: int) -> Init:
    """The ftyp + moov at the beginning of an open file; NotMedia when they are not (or not yet) whole."""
    head = os.pread(fd, 4096, 0)
    at = 0
    while True:
        if at + 8 > len(head):
            raise NotMedia("the file ends before its moov box")
        size, kind = _box(head, at)
        if size < 8 or at + size > _LARGEST_INIT or (at == 0 and kind != b"ftyp"):
            raise NotMedia("the file does not begin with ftyp and moov")
        if at + size > len(head):
            head = os.pread(fd, at + size + 8, 0)
            if at + size > len(head):
                raise NotMedia("the file ends inside its init")
        at += size
        if kind == b"moov":
            return parse_init(head[:at])
        if kind in (b"moof", b"mdat"):
            raise NotMedia("there is no moov box before the first fragment")


def scan(fd: int, init: Init, offset: int, *, end: int | None = None) -> list[Fragment]:
    """The complete fragments from `offset` (at least `init.size`) up to `end` (default: the size of the
    file now).

    Stops silently at a torn, zero-filled or foreign tail. Continue at `fragments[-1].end_offset`.
    """
    if end is None:
        end = os.fstat(fd).st_size
    offset = max(offset, init.size)
    found: list[Fragment] = []
    try:
        while offset + 16 <= end:
            head = os.pread(fd, min(HEAD_BYTES, end - offset), offset)
            size, kind = _box(head, 0)
            if size < 8 or offset + size > end:
                break
            if kind in _SKIPPABLE:
                offset += size
                continue
            fragment = _read_fragment(fd, init, head, offset, end) if kind == b"moof" else None
            if fragment is None:
                break
            found.append(fragment)
            offset += fragment.size
    except (struct.error, IndexError):
        pass
    return found


def read_fragment(fd: int, init: Init, offset: int, *, end: int) -> Fragment | None:
    """The one fragment that begins at `offset`, as `scan` would find it; None when it is not all there before
    `end`, or none begins there."""
    head = os.pread(fd, min(HEAD_BYTES, end - offset), offset)
    try:
        size, kind = _box(head, 0)
        is_there = kind == b"moof" and size >= 8 and offset + size <= end
        return _read_fragment(fd, init, head, offset, end) if is_there else None
    except (struct.error, IndexError):
        return None


def _read_fragment(fd: int, init: Init, head: bytes, offset: int, end: int) -> Fragment | None:
    moof_size = _word(head, 0)[0]
    if moof_size + 16 > len(head):
        if moof_size > _LARGEST_MOOF or moof_size + 8 > end - offset:
            return None
        head = os.pread(fd, min(moof_size + HEAD_BYTES, end - offset), offset)
    size, kind = _box(head, moof_size)
    if size == 1:
        size = _long(head, moof_size + 8)[0]
    if kind != b"mdat" or size < 8 or offset + moof_size + size > end:
        return None
    if not head[moof_size + 8 : moof_size + 24].strip(b"\x00") and size >= 24:
        return None  # a power cut leaves zeros where delayed blocks should have been
    return _assemble(fd, init, head, offset, moof_size, moof_size + size)


def _assemble(fd: int, init: Init, head: bytes, offset: int, moof_size: int, size: int) -> Fragment | None:
    video_track = init.video
    video: _Traf | None = None
    sound: _Traf | None = None
    at = 8
    while at + 8 <= moof_size:
        box_size, kind = _box(head, at)
        if box_size < 8 or at + box_size > moof_size:
            return None
        if kind == b"traf":
            traf = _read_traf(head, at + 8, at + box_size, init)
            if traf is None:
                pass
            elif traf.track_id == video_track.track_id:
                video = traf
            elif init.audio is not None and traf.track_id == init.audio.track_id:
                sound = traf
        at += box_size
    sound_start = sound_duration = 0
    if sound is not None:
        scale = init.audio.timescale if init.audio else TICKS_PER_SECOND
        sound_start = sound.start * TICKS_PER_SECOND // scale
        sound_duration = sound.duration * TICKS_PER_SECOND // scale
    if video is None or not video.sample_count:
        if sound is None:
            return None
        return Fragment(offset, size, sound_start, sound_duration, False, False, sound_start, b"")
    start, duration = video.start, video.duration
    if video_track.timescale != TICKS_PER_SECOND:
        start = start * TICKS_PER_SECOND // video_track.timescale
        duration = duration * TICKS_PER_SECOND // video_track.timescale
    earliest = min(start, sound_start) if sound is not None and sound.sample_count else start
    sps = _sps_of(fd, video_track, head, offset, size, video) if video.is_sync else b""
    return Fragment(offset, size, start, duration, video.is_sync, True, earliest, sps, video.sample_count)


def _read_traf(head: bytes, at: int, end: int, init: Init) -> _Traf | None:
    track_id = start = duration = count = first_size = 0
    data_at = -1
    is_sync = False
    defaults = (0, 0, 0)
    while at + 8 <= end:
        size, kind = _box(head, at)
        if size < 8 or at + size > end:
            return None
        if kind == b"trun":
            samples, ticks, sync, run_at, run_first = _read_trun(head, at, at + size, defaults)
            if not count:
                is_sync, data_at, first_size = sync, run_at, run_first
            count += samples
            duration += ticks
        elif kind == b"tfhd":
            track_id, defaults = _read_tfhd(head, at, init)
        elif kind == b"tfdt":
            start = _long(head, at + 12)[0] if head[at + 8] else _word(head, at + 12)[0]
        at += size
    return _Traf(track_id, start, duration, is_sync, data_at, first_size, count)


def _read_tfhd(head: bytes, at: int, init: Init) -> tuple[int, tuple[int, int, int]]:
    """Track id and its (duration, size, flags) defaults (ISO/IEC 14496-12, 8.8.7)."""
    flags, track_id = _two(head, at + 8)
    duration, size, sample_flags = init.defaults.get(track_id, (0, 0, 0))
    at += 16 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    if flags & 0x8:
        duration = _word(head, at)[0]
        at += 4
    if flags & 0x10:
        size = _word(head, at)[0]
        at += 4
    if flags & 0x20:
        sample_flags = _word(head, at)[0]
    return track_id, (duration, size, sample_flags)


def _read_trun(
    head: bytes, at: int, end: int, defaults: tuple[int, int, int]
) -> tuple[int, int, bool, int, int]:
    """Sample count, ticks, whether the first sample is a sync sample, offset and size of the first
    (8.8.8)."""
    flags, count = _two(head, at + 8)
    at += 16
    data_at = -1
    duration, first_size, sample_flags = defaults
    if flags & 0x1:
        data_at = _signed(head, at)[0]
        at += 4
    if flags & 0x4:
        sample_flags = _word(head, at)[0]
        at += 4
    width = ((flags >> 8) & 1) + ((flags >> 9) & 1) + ((flags >> 10) & 1) + ((flags >> 11) & 1)
    if count * width * 4 > end - at:
        raise struct.error("the samples do not fit in their box")
    ticks = duration * count
    if width and count:
        values = struct.unpack_from(f">{count * width}I", head, at)
        column = 0
        if flags & 0x100:
            ticks = sum(values[::width])
            column = 1
        if flags & 0x200:
            first_size = values[column]
            column += 1
        if flags & 0x400 and not flags & 0x4:
            sample_flags = values[column]
    return count, ticks, not sample_flags & _NON_SYNC, data_at, first_size


def _sps_of(fd: int, track: VideoTrack, head: bytes, offset: int, size: int, video: _Traf) -> bytes:
    """The SPS in front of the key frame, from the bytes already read when they reach far enough."""
    if not 0 < video.data_at < size:
        return b""
    limit = min(video.first_size or _FAR_ENOUGH, _FAR_ENOUGH, size - video.data_at)
    sps = in_band_sps(head[video.data_at : video.data_at + limit], is_hevc=track.is_hevc)
    if sps is None and len(head) < video.data_at + limit:
        sps = in_band_sps(os.pread(fd, limit, offset + video.data_at), is_hevc=track.is_hevc)
    return sps or b""


def parameter_sets_differ(fragment: Fragment, init: Init, *, first: Fragment | None = None) -> bool:
    """Whether the camera changed its picture format so that the init of the run no longer describes it
    (FAULTS C5).

    Compared with the init are the facts a decoder is set up by (profile, level, size, chroma, depth),
    because many cameras announce an SPS in their SDP that is never byte-equal to the one in the stream,
    and a restart would not cure that. With the run's `first` key fragment the SPS is also compared byte by
    byte.
    """
    if not fragment.sps or fragment.sps in init.video.sps:
        return False
    if first is not None and first.sps and first.sps != fragment.sps:
        return True
    is_hevc = init.video.is_hevc
    now = sps_facts(fragment.sps, is_hevc=is_hevc)
    announced = [sps_facts(sps, is_hevc=is_hevc) for sps in init.video.sps]
    return now is not None and any(announced) and now not in announced


def is_whole(fd: int, init: Init, fragment: Fragment) -> bool:
    """Whether the mdat of a fragment is filled up to its end: walks the unit lengths of its first video
    sample and looks for a tail of zeros. For recovery after a power cut; reads at most a few hundred
    bytes."""
    tail = os.pread(fd, 64, fragment.end_offset - 64)
    if len(tail) < 64 or not tail.strip(b"\x00"):
        return False
    return any(
        found.offset == fragment.offset for found in scan(fd, init, fragment.offset, end=fragment.end_offset)
    )
