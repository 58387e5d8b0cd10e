"""Measures the search for activity: what it finds and imagines on the labelled scenes, and what it costs.

The cost is that of whole passes over real files, one file each as in life, with the decoding child.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cctv import create_app
from cctv.demo.loops import make_loop
from cctv.demo.profiles import PROFILES
from cctv.demo.scenes import KINDS, Scene
from cctv.media.argv import SEGMENT_FORMAT
from cctv.services.footage import segments
from cctv.services.movement import activity_watch
from scripts.benchmark import scenes
from scripts.benchmark.figure import Figure
from tests.fixtures.application import make_config, migrate
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, make_node, put_run

_LOOPS = Path(__file__).resolve().parent.parent.parent / ".cache" / "loops"
_RECALL, _FALSE_AN_HOUR, _CPU = 0.95, 1.0, 12.0
_COSTS = {
    "a4": "1080p25 H.264, 4 Mbit/s, key frame every 2 s",
    "d2": "1080p20 H.265, 2 Mbit/s, key frame every 2 s",
    "s1": "a small stream, 640x360, key frame every 1 s",
}
_MINUTES = 6  # of each


def measure(*, seconds: float = 300) -> list[Figure]:
    """Two camera-hours of scenes; twenty minutes when quick."""
    each = 1200.0 if seconds >= 60 else 200.0
    return [*_accuracy(each), *(_cost(profile) for profile in _COSTS)]


def _accuracy(seconds: float) -> list[Figure]:
    scores = []
    with tempfile.TemporaryDirectory(prefix="bench-activity-") as folder:
        for number, kind in enumerate(KINDS):
            scene = Scene(kind, 1000 + number, seconds)
            path = Path(folder) / "scene.mp4"
            scenes.encode(scene, path)
            one = scenes.score(scene, scenes.find(scenes.pictures(path)))
            scores.append(one)
            print(f"    {kind.name}: {one.found} of {one.events}, {one.false_alarms} false", file=sys.stderr)
    events, hours = sum(one.events for one in scores), sum(one.seconds for one in scores) / 3600
    missed = 1 - sum(one.found for one in scores) / events
    how = f"{events} events in {hours:.2g} h of {len(KINDS)} kinds of light and noise, objects from 24x60"
    return [
        Figure("activity: missed events", missed, "of 1", how, round(1 - _RECALL, 3)),
        Figure(
            "activity: false alarms",
            sum(one.false_alarms for one in scores) / hours,
            "a camera-hour",
            "lamps, clouds and noise",
            _FALSE_AN_HOUR,
        ),
    ]


def _cost(profile: str) -> Figure:
    with _site() as folder:
        camera = make_camera(since_ms=EPOCH_S * 1000)
        node = make_node()
        directory = put_run(camera, _files(profile, folder), node=node, seconds=60)
        files = closed_files(directory)[:_MINUTES]
        before = _cpu_ms()
        for file in files:
            segments.index([file])
            activity_watch.watch(node.id, at_ms=file.segment.ended_ms + 20_000)
        spent = _cpu_ms() - before
        length = sum(file.segment.ended_ms - file.segment.started_ms for file in files) / 1000
    limit = _CPU if PROFILES[profile].gop_seconds == 2 else None
    return Figure(f"activity: CPU, {profile}", spent / length, "ms a camera-second", _COSTS[profile], limit)


@contextmanager
def _site() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-activity-"))
    try:
        config = make_config(folder, database_url=f"sqlite:///{folder}/cctv.db", redis_url="unix:///nowhere")
        migrate(config)
        with create_app(config).app_context():
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files(profile: str, folder: Path) -> list[Path]:
    """Minutes of a loop in our own files."""
    facts = PROFILES[profile]
    video, _sound = make_loop(facts, _LOOPS)
    target = folder / "made"
    target.mkdir()
    command = [
        *("ffmpeg", "-hide_banner", "-loglevel", "fatal", "-f", facts.codec, "-framerate", str(facts.fps)),
        *("-i", "pipe:0", "-c", "copy", *(("-tag:v", "hvc1") if facts.codec == "hevc" else ())),
        *("-f", "segment", "-segment_time", "60", "-segment_format", "mp4", "-segment_format_options"),
        *(f"{SEGMENT_FORMAT}:output_ts_offset={EPOCH_S}", f"{target}/%05d.mp4"),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        for _ in range(_MINUTES * 60 // facts.seconds + 2):
            child.stdin.write(video.read_bytes())
    return sorted(target.glob("*.mp4"))


def _cpu_ms() -> float:
    """Of this process and of the children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used) * 1000
