"""Measures how fast an hour of 1080p becomes a file to take home, against ffmpeg copying the same bytes."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from cctv import create_app
from cctv.extensions import db
from cctv.media.argv import SEGMENT_FORMAT
from cctv.media.boxes import read_init
from cctv.media.init_boxes import Init, walk
from cctv.models import Camera, Export, ExportState, Role
from cctv.services.export import export_files, export_making, exports
from cctv.services.export.exports import Wish
from cctv.services.footage import segments
from cctv.services.person import users
from cctv.services.site import nodes
from cctv.storage import paths
from cctv.storage.runfile import RunFile, write_run
from scripts.benchmark.figure import Figure
from tests.fixtures.application import OWNER_PASSWORD, make_config, migrate
from tests.services.footage import closed_files, make_camera, run_of

EPOCH_S = 1_795_354_200  # a round minute
MINUTE_S = 60
SLOWEST = 1.25  # at least 0.8 of ffmpeg's speed
TRIES = 3
_MINUTE = [
    *("-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25,noise=alls=12:allf=t"),
    *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000", "-t", str(MINUTE_S)),
    *("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-bf", "0", "-b:v", "4M", "-maxrate", "4M"),
    *("-bufsize", "2M", "-x264-params", "nal-hrd=cbr:force-cfr=1", "-c:a", "aac", "-b:a", "32k"),
]


def measure(*, seconds: float = 300) -> list[Figure]:
    """An hour; five minutes when quick. All of it lies in memory before."""
    minutes = 60 if seconds >= 60 else 5
    with tempfile.TemporaryDirectory(prefix="bench-export-") as folder:
        config = make_config(
            Path(folder), database_url=f"sqlite:///{folder}/cctv.db", redis_url="unix:///nowhere"
        )
        migrate(config)
        app = create_app(config)
        with app.app_context():
            camera = make_camera(since_ms=0)
            whole = _film(camera, Path(folder), minutes)
            times = [_round(camera, whole, minutes) for _ in range(TRIES)]
            size_mb = whole.stat().st_size / 1e6
            db.engine.dispose()
    ours, synced, bare, fast = (median(column) for column in zip(*times, strict=True))
    how = (
        f"{minutes} min, {size_mb:.0f} MB in memory; {ours:.2f} s with SHA-256 and the index in front;"
        f" ffmpeg -c copy {bare:.2f} s, with +faststart {fast:.2f} s; medians of {TRIES}"
    )
    until_disk = f"{size_mb / (ours + synced):.0f} MB/s, {synced:.2f} s of it fsync"
    return [
        Figure("export: time against ffmpeg -c copy", ours / bare, "x", how, SLOWEST),
        Figure("export: speed", minutes * MINUTE_S / (ours + synced), "x real time", until_disk),
    ]


def _round(camera: Camera, whole: Path, minutes: int) -> tuple[float, float, float, float]:
    """Seconds: ours without and of its fsync, ffmpeg's (it does none), ffmpeg's with the index in front."""
    _warm(whole)
    waited: list[float] = []

    def timed(fd: Any) -> None:
        began = time.monotonic()
        sync(fd)
        waited.append(time.monotonic() - began)

    sync, os.fsync = os.fsync, timed
    try:
        whole_s = _export(camera, minutes)
    finally:
        os.fsync = sync
    return (
        whole_s - sum(waited),
        sum(waited),
        _copy(whole, []),
        _copy(whole, ["-movflags", "+faststart"]),
    )


def _export(camera: Camera, minutes: int) -> float:
    """Seconds that our own takes, from the start of the job until the file may be downloaded."""
    user = users.find_by_login("owner@example.org") or users.create_user(
        "Olive Owner", "owner@example.org", password=OWNER_PASSWORD, role=Role.SUPER_ADMIN
    )
    start_ms = EPOCH_S * 1000
    wish = Wish((camera.id,), start_ms, start_ms + minutes * MINUTE_S * 1000)
    export = exports.create_export(user, wish)
    began = time.monotonic()
    export_making.work(nodes.this_node().id)
    elapsed = time.monotonic() - began
    found = db.session.get_one(Export, export.id, populate_existing=True)
    assert found.state == ExportState.READY, found.cause
    assert export_files.path_of(found).stat().st_size == found.size_bytes
    exports.delete_export(user, found)
    return elapsed


def _copy(whole: Path, options: list[str]) -> float:
    """Seconds that ffmpeg takes for the same bytes."""
    target = whole.with_name("copy.mp4")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(whole), "-map", "0", "-c", "copy"]
    began = time.monotonic()
    subprocess.run([*command, *options, "-y", str(target)], check=True)
    elapsed = time.monotonic() - began
    target.unlink()
    return elapsed


def _warm(whole: Path) -> None:
    """Bring everything into memory, and let nothing wait for the disk."""
    os.sync()
    for path in [*(whole.parent / "media").rglob("*.mp4"), whole]:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 22):
                pass


def _film(camera: Camera, folder: Path, minutes: int) -> Path:
    """A run of minute files as capture leaves them, with rows; and all of it in one file, for ffmpeg."""
    minute = folder / "minute"
    minute.mkdir()
    files = ["-f", "segment", "-segment_time", "600", "-segment_format", "mp4", "-segment_format_options"]
    files += [f"{SEGMENT_FORMAT}:output_ts_offset={EPOCH_S}", f"{minute}/%05d.mp4"]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *_MINUTE, *files], check=True)
    content = (minute / "00000.mp4").read_bytes()
    with (minute / "00000.mp4").open("rb") as file:
        init = read_init(file.fileno())
    run = run_of(camera, epoch_ms=EPOCH_S * 1000, node=nodes.this_node())
    directory = paths.run_dir(folder / "media", camera.id, run.run)
    directory.mkdir(parents=True)
    whole = folder / "whole.mp4"
    with whole.open("wb") as target:
        target.write(content[: init.size])
        for number in range(minutes):
            later = _later(content, init, number * MINUTE_S)
            (directory / paths.segment_name(number)).write_bytes(later)
            target.write(later[init.size :])
    facts = {name: getattr(run, name) for name in RunFile.__dataclass_fields__}
    facts |= {"init_size": init.size, "init_sha256": init.sha256, "video_codec": init.video.codec}
    write_run(directory, RunFile(**facts))
    segments.index(closed_files(directory))
    return whole


def _later(content: bytes, init: Init, seconds: int) -> bytes:
    """The same fragments with later decode times."""
    scales = {init.video.track_id: init.video.timescale}
    if init.audio:
        scales[init.audio.track_id] = init.audio.timescale
    moved = bytearray(content)
    for kind, start, end in walk(content, init.size, len(content)):
        if kind != b"moof":
            continue
        for inner, at, inner_end in walk(content, start, end):
            if inner != b"traf":
                continue
            track_id = 0
            for box, place, _ in walk(content, at, inner_end):
                if box == b"tfhd":
                    track_id = struct.unpack_from(">I", content, place + 4)[0]
                elif box == b"tfdt":
                    (ticks,) = struct.unpack_from(">Q", content, place + 4)
                    struct.pack_into(">Q", moved, place + 4, ticks + seconds * scales[track_id])
    return bytes(moved)
