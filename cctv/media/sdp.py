"""Reads what a camera says about its streams (SDP, RFC 8866 with RFC 3551 payload types).
The text comes from a stranger: nothing in it is followed, and it is never shown unshortened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STATIC = {
    0: "PCMU",
    3: "GSM",
    4: "G723",
    8: "PCMA",
    9: "G722",
    14: "MPA",
    18: "G729",
    26: "JPEG",
    33: "MP2T",
}
# Sounds that MP4 holds as they are; everything else is converted to AAC.
_COPIED_SOUNDS = frozenset(("MPEG4-GENERIC", "MP4A-LATM", "OPUS"))
_VIDEO_NAMES = {"H264": "H.264", "H265": "H.265", "HEVC": "H.265", "JPEG": "JPEG"}


@dataclass(frozen=True, slots=True)
class Track:
    """One announced medium; `encoding` is upper case, empty when it is not said."""

    kind: str
    encoding: str
    clock_rate: int = 0
    has_parameter_sets: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What the camera offers, first of each kind first."""

    tracks: tuple[Track, ...]

    @property
    def video(self) -> Track | None:
        return next((track for track in self.tracks if track.kind == "video"), None)

    @property
    def sound(self) -> Track | None:
        return next((track for track in self.tracks if track.kind == "audio"), None)


def parse(text: str) -> Description:
    """The media of a description; never raises. Lines that cannot be understood are passed over."""
    tracks: list[Track] = []
    for section in re.split(r"(?m)^m=", text)[1:33]:
        first, *lines = section.splitlines() or [""]
        words = first.split()
        if len(words) < 4:
            continue
        payload = words[3]
        name, rate = _encoding(payload, lines)
        sets = any(line.startswith("a=fmtp:") and "sprop-" in line for line in lines)
        tracks.append(Track(words[0].lower()[:16], name, rate, sets))
    return Description(tuple(tracks))


def _encoding(payload: str, lines: list[str]) -> tuple[str, int]:
    for line in lines:
        match = re.match(r"a=rtpmap:\s*(\d+)\s+([\w.+-]{1,32})(?:/(\d{1,7}))?", line, re.ASCII)
        if match and match[1] == payload:
            return match[2].upper(), int(match[3] or 0)
    known = _STATIC.get(int(payload), "") if re.fullmatch(r"[0-9]{1,3}", payload) else ""
    return known, 0


def video_name(encoding: str) -> str:
    """How a person calls a video encoding."""
    return _VIDEO_NAMES.get(encoding, encoding or "unknown")


def audio_option(encoding: str | None) -> str | None:
    """How capture treats a sound: `copy`, `aac` (converted) or None (there is none)."""
    if not encoding:
        return None
    return "copy" if encoding.upper() in _COPIED_SOUNDS else "aac"
