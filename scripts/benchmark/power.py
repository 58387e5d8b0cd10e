"""Measures what a power cut costs, on a file system of its own whose device is copied in one moment.

The copy holds exactly what the kernel had sent to the device, as a disk without a volatile cache would: what
only stood in memory is gone. It is mounted (the journal is replayed) and read like any disk after a cut.
"""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cctv.media.boxes import Fragment, NotMedia, is_whole, read_init, scan
from cctv.storage import paths
from scripts.benchmark.figure import Figure, failed
from scripts.benchmark.node import node

CAMERAS = ("a4", "c2", "t1a")
SIZE_MB = 1024
_FRAGMENT_SECONDS = 0.2
_SECTORS_WRITTEN = 6  # field of /sys/block/*/stat (Documentation/block/stat.rst)


def measure(*, seconds: float = 300) -> list[Figure]:
    """Ten cuts at random moments; four when quick. Needs root and loop devices, else it is missed."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        return [failed("footage lost by a power cut", RuntimeError("needs root and loop devices"))]
    cuts = 10 if seconds >= 60 else 4
    with tempfile.TemporaryDirectory(prefix="bench-power-", dir=_memory()) as name:
        folder = Path(name)
        image = folder / "disk"
        subprocess.run(["truncate", "-s", f"{SIZE_MB}M", image], check=True)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        with ExitStack() as stack:
            media_dir, device = stack.enter_context(mounted(image, folder / "media"))
            site = stack.enter_context(node(*CAMERAS, media_dir=media_dir))
            site.run_worker()
            cams = [site.add(profile, number) for number, profile in enumerate(CAMERAS, 1)]
            site.wait_live(*cams, timeout=60)
            time.sleep(10)
            moments = []
            for number in range(cuts):
                time.sleep(random.uniform(2, 7))
                copy = folder / f"cut-{number}"
                moments.append((copy, _cut(image, device, copy, [cam.camera_id for cam in cams], media_dir)))
            limit = site.config.fsync_seconds + _FRAGMENT_SECONDS
        losses = [loss for copy, ends in moments for loss in _losses(copy, folder / "after", ends)]
    worst, mean = max(losses), sum(losses) / len(losses)
    setting = limit - _FRAGMENT_SECONDS
    how = f"{cuts} cuts x {len(CAMERAS)} cameras, mean {mean:.1f} s; fsync setting {setting:g} s"
    return [Figure("footage lost by a power cut, worst", worst, "s", how, limit)]


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # so that a copy takes a moment only


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """The file system of an image and the name of its device."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        source = subprocess.run(
            ["findmnt", "-no", "SOURCE", folder], check=True, capture_output=True, text=True
        )
        yield folder, Path(source.stdout.strip()).name
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _cut(image: Path, device: str, copy: Path, camera_ids: list[int], media_dir: Path) -> dict[int, int]:
    """Copy the device; camera id -> end of its footage (content ms) just before."""
    while True:
        ends = {camera_id: newest_end_ms(media_dir, camera_id) for camera_id in camera_ids}
        before = _written(device)
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        if _written(device) == before:  # nothing was written meanwhile: the copy is of one moment
            return ends


def _written(device: str) -> int:
    return int(Path(f"/sys/block/{device}/stat").read_text().split()[_SECTORS_WRITTEN])


def _losses(copy: Path, folder: Path, ends: dict[int, int]) -> list[float]:
    with mounted(copy, folder) as (media_dir, _):
        return [(end - newest_end_ms(media_dir, camera_id)) / 1000 for camera_id, end in ends.items()]


def newest_end_ms(media_dir: Path, camera_id: int) -> int:
    """Where the readable footage of a camera ends; AssertionError when there is none."""
    ends = [
        fragment.end_ms
        for run_key in paths.list_runs(media_dir, camera_id)
        for number in paths.list_segments(media_dir, camera_id, run_key)[-2:]
        for fragment in _readable(paths.segment_path(media_dir, camera_id, run_key, number))[-1:]
    ]
    assert ends, f"camera {camera_id} has no readable footage"
    return max(ends)


def _readable(path: Path) -> list[Fragment]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        init = read_init(descriptor)
        found = [fragment for fragment in scan(descriptor, init, 0) if fragment.has_video]
        while found and not is_whole(descriptor, init, found[-1]):
            found.pop()
        return found
    except NotMedia:
        return []
    finally:
        os.close(descriptor)
