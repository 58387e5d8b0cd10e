"""Reads what ffmpeg wrote to its log and names the one cause of its end; tells noise from trouble.
The log may hold an address with a password, so nothing of it may be shown before masking.
"""

from __future__ import annotations

import re

# In the order of precedence: the first that is found is the cause. Texts are those of ffmpeg 5.1 to 9
# (libavformat/rtsp.c, network.c, av_strerror and the strerror texts of glibc).
_SIGNS = (
    ("disk_full", r"No space left on device|Disk quota exceeded"),
    (
        "disk_error",
        r"Read-only file system|Permission denied.*\.mp4|\.mp4: (Input/output error|Permission denied)",
    ),
    ("auth", r"\b401 Unauthorized|authorization failed"),
    ("forbidden", r"\b403 Forbidden|access denied\)"),
    ("busy", r"\b453\b|\b503 Service|Not Enough Bandwidth|Service Unavailable"),
    ("transport", r"\b461\b|Unsupported Transport|Nonmatching transport"),
    ("path", r"\b404\b|\b454\b|\b400 Bad Request|Stream Not Found|Session Not Found"),
    ("dns", r"Failed to resolve hostname|Name or service not known|Temporary failure in name resolution"),
    ("refused", r"Connection refused"),
    ("noroute", r"No route to host|Network is unreachable|Host is down"),
    (
        "tls",
        r"(?i)\btls\b.*(handshake|certificate|alert)|certificate (verify|is not)",
    ),
    ("novideo", r"Stream map '0:v:0' matches no streams|does not contain any stream"),
    (
        "sound",
        r"Could not find tag for codec pcm_|Could not find tag for codec (adpcm|mp2|g72|speex|opus|vorbis)",
    ),
    ("format", r"Could not find tag for codec|codec not currently supported in container"),
    ("analysis", r"Could not find codec parameters|unspecified size|dimensions not set"),
    ("reset", r"Connection reset by peer|Broken pipe"),
    ("stall", r"Connection timed out|Operation timed out"),
    (
        "damaged",
        r"Invalid data found when processing input|Server returned [45]XX|End of file|Input/output error",
    ),
)
_BEFORE_A_PICTURE = {"stall": "silent", "damaged": "nostart"}
_CAUSES = tuple((code, re.compile(pattern)) for code, pattern in _SIGNS)
_PLACE = re.compile(r"Connection to t(?:cp|ls)://\[?([^\s\]/?]+)\]?:(\d{1,5})\b")
_TIME_TROUBLE = re.compile(r"Non-monotonous DTS|non monotonically increasing dts")

_HARMLESS = re.compile(
    "|".join(
        (
            # one tick, after RTCP (re-)synchronises
            r"Packet duration: -?[0-9]{1,2} / dts: [0-9-]+ is out of range",
            r"pts has no value|DTS -?[0-9]{1,6} < 0 out of order",
            r"Invalid DTS: -?[0-9]{1,6} PTS: -?[0-9]{1,6} in output",  # the first packets of a session
            r"Timestamps are unset in a packet",
            r"Fix your code to set the timestamps properly",
            r"Missing reference picture|co located POCs unavailable|error while decoding MB",
            r"decode_slice_header error|no frame!|non-existing PPS|Could not find ref with POC",
            r"First slice in a frame",
            r"max delay reached\. need to consume packet|RTP: missed [0-9]+ packets|RTP: dropping old packet",
            r"Last message repeated",
            r"Found duplicated MOOV Atom",
            r"Estimating duration from bitrate|not enough frames to estimate rate",
            r"codec frame size is not set|Estimating the duration of the last packet",
            r"deprecated pixel format|Stream #[0-9]+: not enough|CSeq [0-9]+ expected",
            r"Using AVStream\.codec|Guessed Channel Layout|Queue input is backward in time",
        )
    )
)


def is_harmless(line: str) -> bool:
    """Whether a line is noise that healthy captures make too (ENGINE section 11). A single non-monotonous
    time stamp is noise; see `count_time_trouble` for many."""
    return not line.strip() or bool(_HARMLESS.search(line) or _TIME_TROUBLE.search(line))


def count_time_trouble(text: str) -> int:
    """How many packets had a time not after the one before. Some servers cause one per key frame; a frozen
    camera clock causes one per packet."""
    return len(_TIME_TROUBLE.findall(text))


def needs_full_analysis(text: str) -> bool:
    """Whether ffmpeg gave up because the camera's description lacks the picture size (no parameter sets in
    the SDP): try again with full analysis."""
    return classify(text) == "analysis"


def classify(text: str, *, had_pictures: bool = False) -> str:
    """The cause of the end of a capture, from its log: a code of causes.py, or `analysis` (see above).

    `had_pictures`: the capture ran before it ended. An empty log then means that the camera closed the
    connection, which ffmpeg does not mention (exit code 0). Without pictures and without a sign it is
    `unknown`. "Invalid data found" is damage only where there was data: a camera that hangs up while it
    starts and a web server get the same words, told as `nostart`; the staged check tells them apart.
    """
    for code, pattern in _CAUSES:
        if pattern.search(text):
            return code if had_pictures else _BEFORE_A_PICTURE.get(code, code)
    return "ended" if had_pictures else "unknown"


def tried_places(text: str) -> list[tuple[str, int]]:
    """(host, port) of each connection that ffmpeg says it could not make."""
    return [(host, int(port)) for host, port in _PLACE.findall(text)]


def telling_lines(text: str, *, limit: int = 5) -> list[str]:
    """The last lines that are not noise; still to be masked."""
    lines = [re.sub(r"\[([a-z0-9_]+) @ 0x[0-9a-f]+\] ", r"\1: ", line.strip()) for line in text.splitlines()]
    return [line for line in lines if not is_harmless(line)][-limit:]
