"""Reads the parameter sets (SPS, PPS, VPS) of H.264 and H.265: the facts they state and how codecs are
spelt for browsers. Pure functions over bytes that never raise on damaged input; it must never learn about
files or boxes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

H264_SPS, H264_PPS = 7, 8
H265_VPS, H265_SPS, H265_PPS = 32, 33, 34
_SLICES_H264 = frozenset((1, 2, 3, 4, 5))
_LARGEST_SIDE = 16384
# profile_idc values whose SPS carries chroma_format_idc (ITU-T H.264, 7.3.2.1.1)
_HIGH_PROFILES = frozenset((44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244))


class SpsFacts(NamedTuple):
    """What a decoder must be set up anew for when it changes; sizes in pixels after cropping."""

    profile: int
    level: int
    width: int
    height: int
    chroma_format: int
    bit_depth: int


class _Bits:
    """Reads single bits and Exp-Golomb codes (ITU-T H.264, 9.1) from a NAL unit without emulation bytes."""

    def __init__(self, nal: bytes) -> None:
        payload = nal.replace(b"\x00\x00\x03", b"\x00\x00")
        self.value = int.from_bytes(payload, "big")
        self.left = len(payload) * 8

    def take(self, count: int) -> int:
        if count > self.left:
            raise ValueError("the parameter set ends early")
        self.left -= count
        return (self.value >> self.left) & ((1 << count) - 1)

    def golomb(self) -> int:
        zeros = 0
        while self.take(1) == 0:
            zeros += 1
            if zeros > 32:
                raise ValueError("no such code")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        code = self.golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)


@lru_cache(maxsize=512)
def sps_facts(nal: bytes, *, is_hevc: bool) -> SpsFacts | None:
    """The facts of one SPS NAL unit (header included); None when it cannot be understood."""
    try:
        facts = _hevc_facts(_Bits(nal[2:])) if is_hevc else _avc_facts(_Bits(nal[1:]))
    except ValueError:
        return None
    plausible = 0 < facts.width <= _LARGEST_SIDE and 0 < facts.height <= _LARGEST_SIDE
    return facts if plausible else None


def _avc_facts(bits: _Bits) -> SpsFacts:
    profile = bits.take(8)
    bits.take(8)  # constraint flags
    level = bits.take(8)
    bits.golomb()  # seq_parameter_set_id
    chroma, depth, separate = 1, 8, 0
    if profile in _HIGH_PROFILES:
        chroma = bits.golomb()
        separate = bits.take(1) if chroma == 3 else 0
        depth = 8 + bits.golomb()
        bits.golomb()  # bit_depth_chroma_minus8
        bits.take(1)  # qpprime_y_zero_transform_bypass_flag
        if bits.take(1):
            _skip_scaling_lists(bits, 12 if chroma == 3 else 8)
    bits.golomb()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    bits.golomb()  # max_num_ref_frames
    bits.take(1)  # gaps_in_frame_num_value_allowed_flag
    width = 16 * (bits.golomb() + 1)
    map_units = bits.golomb() + 1
    frames_only = bits.take(1)
    height = 16 * map_units * (2 - frames_only)
    if not frames_only:
        bits.take(1)  # mb_adaptive_frame_field_flag
    bits.take(1)  # direct_8x8_inference_flag
    if bits.take(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        subsampled = chroma in (1, 2) and not separate
        across = 2 if subsampled else 1
        down = (2 if chroma == 1 and not separate else 1) * (2 - frames_only)
        width -= (left + right) * across
        height -= (top + bottom) * down
    return SpsFacts(profile, level, width, height, chroma, depth)


def _skip_scaling_lists(bits: _Bits, lists: int) -> None:
    for number in range(lists):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if number < 6 else 64):
            if following:
                following = (last + bits.signed_golomb()) % 256
            last = following or last


def _skip_picture_order(bits: _Bits) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        cycle = bits.golomb()
        if cycle > 255:
            raise ValueError("picture order cycle out of range")
        for _ in range(cycle):
            bits.golomb()


def _hevc_facts(bits: _Bits) -> SpsFacts:
    bits.take(4)  # sps_video_parameter_set_id
    sub_layers = bits.take(3)
    bits.take(1)  # sps_temporal_id_nesting_flag
    bits.take(3)  # general_profile_space, general_tier_flag
    profile = bits.take(5)
    bits.take(32 + 48)  # compatibility and constraint flags
    level = bits.take(8)
    present = [(bits.take(1), bits.take(1)) for _ in range(8 if sub_layers else 0)]
    for has_profile, has_level in present[:sub_layers]:
        bits.take(88 * has_profile + 8 * has_level)
    bits.golomb()  # sps_seq_parameter_set_id
    chroma = bits.golomb()
    if chroma == 3:
        bits.take(1)  # separate_colour_plane_flag
    width, height = bits.golomb(), bits.golomb()
    if bits.take(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1)
    return SpsFacts(profile, level, width, height, chroma, 8 + bits.golomb())


def nal_type(first_byte: int, *, is_hevc: bool) -> int:
    """The type of a NAL unit from the first byte of its header (H.264 7.3.1; H.265 7.3.1.2)."""
    return (first_byte >> 1) & 0x3F if is_hevc else first_byte & 0x1F


def in_band_sps(sample: bytes, *, is_hevc: bool) -> bytes | None:
    """The first SPS in the beginning of a length-prefixed key frame; empty when there is none before the
    picture.

    None when `sample` is cut off before that is known. Trailing zeros, which some cameras pad with, are
    taken off.
    """
    wanted = H265_SPS if is_hevc else H264_SPS
    at, end = 0, len(sample)
    while at + 5 <= end:
        length = int.from_bytes(sample[at : at + 4], "big")
        kind = nal_type(sample[at + 4], is_hevc=is_hevc)
        if length == 0 or (kind < 32 if is_hevc else kind in _SLICES_H264):
            return b""
        if kind == wanted:
            whole = length <= end - at - 4
            return sample[at + 4 : at + 4 + length].rstrip(b"\x00") if whole else None
        at += 4 + length
    return None


def avc_codec(record: bytes) -> str:
    """`avc1.PPCCLL` of an AVCDecoderConfigurationRecord (RFC 6381, 3.3)."""
    return "avc1." + record[1:4].hex()


def hevc_codec(record: bytes) -> str:
    """`hvc1...` of an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, annex E.3)."""
    space = ("", "A", "B", "C")[record[1] >> 6]
    tier = "H" if record[1] & 0x20 else "L"
    compatibility = int.from_bytes(record[2:6], "big")
    reversed_flags = int(f"{compatibility:032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\x00")
    parts = [f"hvc1.{space}{record[1] & 0x1F}", f"{reversed_flags:x}", f"{tier}{record[12]}"]
    return ".".join(parts + [f"{byte:x}" for byte in constraints])


def avc_sps(record: bytes) -> tuple[bytes, ...]:
    """The SPS units of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    found, at = [], 6
    for _ in range(record[5] & 0x1F if len(record) > 5 else 0):
        length = int.from_bytes(record[at : at + 2], "big")
        found.append(record[at + 2 : at + 2 + length].rstrip(b"\x00"))
        at += 2 + length
    return tuple(found)


def hevc_sps(record: bytes) -> tuple[bytes, ...]:
    """The SPS units of an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1)."""
    found, at = [], 23
    for _ in range(record[22] if len(record) > 22 else 0):
        kind = record[at] & 0x3F if at < len(record) else 0
        count = int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(min(count, 64)):
            length = int.from_bytes(record[at : at + 2], "big")
            if kind == H265_SPS:
                found.append(record[at + 2 : at + 2 + length].rstrip(b"\x00"))
            at += 2 + length
    return tuple(found)
