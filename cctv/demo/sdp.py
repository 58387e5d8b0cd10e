"""The session description of a loop (RFC 4566) with the format parameters of each codec.
It describes only; which channel a track gets is settled by SETUP."""

from __future__ import annotations

from base64 import b64encode

from cctv.demo.profiles import Variant
from cctv.demo.rtp import AAC_TYPE, PCMA_TYPE, VIDEO_TYPE, Loop, Track


def describe(loop: Loop, variant: Variant) -> str:
    """The description that answers DESCRIBE; track controls are relative to Content-Base (RFC 2326 C.1.1)."""
    lines = [
        *("v=0", "o=- 1 1 IN IP4 127.0.0.1", f"s={loop.profile.name}", "c=IN IP4 0.0.0.0", "t=0 0"),
        *("a=control:*", "a=range:npt=now-"),
        *_describe_video(loop, has_sprop=variant.has_sprop),
    ]
    if loop.audio and variant.has_audio:
        lines += _describe_audio(loop.audio)
    return "\r\n".join(lines) + "\r\n"


def _describe_video(loop: Loop, *, has_sprop: bool) -> list[str]:
    profile, sets = loop.profile, loop.video.parameters
    encoded = [b64encode(nal).decode() for nal in sets]
    if profile.codec == "h264":  # RFC 6184 8.1
        name = "H264"
        parameters = ["packetization-mode=1", f"profile-level-id={sets[0][1:4].hex().upper()}"]
        if has_sprop:
            parameters.append(f"sprop-parameter-sets={','.join(encoded)}")
    else:  # RFC 7798 7.1
        name, parameters = "H265", []
        if has_sprop:
            names = ("sprop-vps", "sprop-sps", "sprop-pps")
            parameters = [f"{key}={value}" for key, value in zip(names, encoded, strict=True)]
    lines = [
        f"m=video 0 RTP/AVP {VIDEO_TYPE}",
        f"b=AS:{profile.kbps}",
        f"a=rtpmap:{VIDEO_TYPE} {name}/{loop.video.clock_hz}",
        f"a=framerate:{profile.fps}",
        "a=control:trackID=0",
    ]
    return lines + ([f"a=fmtp:{VIDEO_TYPE} {';'.join(parameters)}"] if parameters else [])


def _describe_audio(track: Track) -> list[str]:
    if track.payload_type == PCMA_TYPE:  # static, but cameras spell it out
        return [
            f"m=audio 0 RTP/AVP {PCMA_TYPE}",
            f"a=rtpmap:{PCMA_TYPE} PCMA/{track.clock_hz}",
            "a=control:trackID=1",
        ]
    config = track.parameters[0].hex().upper()
    return [  # RFC 3640 4.1
        f"m=audio 0 RTP/AVP {AAC_TYPE}",
        f"a=rtpmap:{AAC_TYPE} MPEG4-GENERIC/{track.clock_hz}/1",
        f"a=fmtp:{AAC_TYPE} streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
        f"indexdeltalength=3;config={config}",
        "a=control:trackID=1",
    ]
