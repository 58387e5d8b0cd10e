"""Short runs of files in our own format, made by a real ffmpeg from its test pictures, without a camera."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from cctv.media.argv import SEGMENT_FORMAT

EPOCH_S = 1_795_354_218
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-x264-params", "repeat-headers=1"]
H265 = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"]
H265 += ["-x265-params", "log-level=none:repeat-headers=1"]
TONE = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000"]
AAC = ["-c:a", "aac", "-b:a", "32k"]


@functools.cache
def _cache() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="cctv-loops-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@functools.cache
def run_files(
    kind: str = "h264",
    *,
    seconds: int = 12,
    sound: bool = False,
    size: str = "320x240",
    picture: str = "testsrc2",
) -> tuple[Path, ...]:
    """The 4 s files of one run: 25 pictures and one key frame a second, times from EPOCH_S. Only to be
    read."""
    directory = Path(tempfile.mkdtemp(dir=_cache()))
    inputs = [
        "-f",
        "lavfi",
        "-i",
        picture if ":" in picture else f"{picture}=size={size}:rate=25",
        *(TONE if sound else []),
    ]
    coding = [*(H265 if kind == "h265" else H264), "-g", "25", "-bf", "0", *(AAC if sound else [])]
    files = ["-f", "segment", "-segment_time", "4", "-segment_format", "mp4", "-segment_format_options"]
    files += [f"{SEGMENT_FORMAT}:output_ts_offset={EPOCH_S}", f"{directory}/%05d.mp4"]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", *inputs, "-t", str(seconds), *coding, *files]
    subprocess.run(command, check=True, timeout=60)
    return tuple(sorted(directory.glob("*.mp4")))
