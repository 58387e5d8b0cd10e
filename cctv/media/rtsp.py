"""The camera check: address, connection, RTSP, login, path, picture, key frames, sound - told step by step.
It tries a login once, ends within its time, and connects nowhere but to the address that was checked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cctv import causes
from cctv.media import clip, sdp
from cctv.media.addresses import AddressRefused, CameraAddress, Networks, resolve
from cctv.media.masking import mask
from cctv.media.rtsp_client import Answer, RtspClient, RtspTrouble

STEPS = ("address", "tcp", "rtsp", "login", "path", "format", "keyframes", "sound")
_BY_STATUS = {401: "auth", 403: "forbidden", 453: "busy", 503: "busy", 461: "transport"}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the check as it happens; `state` is ok, warn, bad or skipped."""

    code: str
    state: str
    text: str
    ms: int = 0


OnStep = Callable[[Step], None]


@dataclass(slots=True)
class CheckReport:
    """The end of a check. `cause` is the first thing that is wrong, None when the camera can be captured;
    `warnings` are causes that do not prevent it (codec, keyframes, sound)."""

    cause: str | None = None
    detail: str = ""
    ip: str = ""
    warnings: list[str] = field(default_factory=list)
    description: sdp.Description | None = None
    clip: clip.Clip | None = None
    full_analysis: bool = False
    needed_login: bool = False
    elapsed_ms: int = 0

    def facts(self) -> dict[str, Any]:
        """What was found, fit for JSON: no credentials."""
        seen = self.clip
        init = seen.init if seen else None
        sound = self.description.sound if self.description else None
        return {
            "detail": self.detail,
            "warnings": self.warnings,
            "needed_login": self.needed_login,
            "full_analysis": self.full_analysis,
            "elapsed_ms": self.elapsed_ms,
            "video_codec": init.video.codec if init else None,
            "audio_codec": init.audio.codec if init and init.audio else None,
            "audio_source": sound.encoding.lower() if sound else None,
            "width": init.video.width if init else None,
            "height": init.video.height if init else None,
            "fps": seen.frames_per_second if seen else None,
            "gop_ms": (seen.gop_ms or None) if seen else None,
            "bitrate_kbps": seen.bits_per_second // 1000 if seen else None,
            "has_picture": bool(seen and seen.has_picture),
        }


class _Ladder:
    """Runs the steps in order, times them and tells them; what follows a failure is told as not checked."""

    def __init__(self, on_step: OnStep | None) -> None:
        self._on_step = on_step
        self._left = list(STEPS)
        self._since = time.monotonic()

    def tell(self, code: str, state: str, text: str) -> None:
        now = time.monotonic()
        self._left.remove(code)
        if self._on_step:
            self._on_step(Step(code, state, text, int((now - self._since) * 1000)))
        self._since = now

    def fail(self, code: str, headline: str) -> None:
        self.tell(code, "bad", headline)
        for later in list(self._left):
            self._left.remove(later)
            if self._on_step:
                self._on_step(Step(later, "skipped", "not checked"))


def check(
    address: CameraAddress,
    *,
    networks: Networks,
    on_step: OnStep | None = None,
    picture_path: Path | None = None,
    timeout_s: float = 4.0,
    total_s: float = 10.0,
    clip_s: float = 8.5,
    is_unwanted: Callable[[], bool] = lambda: False,
) -> CheckReport:
    """Check one address with its credentials. Each network step takes at most `timeout_s`, all of it
    `total_s`.

    At most two DESCRIBE are sent, the login at most once of them; ffmpeg logs in a second time only after
    it worked. `is_unwanted` is asked while looking at the picture, which takes longest; what `on_step`
    raises ends the check at once.
    """
    started = time.monotonic()
    report = CheckReport()
    ladder = _Ladder(on_step)
    step = ["address"]
    try:
        report.ip = resolve_in_time(address, networks, timeout_s)
        ladder.tell("address", "ok", f"found at {report.ip}")
        step[0] = "tcp"
        _talk(address, report, ladder, step, timeout_s=timeout_s)
        _watch(
            address,
            report,
            ladder,
            step,
            clip_s=clip_s,
            until=started + total_s,
            picture_path=picture_path,
            is_unwanted=is_unwanted,
        )
    except RtspTrouble as trouble:
        report.cause = trouble.code
        report.detail = mask(trouble.detail, [address.password])
        told = causes.get(trouble.code).told(
            host=address.host, address=address.host, port=address.port, user=address.username
        )
        ladder.fail(step[0], told[0])
    report.elapsed_ms = int((time.monotonic() - started) * 1000)
    return report


