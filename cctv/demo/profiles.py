"""The table of the loops that the demo camera can play, and how a path names one of them.
Only facts about the wanted video stand here; how it is made is in loops.py."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Literal

RECIPE = 1  # raise it when loops.py or strip.py draw or encode differently: cached loops are then made again
PHASE_SECONDS = (
    0.137  # by which each camera number is ahead of the one before, so that they do not send in step
)


@dataclass(frozen=True)
class Profile:
    """What one loop holds. It repeats without a seam: whole GOPs and AAC frames, the disc where it began."""

    name: str
    width: int
    height: int
    fps: int
    gop_seconds: int
    kbps: int
    codec: Literal["h264", "hevc"] = "h264"
    audio: Literal["aac", "pcma"] | None = None
    seconds: int = (
        16  # 16 s are exactly 250 AAC frames of 1024 samples at 16 kHz, and whole GOPs of 1, 2 and 4 s
    )
    noise: int = 0  # strength of the sensor noise, chosen so that the encoder needs its bit rate

    @property
    def frames(self) -> int:
        return self.seconds * self.fps

    def age_seconds(self, frame: int, *, camera: int, now: float) -> float:
        """How long before the Unix time `now` this camera sent this picture, modulo the loop."""
        return (now + camera * PHASE_SECONDS - frame / self.fps) % self.seconds

    @property
    def recipe(self) -> str:
        """The name that the loop has in the cache; it changes with anything that changes the bytes."""
        facts = repr((RECIPE, sorted(asdict(self).items())))
        return f"{self.name}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


_TABLE = (
    # The built-in demo camera.
    Profile("demo", 1280, 720, 15, 1, 1500, audio="aac", noise=4),
    # What real cameras send; the benchmark uses these.
    Profile("a4", 1920, 1080, 25, 2, 4000, audio="aac", noise=24),
    Profile("b2", 1920, 1080, 15, 4, 2000, audio="pcma", noise=24),
    Profile("c2", 1920, 1080, 25, 1, 2000, noise=16),
    Profile("d2", 1920, 1080, 20, 2, 2000, codec="hevc", noise=16),
    Profile("e1", 1280, 720, 25, 2, 1000, noise=12),
    Profile("s1", 640, 360, 10, 1, 400, noise=8),
    Profile("l20", 640, 360, 10, 20, 300, seconds=20, noise=4),
    # Small ones, so that a test costs almost nothing to encode and to decode.
    Profile("t1", 320, 240, 10, 1, 150),
    Profile("t1a", 320, 240, 10, 1, 150, audio="aac"),
    Profile("t1p", 320, 240, 10, 1, 150, audio="pcma"),
    Profile("t1h", 320, 240, 10, 1, 150, codec="hevc"),
    Profile("t4", 320, 240, 10, 4, 150),
    Profile("t1w", 480, 270, 10, 1, 200),
    Profile("t20", 320, 240, 10, 20, 150, seconds=20),
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in _TABLE}


@dataclass(frozen=True)
class Variant:
    """A profile as a path asks for it: `<profile>[-nosprop][-noaudio][-idr]`."""

    profile: Profile
    has_sprop: bool = True  # parameter sets in the session description (RFC 6184 8.2.1)
    has_audio: bool = True
    waits_for_key: bool = (
        False  # PLAY begins with the next key frame; else in the middle of a GOP, the worst case
    )


def find_variant(name: str) -> Variant | None:
    """The variant that a path component names, or None."""
    base, *options = name.split("-")
    if base not in PROFILES or not set(options) <= {"nosprop", "noaudio", "idr"}:
        return None
    profile = PROFILES[base]
    return Variant(
        profile,
        has_sprop="nosprop" not in options,
        has_audio=profile.audio is not None and "noaudio" not in options,
        waits_for_key="idr" in options,
    )
