"""Encoding the loops once with ffmpeg, and keeping them in a cache directory named by recipe.
Nothing is encoded while a camera plays; a loop is complete as soon as its video file has its final name."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cctv.demo.profiles import Profile
from cctv.demo.strip import draw_strips, strip_height

AUDIO_RATES_HZ = {"aac": 16000, "pcma": 8000}
AAC_SAMPLES = 1024  # of one AAC frame (ISO 14496-3)
ENCODE_SECONDS_MAX = 120


class LoopFailed(Exception):
    """ffmpeg could not make the loop; the text is what it said."""


def make_loop(profile: Profile, cache_dir: Path, *, ffmpeg: str = "ffmpeg") -> tuple[Path, Path | None]:
    """The elementary streams of a loop: video in Annex B form, sound as ADTS or A-law (None when silent).

    Encodes what the cache does not hold; several processes may ask at the same time. Raises LoopFailed.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    video = cache_dir / f"{profile.recipe}.{profile.codec}"
    audio = cache_dir / f"{profile.recipe}.{profile.audio}" if profile.audio else None
    if not video.exists():
        with _only_one(cache_dir / f"{profile.recipe}.lock"):
            if not video.exists():
                if audio:
                    _encode(_audio_argv(profile, ffmpeg), audio)
                _encode(_video_argv(profile, ffmpeg), video, strips=_strips(profile))
    return video, audio


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _encode(argv: list[str], target: Path, *, strips: Iterable[bytes] = ()) -> None:
    """Runs one ffmpeg that writes `target` under a temporary name, feeding it the strips."""
    partial = target.with_suffix(f"{target.suffix}.{os.getpid()}")
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            [*argv, str(partial)], stdin=subprocess.PIPE, stdout=said, stderr=said
        ) as child:
            assert child.stdin is not None
            try:
                for strip in strips:
                    child.stdin.write(strip)
                child.stdin.close()
            except BrokenPipeError:
                pass  # ffmpeg gave up; its own words below say why
            try:
                code = child.wait(timeout=ENCODE_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                child.kill()
                code = child.wait()
        said.seek(0)
        if code != 0:
            partial.unlink(missing_ok=True)
            raise LoopFailed(
                f"{target.name}: ffmpeg ended with {code}: {said.read()[-600:].decode(errors='replace')}"
            )
    partial.replace(target)


def _strips(profile: Profile) -> Iterator[bytes]:
    return draw_strips(profile.width, profile.height, fps=profile.fps, frames=profile.frames)


def _video_argv(profile: Profile, ffmpeg: str) -> list[str]:
    lines = strip_height(profile.height)
    return [
        *(ffmpeg, "-hide_banner", "-loglevel", "error", "-y"),
        *("-f", "rawvideo", "-pix_fmt", "gray", "-video_size", f"{profile.width}x{lines}"),
        *("-framerate", str(profile.fps), "-i", "pipe:0"),
        *("-filter_complex", _picture(profile), "-map", "[out]", "-frames:v", str(profile.frames)),
        *("-pix_fmt", "yuv420p", "-b:v", f"{profile.kbps}k"),
        # A buffer of one second keeps every second near the nominal rate, as cameras do.
        *("-maxrate", f"{profile.kbps}k", "-bufsize", f"{profile.kbps}k"),
        *_encoder(profile),
        *("-f", profile.codec),
    ]


def _encoder(profile: Profile) -> list[str]:
    """Key frames at fixed places and no B frames, as cameras send; delimiters for our own parser."""
    gop = profile.fps * profile.gop_seconds
    fixed = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0:open-gop=0:aud=1:repeat-headers=1"
    if profile.codec == "hevc":
        return ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"log-level=error:{fixed}"]
    return ["-c:v", "libx264", "-preset", "superfast", "-x264-params", fixed]


def _picture(profile: Profile) -> str:
    """The filter graph: a still card, a disc that crosses it and comes back, noise, the strip on top.

    The disc rests for half of the loop, so that the demo camera has quiet and busy stretches.
    """
    width, height = profile.width, profile.height - strip_height(profile.height)
    fps, disc, bars = profile.fps, height // 6 * 2, height // 16 * 2
    span, quarter = width - 2 * disc, profile.seconds / 4
    way = f"clip((t-{quarter / 2})/{quarter},0,1)-clip((t-{2.5 * quarter})/{quarter},0,1)"
    hold = "loop=loop=-1:size=1"
    inside = f"255*clip({disc / 2}-hypot(X-{disc / 2},Y-{disc / 2}),0,1)"
    grid = height // 8
    return ";".join(
        [
            f"gradients=size={width}x{height}:rate={fps}:c0=0x17324d:c1=0x3f7f8c:x0=0:y0=0:x1={width}:y1={height}"
            f":nb_colors=2,drawgrid=w={grid}:h={grid}:t=2:c=white@0.12,trim=end_frame=1[card]",
            f"smptehdbars=size={width}x{bars}:rate={fps},trim=end_frame=1[bars]",
            f"[card][bars]overlay=0:{height - bars},format=yuv420p,{hold},setpts=N[still]",
            f"color=c=0xffb347:size={disc}x{disc}:rate={fps},format=yuva420p,trim=end_frame=1,"
            f"geq=lum='p(X,Y)':cb='p(X,Y)':cr='p(X,Y)':a='{inside}',"
            f"{hold},setpts=N[disc]",
            f"[still][disc]overlay=x='{disc // 2}+{span}*({way})':y={(height - bars - disc) // 2}:eval=frame"
            + (f",noise=c0s={profile.noise}:c0f=t" if profile.noise else "")
            + "[scene]",
            "[0:v]format=yuv420p[strip];[strip][scene]vstack=shortest=1[out]",
        ]
    )


def _audio_argv(profile: Profile, ffmpeg: str) -> list[str]:
    """A quiet tone with a short beep at each full second of the loop.

    Two loops and a little are made: demo/elementary.py takes the second one, in which the encoder is settled.
    """
    assert profile.audio is not None
    rate = AUDIO_RATES_HZ[profile.audio]
    tone = (
        f"sine=frequency=440:beep_factor=2:sample_rate={rate}:duration={profile.seconds * 2 + 2},volume=0.15"
    )
    encoder = {
        "aac": ["-c:a", "aac", "-b:a", "32k", "-f", "adts"],
        "pcma": ["-c:a", "pcm_alaw", "-f", "alaw"],
    }
    return [
        *(ffmpeg, "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i", tone),
        *("-ac", "1", *encoder[profile.audio]),
    ]
