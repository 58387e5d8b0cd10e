"""Every command line of ffmpeg that the product runs, each flag with its reason; lists of arguments, never
a shell. No name, address or password that a person typed may become an argument: sources come from the
signpost, a list file or stdin.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

# The protocols a camera needs. Everything else (http, pipe, data, subfile, crypto'd files ...) stays shut
# (THREATS 10).
CAMERA_PROTOCOLS = "rtsp,rtsps,rtp,srtp,tcp,udp,tls,crypto"
FRAGMENT_MICROSECONDS = 200_000
# Start with what the SDP says instead of decoding 5 s: 90 ms of CPU instead of 200. Not less with sound:
# the picture size is read from the first video packet, and when sound came first ffmpeg would give up
# before it (docs/decisions).
QUICK_ANALYSIS_MICROSECONDS = 150_000
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
    """The text of a list file for one short look at a camera (to be written with mode 600): the
    address and the options of its connection.

    The address stays out of the argument list, which every user of the machine can read (DECISIONS 11).
    ValueError for an address with line breaks or of another scheme.
    """
    if not url_with_credentials.startswith(("rtsp://", "rtsps://")):
        raise ValueError("only rtsp and rtsps sources")
    if any(ord(character) < 32 or ord(character) == 127 for character in url_with_credentials):
        raise ValueError("a control character in the address")
    quoted = url_with_credentials.replace("'", r"'\''")
    options = _connection(timeout_s=timeout_s, sound=sound, full_analysis=full_analysis)
    lines = ["ffconcat version 1.0", f"file '{quoted}'"]
    lines += [f"option {name} {value}" for name, value in options.items()]
    return "\n".join(lines) + "\n"


def capture_argv(  # noqa: PLR0913 - one name for each fact about the camera
    address: str,
    out_dir: Path,
    *,
    epoch_ms: int,
    second_of_minute: int = 0,
    audio: str | None = "copy",
    hevc: bool = False,
    full_analysis: bool = False,
    wallclock: bool = False,
    segment_seconds: int = 60,
    timeout_s: float = 60,
    ffmpeg_path: str = "ffmpeg",
) -> list[str]:
    """Copy a camera into `out_dir`/00000.mp4 ... `audio` is copy, aac (G.711 and other sounds MP4 cannot
    hold) or None.

    `address` holds no login: it is the signpost's (media/signpost.py), which leads to the camera.
    `epoch_ms` (wall clock now) becomes the start of the timeline; files are cut at the first key frame after
    `second_of_minute` of each `segment_seconds` of the wall clock. The directory must exist.
    ValueError for an address with a login or of another scheme than rtsp and rtsps.
    """
    if not address.startswith(("rtsp://", "rtsps://")) or "@" in address:
        raise ValueError("a capture takes an rtsp address without a login")
    source = _camera(
        address, sound=bool(audio), full_analysis=full_analysis, wallclock=wallclock, timeout_s=timeout_s
    )
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


def _camera(address: str, *, sound: bool, full_analysis: bool, wallclock: bool, timeout_s: float) -> Any:
    options: dict[str, Any] = {
        "protocol_whitelist": CAMERA_PROTOCOLS,
        **_connection(timeout_s=timeout_s, sound=sound, full_analysis=full_analysis),
    }
    if wallclock:
        # Arrival times instead of the camera's: for cameras whose clock jumps. Costs jitter, so only where
        # needed.
        options["use_wallclock_as_timestamps"] = 1
    return ffmpeg.input(address, **options)


def _connection(*, timeout_s: float, sound: bool, full_analysis: bool) -> dict[str, Any]:
    """How a camera is asked for its stream."""
    options: dict[str, Any] = {
        "rtsp_transport": "tcp",  # no lost packets, one connection, passes firewalls (FAULTS C18)
        # Without it a silent camera holds ffmpeg for ever. It fires after twice the value and only as a
        # backstop: the keeper's own watchdog is faster and knows why (DECISIONS 5).
        "timeout": int(timeout_s * 1_000_000),
        # Some cameras offer ONVIF metadata as a third track; do not set it up.
        "allowed_media_types": "video+audio" if sound else "video",
    }
    if not full_analysis:
        options["analyzeduration"] = QUICK_ANALYSIS_MICROSECONDS if sound else 1
        options["fpsprobesize"] = 0  # the frame rate is not needed for copying
    return options


def _listed(list_path: Path, *, full_analysis: bool) -> Any:
    """A camera whose address and options stand in a list file."""
    options: dict[str, Any] = {
        "format": "concat",  # reads the list file
        "safe": 0,  # absolute addresses are allowed in it; it is ours
        "protocol_whitelist": f"file,{CAMERA_PROTOCOLS}",  # `file` is for the list itself
    }
    if not full_analysis:
        options["analyzeduration"] = 1  # the list has analysed already; 0 would mean the default of 5 s
        options["fpsprobesize"] = 0
    return ffmpeg.input(str(list_path), **options)


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
        # A camera may stop sending sound while its video goes on: the default holds the video back for 10 s.
        "max_interleave_delta": 1_000_000,
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
    # The log holds only what may tell a cause. nostats: else a line of progress is made up twice a second
    # even when nobody is shown it (1 % of a capture).
    quiet = ["-hide_banner", "-nostats", "-loglevel", loglevel]
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


@dataclass(frozen=True, slots=True)
class Quality:
    """One rung of the ladder: the most lines it has, its bit rate and how hard x264 works for it."""

    height: int
    kilobits: int
    preset: str


# 480p costs 0.22 of a core at veryfast, 720p 0.2 at ultrafast (ENGINE, quality ladder).
QUALITIES = {
    "720p": Quality(720, 2000, "ultrafast"),
    "480p": Quality(480, 900, "veryfast"),
    "360p": Quality(360, 500, "veryfast"),
}
# A key frame with the first picture of each second of the epoch, whatever the source's are: one per cell
# of 1 s.
KEY_EACH_SECOND = "expr:if(isnan(prev_forced_t),1,gt(floor(t),floor(prev_forced_t)))"


def transcode_argv(
    out_dir: Path,
    *,
    quality: str,
    second_of_minute: int = 0,
    has_audio: bool = True,
    segment_seconds: int = 60,
    ffmpeg_path: str = "ffmpeg",
) -> list[str]:
    """Make a smaller stream from our own bytes on stdin (init, then fragments from a key frame on), in the
    same files as a capture: `out_dir`/00000.mp4 ... with the decode times of the source. H.265 becomes
    H.264."""
    rung = QUALITIES[quality]
    source = _own_bytes(copyts=None)  # keep the epoch times of the source instead of starting at 0
    return _segmented(
        [source["v:0"], *([source["a:0?"]] if has_audio else [])],
        out_dir,
        codecs={"c:v": "libx264", **({"c:a": "copy"} if has_audio else {})},
        output_ts_offset=None,
        second_of_minute=second_of_minute,
        segment_seconds=segment_seconds,
        ffmpeg_path=ffmpeg_path,
        preset=rung.preset,
        tune="zerolatency",  # each picture leaves at once: no look-ahead, no B-frames
        **{"profile:v": "main"},  # every browser and old tablet plays it; 10-bit and 4:2:2 sources too
        pix_fmt="yuv420p",
        vf=f"scale=w=-2:h=min({rung.height}\\,ih)",  # never larger than the source; even width
        **{"b:v": f"{rung.kilobits}k", "maxrate": f"{rung.kilobits}k", "bufsize": f"{rung.kilobits}k"},
        fps_mode="passthrough",  # the source's pictures at the source's times; the default would invent some
        enc_time_base="1:90000",  # exact times instead of ones rounded to a frame rate
        force_key_frames=KEY_EACH_SECOND,
        g=600,  # x264's own key frames never come between
        sc_threshold=0,  # nor at a change of scene
        threads=1,  # cheapest a picture; a node runs few of these at a time
    )


def _own_bytes(**options: Any) -> Any:
    """Our own fragmented MP4 on stdin: the format is known, so probing for it only costs time. Nothing in
    it may make ffmpeg open a file or an address (THREATS 10, 43)."""
    return ffmpeg.input(
        "pipe:0", format="mp4", protocol_whitelist="pipe", analyzeduration=1, probesize=32_768, **options
    )


def snapshot_argv(*, width: int | None = None, ffmpeg_path: str = "ffmpeg") -> list[str]:
    """stdin: init, a key fragment and the one after it (some cameras send the parameter sets as a picture
    of their own). stdout: one JPEG, at most `width` pixels wide, in the picture's shape."""
    options: dict[str, Any] = {"frames:v": 1, "c:v": "mjpeg", "q:v": 4, "threads": 1, "strict": "unofficial"}
    if width:
        options["vf"] = f"scale=w=min({int(width)}\\,iw):h=-2"
    source = _own_bytes(threads=1)  # one picture: starting more threads costs more than it gains
    # an: the sound is not needed; "strict" lets mjpeg take limited-range colours as they are.
    output = ffmpeg.output(source["v:0"], "pipe:1", format="image2pipe", **options)
    return _compile(output, ffmpeg_path, loglevel="error")


