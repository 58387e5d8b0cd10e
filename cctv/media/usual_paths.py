"""Tries the usual stream paths of the known makes on one camera, with one login, and stops at the first 401.
It only asks for descriptions: no video is fetched, and no path outside makes.py is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cctv.media import rtsp, sdp
from cctv.media.addresses import CameraAddress, Networks
from cctv.media.makes import MAKES, Make
from cctv.media.masking import mask
from cctv.media.rtsp import Step
from cctv.media.rtsp_client import RtspClient, RtspTrouble

MOST_TRIES = 6
_RECORDABLE = {"H264", "H265", "HEVC"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of the tries. `found` is the address that works, without credentials, and `make` whose path it
    has; otherwise `cause` is `path` when no usual path exists, else what ended the tries (causes.py)."""

    found: str = ""
    make: str = ""
    tried: int = 0
    cause: str | None = None
    detail: str = ""


def find(
    address: CameraAddress,
    *,
    networks: Networks,
    on_step: Callable[[Step], None],
    timeout_s: float = 4.0,
) -> Outcome:
    """Ask the camera for at most MOST_TRIES usual paths; each try takes at most twice `timeout_s`.

    Each try sends the login at most once. A camera that refuses it once is not asked again, because many
    lock the account after a few refusals.
    """
    tried = 0
    try:
        ip = rtsp.resolve_in_time(address, networks, timeout_s)
        for make in usual(address.path):
            tried += 1
            place = replace(address, path=make.main)
            trouble = _ask(place, ip, timeout_s)
            on_step(_told(make, trouble))
            if trouble is None:
                return Outcome(found=place.safe_url, make=make.name, tried=tried)
    except RtspTrouble as trouble:
        detail = mask(trouble.detail, [address.password])
        on_step(Step("path", "bad", "the camera refused the login" if trouble.code == "auth" else "stopped"))
        return Outcome(tried=tried, cause=trouble.code, detail=detail)
    return Outcome(tried=tried, cause="path")


def usual(except_path: str) -> list[Make]:
    """The makes whose path is worth a try, in the order of the table, without the path that failed."""
    return [make for make in MAKES if make.main and make.main != except_path][:MOST_TRIES]


def _ask(place: CameraAddress, ip: str, timeout_s: float) -> str | None:
    """None when the path has video that can be recorded, else why not; RtspTrouble ends the tries."""
    client = RtspClient(place, ip, timeout_s)
    try:
        client.connect()
        answer = client.describe()
    finally:
        client.close()
    code = rtsp.cause_of(answer)
    if code not in (None, "path"):
        raise RtspTrouble(code, f"DESCRIBE: {answer.status} {answer.reason}")
    if code == "path":
        return f"does not exist ({answer.status})"
    video = sdp.parse(answer.body).video
    return (
        None if video is not None and video.encoding in _RECORDABLE else "has no video that can be recorded"
    )


def _told(make: Make, trouble: str | None) -> Step:
    return Step("path", "skipped" if trouble else "ok", f"{make.main} ({make.name}) {trouble or 'works'}")
