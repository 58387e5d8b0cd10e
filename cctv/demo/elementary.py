"""Taking elementary streams apart: Annex B video into access units, ADTS and A-law sound into frames.
It reads only what loops.py made; it is no parser for streams of others."""

from __future__ import annotations

from dataclasses import dataclass

from cctv.demo.loops import AAC_SAMPLES, AUDIO_RATES_HZ
from cctv.demo.profiles import Profile

PCMA_SAMPLES = 320  # 40 ms a packet: half the packets of the usual 20 ms (RFC 3551 4.2 allows any)


@dataclass(frozen=True)
class AccessUnit:
    """One picture: its NAL units without start codes, and whether decoding can begin here."""

    nals: tuple[bytes, ...]
    is_key: bool


def nal_type(codec: str, nal: bytes) -> int:
    """The type of a NAL unit (H.264 7.3.1, H.265 7.3.1.2)."""
    return nal[0] & 0x1F if codec == "h264" else nal[0] >> 1 & 0x3F


# delimiter (a new picture begins), messages that players do not need, key pictures, parameter sets
_DELIMITER = {"h264": 9, "hevc": 35}
_MESSAGES = {"h264": {6}, "hevc": {39, 40}}
_KEYS = {"h264": {5}, "hevc": set(range(16, 22))}
_PARAMETERS = {"h264": (7, 8), "hevc": (32, 33, 34)}


def split_video(stream: bytes, codec: str) -> list[AccessUnit]:
    """The access units of an Annex B stream with delimiters."""
    units: list[list[bytes]] = []
    for nal in _split_nals(stream):
        kind = nal_type(codec, nal)
        if kind == _DELIMITER[codec]:
            units.append([])
        elif kind not in _MESSAGES[codec]:
            units[-1].append(nal)
    return [
        AccessUnit(tuple(nals), any(nal_type(codec, nal) in _KEYS[codec] for nal in nals)) for nals in units
    ]


def parameter_sets(units: list[AccessUnit], codec: str) -> list[bytes]:
    """VPS (H.265 only), SPS and PPS, in this order."""
    first = units[0].nals
    return [nal for kind in _PARAMETERS[codec] for nal in first if nal_type(codec, nal) == kind]


def _split_nals(stream: bytes) -> list[bytes]:
    """NAL units between start codes (H.264 Annex B); a NAL unit never ends in a zero byte."""
    nals, start = [], stream.find(b"\x00\x00\x01") + 3
    while start > 2:
        end = stream.find(b"\x00\x00\x01", start)
        nals.append(stream[start : end if end >= 0 else None].rstrip(b"\x00"))
        start = end + 3
    return nals


def split_adts(stream: bytes) -> tuple[list[bytes], bytes]:
    """The raw AAC frames of an ADTS stream, and its AudioSpecificConfig (ISO 14496-3 1.A.2.2, 1.6.2.1)."""
    frames, position = [], 0
    while position + 7 <= len(stream):
        header = stream[position : position + 7]
        size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
        frames.append(stream[position + (7 if header[1] & 1 else 9) : position + size])
        position += size
    object_type, rate_index = (stream[2] >> 6) + 1, stream[2] >> 2 & 15
    channels = (stream[2] & 1) << 2 | stream[3] >> 6
    return frames, (object_type << 11 | rate_index << 7 | channels << 3).to_bytes(2, "big")


def loop_of_aac(stream: bytes, profile: Profile) -> tuple[list[bytes], bytes]:
    """The second loop of the stream and its configuration.

    One frame later than it seems: the encoder begins with a frame of priming, and RTP has no edit list.
    """
    frames, config = split_adts(stream)
    count = profile.seconds * AUDIO_RATES_HZ["aac"] // AAC_SAMPLES
    return frames[count + 1 : 2 * count + 1], config


def loop_of_pcma(stream: bytes, profile: Profile) -> list[bytes]:
    """Packets of 40 ms; A-law has no memory, so the first loop is as good as the second."""
    count = profile.seconds * AUDIO_RATES_HZ["pcma"] // PCMA_SAMPLES
    return [stream[index * PCMA_SAMPLES : (index + 1) * PCMA_SAMPLES] for index in range(count)]