def glances_argv(width: int, height: int, *, ffmpeg_path: str = "ffmpeg") -> list[str]:
    """stdin: init and key fragments of one run. stdout: each key frame as grey pixels of `width` x `height`,
    one after the other; stderr: a line of showinfo for each, with its decode time of the file as pts."""
    source = _own_bytes(
        threads=1,  # cheapest a picture
        skip_frame="nokey",  # the fragment goes on behind the key frame
        skip_loop_filter="all",  # a tenth of the work, and no other picture is made from this one
        flags="-output_corrupt",  # what could not be decoded whole would look like something that moved
        err_detect="explode",  # and neither shall it be patched up
        copyts=None,  # times of the file, not counted from its first picture
    )
    scaled = f"scale={width}:{height}:flags=area,format=gray,showinfo=checksum=0"
    output = ffmpeg.output(source["v:0"], "pipe:1", format="rawvideo", vf=scaled, fps_mode="passthrough")
    return _compile(output, ffmpeg_path, loglevel="info")  # showinfo speaks at this level


def clip_argv(
    list_path: Path,
    out_path: Path,
    *,
    seconds: float,
    audio: str | None = "copy",
    hevc: bool = False,
    full_analysis: bool = False,
    ffmpeg_path: str = "ffmpeg",
) -> list[str]:
    """A few seconds of a camera for the check in the form: same source and fragments as a capture, times
    from 0.

    Pictures before the first key frame are kept, so that waiting for one can be told from no picture at all.
    """
    source = _listed(list_path, full_analysis=full_analysis)
    output = ffmpeg.output(
        source["v:0"],
        *([source["a:0?"]] if audio else []),
        str(out_path),
        format="mp4",
        t=seconds,
        y=None,
        fflags="+flush_packets",
        movflags=SEGMENT_FORMAT.partition(":")[0].removeprefix("movflags="),
        frag_duration=FRAGMENT_MICROSECONDS,
        use_editlist=0,
        video_track_timescale=90000,
        **{"c:v": "copy", "copyinkf:v": None, **_hevc_tag(hevc), **_sound(audio)},
    )
    return _compile(output, ffmpeg_path)


def export_argv(out_path: Path, *, ffmpeg_path: str = "ffmpeg") -> list[str]:
    """stdin: init and fragments of one run's footage; a plain MP4 file that starts at 0 and plays everywhere.

    No option sets the start: ffmpeg subtracts it itself, and keeps the distance between sound and picture.
    """
    output = ffmpeg.output(
        ffmpeg.input("pipe:0", format="mp4"),
        str(out_path),
        format="mp4",
        map="0",  # video and sound
        c="copy",  # not a picture is changed: it may be evidence
        movflags="+faststart",  # the index in front, so that it plays while it is downloaded
        y=None,  # the name is ours and unique; an unfinished earlier try is replaced
    )
    return _compile(output, ffmpeg_path, loglevel="error")
