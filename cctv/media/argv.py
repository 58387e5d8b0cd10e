"""Every command line of ffmpeg that the product runs, each flag with its reason; lists of arguments, never
a shell. No name, address or password that a person typed may become an argument: sources come from a list
file or stdin.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

# The protocols a camera needs. Everything else (http, pipe, data, subfile, crypto'd files ...) stays shut
# (THREATS 10).
CAMERA_PROTOCOLS = "rtsp,rtsps,rtp,srtp,tcp,udp,tls,crypto"
FRAGMENT_MICROSECONDS = 200_000
SOUND_BITRATE = "32k"  # speech from G.711, which carries 4 kHz at most

# What makes the files of a run one continuous stream (validated as one piece, together with
# -output_ts_offset):
SEGMENT_FORMAT = ":".join(
    (
        # a key frame always begins a fragment: seeking and cells need no search in it
        "movflags=+frag_keyframe"
        "+empty_moov"  # the init stands at the front at once; a file is playable while it grows
        # offsets relative to the fragment: fragments can be served and joined as they are
        "+default_base_moof"
        "+frag_discont"  # decode times run on from the source's instead of being counted anew from 0
        "+skip_trailer",  # no index at the end: the file is the same whether ffmpeg closed it or was killed
        # live delay against bytes of overhead (0.2 s: 0.45 s with sound)
        f"frag_duration={FRAGMENT_MICROSECONDS}",
        "use_editlist=0",  # an edit list would move the start of the sound
        "avoid_negative_ts=disabled",  # the default shifts each file to 0 on its own and loses the A/V offset
        "video_track_timescale=90000",  # the clock of RTP: ticks are copied, never rounded
    )
)


def source_list(
    url_with_credentials: str, *, timeout_s: float = 60, full_analysis: bool = False, sound: bool = True
) -> str:
    """The text of `source.ffconcat` (to be written with mode 600): the address and the options of its
    connection.

    The address stays out of the argument list, which every user of the machine can read (DECISIONS 11).
    ValueError for an address with line breaks or of another scheme.
    """
    if not url_with_credentials.startswith(("rtsp://", "rtsps://")):
        raise ValueError("only rtsp and rtsps sources")
    if any(ord(character) < 32 or ord(character) == 127 for character in url_with_credentials):
        raise ValueError("a control character in the address")
    quoted = url_with_credentials.replace("'", r"'\''")
    lines = [
        "ffconcat version 1.0",
        f"file '{quoted}'",
        "option rtsp_transport tcp",  # no lost packets, one connection, passes firewalls (FAULTS C18)
        # Without it a silent camera holds ffmpeg for ever. It fires after twice the value and only as a
        # backstop: the keeper's own watchdog is faster and knows why (DECISIONS 5).
        f"option timeout {int(timeout_s * 1_000_000)}",
        # Some cameras offer ONVIF metadata as a third track; do not set it up.
        f"option allowed_media_types {'video+audio' if sound else 'video'}",
    ]
    if not full_analysis:
        # Start with what the SDP says instead of decoding 5 s: 80 ms of CPU instead of 200. 0 would mean
        # the default.
        lines.append("option analyzeduration 1")
    return "\n".join(lines) + "\n"


def capture_argv(
    list_path: Path,
    out_dir: Path,
    *,
    epoch_ms: int,
    second_of_minute: int = 0,
    audio: str | None = "copy",
    hevc: bool = False,
    full_analysis: bool = False,
    wallclock: bool = False,
    segment_seconds: int = 60,
    ffmpeg_path: str = "ffmpeg",
) -> list[str]:
    """Copy a camera into `out_dir`/00000.mp4 ... `audio` is copy, aac (G.711 and other sounds MP4 cannot
    hold) or None.

    `epoch_ms` (wall clock now) becomes the start of the timeline; files are cut at the first key frame after
    `second_of_minute` of each `segment_seconds` of the wall clock. The directory must exist.
    """
    options: dict[str, Any] = {
        "format": "concat",  # reads the list file
        "safe": 0,  # absolute addresses are allowed in it; it is ours
        "protocol_whitelist": f"file,{CAMERA_PROTOCOLS}",  # `file` is for the list itself
    }
    if not full_analysis:
        options["analyzeduration"] = 1
    if wallclock:
        # Arrival times instead of the camera's: for cameras whose clock jumps. Costs jitter, so only where
        # needed.
        options["use_wallclock_as_timestamps"] = 1
    source = ffmpeg.input(str(list_path), **options)
    streams = [source["v:0"]] + ([source["a:0?"]] if audio else [])  # "?": a camera without sound is fine
    return _segmented(
        streams,
        out_dir,
        codecs={"c:v": "copy", **_hevc_tag(hevc), **_sound(audio)},
        output_ts_offset=_seconds(epoch_ms),
        second_of_minute=second_of_minute,
        segment_seconds=segment_seconds,
        ffmpeg_path=ffmpeg_path,
    )


def _segmented(
    streams: list[Any],
    out_dir: Path,
    *,
    codecs: dict[str, Any],
    output_ts_offset: str | None,
    second_of_minute: int,
    segment_seconds: int,
    ffmpeg_path: str,
    **more: Any,
) -> list[str]:
    if "%" in str(out_dir):
        raise ValueError("a % in the directory would be taken as a template")
    options: dict[str, Any] = {
        **codecs,
        **more,
        # as an output option: else 256 KB wait in the buffer (0.5 to 1 s of live delay)
        "fflags": "+flush_packets",
        "segment_time": segment_seconds,
        # Cut by the wall clock. Without it the segment muxer compares the shifted times with n x 60 s and
        # makes a file per key frame; and a camera clock that jumps could not confuse it.
        "segment_atclocktime": 1,
        "segment_clocktime_offset": second_of_minute % segment_seconds,  # not all cameras in the same second
        "segment_format": "mp4",
        "segment_format_options": SEGMENT_FORMAT,
    }
    if output_ts_offset is not None:
        options["output_ts_offset"] = output_ts_offset  # decode times become wall clock times
    output = ffmpeg.output(*streams, str(Path(out_dir) / "%05d.mp4"), format="segment", **options)
    return _compile(output, ffmpeg_path)


def _compile(output: Any, ffmpeg_path: str, *, loglevel: str = "warning") -> list[str]:
    """`-nostdin` is left out where stdin is the source."""
    reads_stdin = "pipe:0" in output.get_args()
    quiet = ["-hide_banner", "-loglevel", loglevel]  # the log holds only what may tell a cause
    # Without -nostdin ffmpeg reads commands from whatever stdin it inherits.
    return output.compile(cmd=[ffmpeg_path, *([] if reads_stdin else ["-nostdin"]), *quiet])


def _hevc_tag(hevc: bool) -> dict[str, str]:
    # hvc1: parameter sets in the init, what Apple and MSE expect; ffmpeg's own choice would be hev1.
    return {"tag:v": "hvc1"} if hevc else {}


def _sound(audio: str | None) -> dict[str, str]:
    if audio == "aac":
        # The fast coder costs a sixth of the default and is good enough for 4 kHz of sound.
        return {"c:a": "aac", "aac_coder": "fast", "b:a": SOUND_BITRATE}
    return {"c:a": "copy"} if audio else {}


def _seconds(epoch_ms: int) -> str:
    return f"{epoch_ms // 1000}.{epoch_ms % 1000:03d}"
