"""Takes a few seconds of a camera through ffmpeg, exactly as a capture would, and reads the facts from the
bytes. For the check in the form; it leaves nothing behind but the picture and the clip that it was asked for.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from cctv.media import argv, stderr, tools, whereabouts
from cctv.media.addresses import CameraAddress
from cctv.media.boxes import TICKS_PER_SECOND, Fragment, Init, NotMedia, read_init, scan
from cctv.media.masking import mask

_ASK_EVERY_S = 0.5
FAR_APART_S = 4  # seconds between full pictures above which live view starts slowly


@dataclass(frozen=True, slots=True)
class Clip:
    """What was seen. `gop_ms` is 0 when no second key frame came while looking, and
    `longest_without_key_ms` then says how long there was none; `cause` is a code of
    causes.py (or `analysis`, see stderr.py) when no picture came at all."""

    cause: str | None = None
    detail: str = ""
    init: Init | None = None
    frames_per_second: float = 0.0
    gop_ms: int = 0
    longest_without_key_ms: int = 0
    bits_per_second: int = 0
    has_picture: bool = False


def take(
    address: CameraAddress,
    *,
    seconds: float,
    timeout_s: float,
    audio: str | None,
    hevc: bool,
    full_analysis: bool = False,
    picture_path: Path | None = None,
    is_unwanted: Callable[[], bool] = lambda: False,
) -> Clip:
    """Capture at most `seconds` of the (pinned) address; ends early once enough is known, or when
    `is_unwanted` (asked twice a second) says so."""
    with tempfile.TemporaryDirectory(prefix="cctv-check-") as directory:
        list_path, out, log = (Path(directory) / name for name in ("source.ffconcat", "clip.mp4", "log"))
        text = argv.source_list(
            address.url_with_credentials, timeout_s=timeout_s, full_analysis=full_analysis
        )
        descriptor = os.open(list_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as target:
            target.write(text)
        command = argv.clip_argv(
            list_path,
            out,
            seconds=seconds,
            audio=audio,
            hevc=hevc,
            full_analysis=full_analysis,
            ffmpeg_path=tools.ffmpeg_path() or "ffmpeg",
        )
        camera = (address.host, address.port)
        if not _run(command, out, log, camera, timeout_s=timeout_s, is_unwanted=is_unwanted):
            return Clip(cause="redirected", detail="ffmpeg was led to another address")
        found = _look(out)
        if found is None or not found[1]:
            words = log.read_text(errors="replace") if log.exists() else ""
            detail = mask("\n".join(stderr.telling_lines(words)), [address.password])
            return Clip(cause=stderr.classify(words), detail=detail)
        init, fragments = found
        has_picture = picture_path is not None and _keep(out, init, fragments, picture_path)
        return _facts(init, fragments, has_picture=has_picture)


def _run(
    command: list[str],
    out: Path,
    log: Path,
    camera: tuple[str, int],
    *,
    timeout_s: float,
    is_unwanted: Callable[[], bool],
) -> bool:
    """False when the camera led ffmpeg to another place; it is killed at once then."""
    with log.open("wb") as words:
        child = subprocess.Popen(
            tools.dying_with_parent(command), stdin=subprocess.DEVNULL, stdout=words, stderr=words
        )
    deadline = time.monotonic() + timeout_s
    ask_at = time.monotonic() + _ASK_EVERY_S
    try:
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
            found = _look(out)
            if not found and whereabouts.strays(child.pid, [camera]):
                child.kill()
                return False
            if found and _is_enough(found[1]):
                break
            if time.monotonic() >= ask_at:
                ask_at += _ASK_EVERY_S
                if is_unwanted():
                    break
    finally:
        child.terminate()
        try:
            child.wait(0.5)
        except subprocess.TimeoutExpired:
            child.kill()  # a camera that hangs makes ffmpeg deaf to TERM; the fragments are safe
            child.wait(5)
    return not whereabouts.strayed(log.read_text(errors="replace"), [camera])


def _look(path: Path) -> tuple[Init, list[Fragment]] | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        init = read_init(descriptor)
        return init, [found for found in scan(descriptor, init, 0) if found.has_video]
    except NotMedia:
        return None
    finally:
        os.close(descriptor)


def _keys(fragments: list[Fragment]) -> list[int]:
    """Start ticks of the key frames; two within 20 ms are one (parameter sets sent as a picture of their
    own)."""
    starts: list[int] = []
    for fragment in fragments:
        if fragment.is_key and (not starts or fragment.start_ticks - starts[-1] > TICKS_PER_SECOND // 50):
            starts.append(fragment.start_ticks)
    return starts


def _is_enough(fragments: list[Fragment]) -> bool:
    """Two full pictures in 3 s, or one and the certainty that they are far apart."""
    keys = _keys(fragments)
    if not keys:
        return False
    before, since = keys[0] - fragments[0].start_ticks, fragments[-1].end_ticks - keys[0]
    if len(keys) >= 2:
        return since >= 3 * TICKS_PER_SECOND
    return max(before, since) > FAR_APART_S * TICKS_PER_SECOND


def _facts(init: Init, fragments: list[Fragment], *, has_picture: bool) -> Clip:
    keys = _keys(fragments)
    start, end = fragments[0].start_ticks, fragments[-1].end_ticks
    ticks = max(1, end - start)
    paces = [
        each.duration_ticks / each.pictures for each in fragments if each.pictures and each.duration_ticks > 1
    ]
    gaps = [later - earlier for earlier, later in pairwise(keys)]
    silence = max(keys[0] - start, end - keys[0]) if keys else ticks
    return Clip(
        init=init,
        frames_per_second=round(TICKS_PER_SECOND / median(paces), 2) if paces else 0.0,
        gop_ms=int(median(gaps)) // 90 if gaps else 0,
        longest_without_key_ms=silence // 90,
        bits_per_second=sum(fragment.size for fragment in fragments) * 8 * TICKS_PER_SECOND // ticks,
        has_picture=has_picture,
    )


def _keep(out: Path, init: Init, fragments: list[Fragment], picture_path: Path) -> bool:
    """Write the JPEG of the first key frame, and beside it the clip from there on."""
    first = next((at for at, fragment in enumerate(fragments) if fragment.is_key), None)
    if first is None:
        return False
    content = out.read_bytes()
    head = content[: init.size]
    shown = content[fragments[first].offset : fragments[min(first + 1, len(fragments) - 1)].end_offset]
    picture = still(head + shown)
    if not picture:
        return False
    picture_path.write_bytes(picture)
    rest = content[fragments[first].offset : fragments[-1].end_offset]
    picture_path.with_suffix(".mp4").write_bytes(head + rest)
    return True


def still(content: bytes, *, width: int | None = None, timeout_s: float = 5.0) -> bytes:
    """One JPEG of init + fragments that begin with a key frame; empty when they cannot be decoded in time."""
    command = argv.snapshot_argv(width=width, ffmpeg_path=tools.ffmpeg_path() or "ffmpeg")
    try:
        done = subprocess.run(
            tools.confined(command),
            input=content,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return b""
    return done.stdout if done.stdout.startswith(b"\xff\xd8") else b""