def resolve_in_time(address: CameraAddress, networks: Networks, timeout_s: float) -> str:
    """The address to connect to, looked up in a thread of its own because the name service has no timeout.

    Raises:
        RtspTrouble: dns or outside.
    """
    found: list[str | AddressRefused] = []

    def look_up() -> None:
        try:
            found.append(resolve(address, networks))
        except AddressRefused as refusal:
            found.append(refusal)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(timeout_s)
    answer = found[0] if found else AddressRefused("The name service does not answer.", code="dns")
    if isinstance(answer, AddressRefused):
        raise RtspTrouble(answer.code, str(answer))
    return answer


def _talk(
    address: CameraAddress, report: CheckReport, ladder: _Ladder, step: list[str], *, timeout_s: float
) -> None:
    client = RtspClient(address, report.ip, timeout_s)
    try:
        client.connect()
        ladder.tell("tcp", "ok", f"port {address.port} is open")
        step[0] = "rtsp"
        client.options()
        ladder.tell("rtsp", "ok", f"port {address.port} speaks RTSP")
        step[0] = "login"
        answer = client.describe()
    finally:
        client.close()
    report.needed_login = client.was_challenged
    code = cause_of(answer)
    if code in {"auth", "forbidden", "busy"}:
        raise RtspTrouble(code, f"DESCRIBE: {answer.status} {answer.reason}")
    ladder.tell("login", "ok", "login accepted" if report.needed_login else "no login needed")
    step[0] = "path"
    if code:
        raise RtspTrouble(code, f"DESCRIBE: {answer.status} {answer.reason}")
    ladder.tell("path", "ok", "the stream exists")
    step[0] = "format"
    report.description = sdp.parse(answer.body)
    _check_video(report.description)


def cause_of(answer: Answer) -> str | None:
    """What the answer to DESCRIBE says is wrong (causes.py); None when there is a description."""
    if answer.status == 200:
        return None
    if answer.status in _BY_STATUS:
        return _BY_STATUS[answer.status]
    if 300 <= answer.status < 400:
        return "redirected"  # and not followed (THREATS 8)
    return "path" if answer.status < 500 else "unknown"


def _check_video(description: sdp.Description) -> None:
    video = description.video
    if video is None:
        raise RtspTrouble("novideo", "the description names no video")
    if video.encoding == "JPEG":
        raise RtspTrouble("mjpeg", "JPEG over RTP")
    if video.encoding not in {"H264", "H265", "HEVC"}:
        raise RtspTrouble("format", video.encoding)


def _watch(
    address: CameraAddress,
    report: CheckReport,
    ladder: _Ladder,
    step: list[str],
    *,
    clip_s: float,
    until: float,
    picture_path: Path | None,
    is_unwanted: Callable[[], bool],
) -> None:
    description = report.description
    assert description is not None
    assert description.video is not None
    is_hevc = description.video.encoding != "H264"
    audio = sdp.audio_option(description.sound.encoding if description.sound else None)
    for full_analysis in (False, True):
        left = until - time.monotonic() - 0.7  # for ending ffmpeg and the picture
        seen = clip.take(
            address.pinned(report.ip),
            seconds=clip_s,
            timeout_s=max(1.0, left),
            audio=audio,
            hevc=is_hevc,
            full_analysis=full_analysis,
            picture_path=picture_path,
            is_unwanted=is_unwanted,
        )
        report.full_analysis = full_analysis
        if seen.cause != "analysis":
            break
    report.clip = seen
    if seen.init is None:
        # The description was good, so what is missing is the video itself, unless ffmpeg says better.
        code = (
            seen.cause
            if seen.cause in {"busy", "auth", "forbidden", "tls", "reset", "redirected"}
            else "transport"
        )
        raise RtspTrouble(code or "transport", seen.detail)
    _tell_picture(report, ladder, description)


def _tell_picture(report: CheckReport, ladder: _Ladder, description: sdp.Description) -> None:
    seen = report.clip
    assert seen is not None
    assert seen.init is not None
    video = seen.init.video
    name = "H.265" if video.is_hevc else "H.264"
    text = f"{video.width}×{video.height} {name}, {seen.frames_per_second:g} pictures a second"
    if video.is_hevc:
        report.warnings.append("codec")
    ladder.tell("format", "warn" if video.is_hevc else "ok", text)
    gop_ms = seen.gop_ms or seen.longest_without_key_ms
    is_slow = gop_ms > clip.FAR_APART_S * 1000
    if is_slow:
        report.warnings.append("keyframes")
    about = f"{gop_ms / 1000:.1f}" if seen.gop_ms else f"more than {gop_ms // 1000}"
    ladder.tell("keyframes", "warn" if is_slow else "ok", f"a full picture every {about} seconds")
    sound = description.sound
    if sound is None:
        ladder.tell("sound", "ok", "no sound")
    elif sdp.audio_option(sound.encoding) == "copy":
        ladder.tell("sound", "ok", f"sound: {'AAC' if 'M' in sound.encoding else sound.encoding.title()}")
    else:
        report.warnings.append("sound")
        ladder.tell("sound", "ok", f"sound: {sound.encoding or 'unknown'}, converted to AAC")
