"""Loops as RTP packets, interleaved for TCP (RFC 2326 10.12), made once and only stamped when they are sent.
It never waits, opens no socket and knows no session beyond the numbers that it writes into a packet."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cctv.demo.elementary import (
    PCMA_SAMPLES,
    AccessUnit,
    loop_of_aac,
    loop_of_pcma,
    nal_type,
    parameter_sets,
    split_video,
)
from cctv.demo.loops import AAC_SAMPLES, AUDIO_RATES_HZ
from cctv.demo.profiles import Profile

MAX_PAYLOAD = 1400  # bytes, as cameras do for an Ethernet frame
VIDEO_CLOCK_HZ = 90_000  # RFC 6184 8.2.1, RFC 7798 7.1
VIDEO_TYPE, AAC_TYPE, PCMA_TYPE = 96, 97, 8  # RFC 3551 6: 8 is PCMA, 96 and above are dynamic
PREFIX = 4  # "$", channel, length
GARBLE_MIN_BYTES = 100
HEADER = 12  # RTP header without contributing sources (RFC 3550 5.1)

_PACKET = struct.Struct(">cBHBBHII")  # "$", channel, length, V/P/X/CC, M/PT, sequence, time stamp, SSRC
_STAMP = struct.Struct(">HII")  # sequence, time stamp, SSRC
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970 (RFC 5905 6)


@dataclass(frozen=True, slots=True)
class Unit:
    """All packets of one picture or one piece of sound; sequence number, time stamp and SSRC are empty."""

    packets: bytes
    offsets: tuple[int, ...]  # where each packet begins
    payload_octets: int
    is_key: bool

    def stamped(self, sequence: int, timestamp: int, ssrc: int, *, channel: int) -> bytearray:
        """A copy that is ready to be written to the socket."""
        packets = bytearray(self.packets)
        for offset in self.offsets:
            packets[offset + 1] = channel
            _STAMP.pack_into(packets, offset + PREFIX + 2, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
            sequence += 1
        return packets

    def garbled(self) -> Unit:
        """The same packets with the second half of every payload overwritten; headers stay right.

        Small packets are spared: they hold parameter sets, without which nothing recovers.
        """
        packets = bytearray(self.packets)
        for start, end in zip(self.offsets, (*self.offsets[1:], len(packets)), strict=True):
            if end - start < GARBLE_MIN_BYTES:
                continue
            middle = (start + PREFIX + HEADER + end) // 2
            packets[middle:end] = bytes((middle * 37 + index * 101) & 0xFF for index in range(end - middle))
        return Unit(bytes(packets), self.offsets, self.payload_octets, self.is_key)


@dataclass(frozen=True, slots=True)
class Track:
    """One medium of a loop. Unit n of the endless stream is `units[n % len(units)]`, at time n * ticks."""

    units: tuple[Unit, ...]
    clock_hz: int
    ticks: int  # of one unit
    payload_type: int
    parameters: tuple[bytes, ...]  # parameter sets of video, AudioSpecificConfig of AAC

    @property
    def unit_seconds(self) -> float:
        return self.ticks / self.clock_hz


@dataclass(frozen=True, slots=True)
class Loop:
    """A profile that can be played."""

    profile: Profile
    video: Track
    audio: Track | None


def build_loop(profile: Profile, video: bytes, audio: bytes | None) -> Loop:
    """A loop from the elementary streams that loops.make_loop() left in the cache."""
    pictures = split_video(video, profile.codec)
    if len(pictures) != profile.frames:
        raise ValueError(f"{profile.name}: {len(pictures)} pictures instead of {profile.frames}")
    ticks = VIDEO_CLOCK_HZ // profile.fps
    units = tuple(_video_unit(picture, profile.codec) for picture in pictures)
    sets = tuple(parameter_sets(pictures, profile.codec))
    track = Track(units, VIDEO_CLOCK_HZ, ticks, VIDEO_TYPE, sets)
    return Loop(profile, track, _audio_track(profile, audio) if audio is not None else None)


def _audio_track(profile: Profile, stream: bytes) -> Track:
    if profile.audio == "aac":
        frames, config = loop_of_aac(stream, profile)
        units = tuple(_unit([_aac_payload(frame)], AAC_TYPE, is_key=True) for frame in frames)
        return Track(units, AUDIO_RATES_HZ["aac"], AAC_SAMPLES, AAC_TYPE, (config,))
    units = tuple(_unit([piece], PCMA_TYPE, is_key=True) for piece in loop_of_pcma(stream, profile))
    return Track(units, AUDIO_RATES_HZ["pcma"], PCMA_SAMPLES, PCMA_TYPE, ())


def _aac_payload(frame: bytes) -> bytes:
    """One AU header of 13 bits size and 3 bits index (AAC-hbr, RFC 3640 3.2.1 and 3.3.6)."""
    return struct.pack(">HH", 16, len(frame) << 3) + frame


def _video_unit(picture: AccessUnit, codec: str) -> Unit:
    fragment = _fragments_h264 if codec == "h264" else _fragments_hevc
    payloads: list[bytes] = []
    for nal in picture.nals:
        payloads += [nal] if len(nal) <= MAX_PAYLOAD else fragment(nal)
    return _unit(payloads, VIDEO_TYPE, is_key=picture.is_key)


def _fragments_h264(nal: bytes) -> list[bytes]:
    """Fragmentation units FU-A (RFC 6184 5.8): the NAL header is split over indicator and FU header."""
    indicator = nal[0] & 0xE0 | 28
    return _fragments(nal[1:], bytes([indicator]), nal_type("h264", nal))


def _fragments_hevc(nal: bytes) -> list[bytes]:
    """Fragmentation units of type 49 (RFC 7798 4.4.3)."""
    header = bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
    return _fragments(nal[2:], header, nal_type("hevc", nal))


def _fragments(body: bytes, header: bytes, kind: int) -> list[bytes]:
    room = MAX_PAYLOAD - len(header) - 1
    starts = range(0, len(body), room)
    return [
        header
        + bytes([0x80 * (start == 0) | 0x40 * (start + room >= len(body)) | kind])
        + body[start : start + room]
        for start in starts
    ]


def _unit(payloads: list[bytes], payload_type: int, *, is_key: bool) -> Unit:
    """Packets with the marker on the last one (RFC 6184 5.1, RFC 3640 3.1)."""
    packets, offsets = bytearray(), []
    for index, payload in enumerate(payloads):
        marker = 0x80 if index == len(payloads) - 1 else 0
        offsets.append(len(packets))
        packets += (
            _PACKET.pack(b"$", 0, HEADER + len(payload), 0x80, marker | payload_type, 0, 0, 0) + payload
        )
    return Unit(bytes(packets), tuple(offsets), sum(map(len, payloads)), is_key)


def sender_report(now: float, timestamp: int, ssrc: int, *, packets: int, octets: int, channel: int) -> bytes:
    """An interleaved RTCP compound: sender report and CNAME (RFC 3550 6.4.1, 6.5.1); `now` is a Unix time."""
    seconds = int(now)
    fraction = int((now - seconds) * 2**32)
    report = struct.pack(
        ">BBHIIIIII",
        *(0x80, 200, 6, ssrc, seconds + _NTP_EPOCH & 0xFFFFFFFF, fraction),
        *(timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF),
    )
    name = b"\x01\x06camera\x00\x00\x00\x00"  # item, length, text, end and padding to 32 bits
    compound = report + struct.pack(">BBHI", 0x81, 202, 1 + len(name) // 4, ssrc) + name
    return struct.pack(">cBH", b"$", channel, len(compound)) + compound
