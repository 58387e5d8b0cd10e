"""Plays the labelled scenes to the search for activity, through real encoding and decoding.

Only its key frames are made: they are all that the search looks at, and a camera-hour of them takes a minute.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cctv.demo.scenes import HEIGHT, WIDTH, Passage, Scene
from cctv.media.boxes import read_init, scan
from cctv.media.glances import Clip, Glance
from cctv.media.motion import Episode, Episodes, Watcher
from cctv.models.activity import LONGEST_ACTIVITY_MS
from cctv.services.movement.activity_watch import PAUSE_MS

EVERY_S = 2.0  # between two key frames
# What a key frame has of a camera with 2 to 4 Mbit/s and a key frame every 2 s.
KEY_BYTES = 120_000
_TICKS = 90_000


@dataclass(frozen=True, slots=True)
class Score:
    """What was found of what there was."""

    events: int
    found: int
    false_alarms: int
    seconds: float
    missed: tuple[Passage, ...] = ()
    wrong: tuple[Episode, ...] = ()


def encode(scene: Scene, path: Path) -> None:
    """The scene as a file in our own format, every picture a key frame of about KEY_BYTES."""
    rate = KEY_BYTES * 8 / EVERY_S
    command = [
        *("ffmpeg", "-hide_banner", "-loglevel", "error", "-y"),
        *("-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", f"{WIDTH}x{HEIGHT}"),
        *("-framerate", f"1/{EVERY_S:g}", "-i", "pipe:0"),
        *("-c:v", "libx264", "-preset", "superfast", "-g", "1", "-bf", "0", "-threads", "1"),
        *("-b:v", f"{rate:.0f}", "-maxrate", f"{rate:.0f}", "-bufsize", f"{rate * 4:.0f}"),
        *("-f", "mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof+frag_discont"),
        *("-use_editlist", "0", "-video_track_timescale", "90000", str(path)),
    ]
    grey = bytes([128]) * (WIDTH * HEIGHT // 2)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        for _at_s, luma in scene.frames(every_s=EVERY_S):
            child.stdin.write(luma.tobytes())
            child.stdin.write(grey)
        child.stdin.close()
        if child.wait(timeout=120):
            raise RuntimeError(f"ffmpeg ended with {child.returncode}")


def pictures(path: Path) -> list[Glance]:
    """The small pictures, as the product makes them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        init = read_init(descriptor)
        keys = [(one.offset, one.start_ticks) for one in scan(descriptor, init, 0) if one.is_key]
        found: list[Glance] = []
        for at in range(0, len(keys), 150):
            clip = Clip()
            clip.add(descriptor, keys[at : at + 150], least_apart_ticks=0)
            found += clip.decode(timeout_s=120)
    finally:
        os.close(descriptor)
    return found


def find(glances: Iterable[Glance], *, sensitivity: int = 50) -> list[Episode]:
    """The episodes that the search tells."""
    watcher, episodes = (
        Watcher(sensitivity=sensitivity),
        Episodes(pause_ms=PAUSE_MS, longest_ms=LONGEST_ACTIVITY_MS),
    )
    for glance in glances:
        change = watcher.look(glance.picture, glance.ticks * 1000 // _TICKS)
        if change is not None:
            episodes.add(watcher, change)
    return episodes.found


def score(scene: Scene, episodes: list[Episode]) -> Score:
    """Events longer than two distances of key frames count; an episode away from all is a false alarm."""
    events = [one for one in scene.passages if one.end_s - one.start_s > 2 * EVERY_S]
    missed = [one for one in events if not any(_touch(one, episode, 0.0) for episode in episodes)]
    wrong = [
        episode for episode in episodes if not any(_touch(one, episode, EVERY_S) for one in scene.passages)
    ]
    return Score(
        len(events), len(events) - len(missed), len(wrong), scene.seconds, tuple(missed), tuple(wrong)
    )


def _touch(passage: Passage, episode: Episode, margin_s: float) -> bool:
    start_ms, end_ms = (passage.start_s - margin_s) * 1000, (passage.end_s + margin_s) * 1000
    return episode.started_ms < end_ms and start_ms < episode.ended_ms
