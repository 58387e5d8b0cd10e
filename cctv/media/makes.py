"""Known makes of cameras and the paths under which they offer their main and small stream.

Only paths from the makers' public manuals; never an address, never a password.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Make:
    """One make; `main` and `sub` are paths with a leading slash, empty when the make has none."""

    key: str
    name: str
    main: str
    sub: str = ""


MAKES = (
    Make("hikvision", "Hikvision", "/Streaming/Channels/101", "/Streaming/Channels/102"),
    Make(
        "dahua",
        "Dahua",
        "/cam/realmonitor?channel=1&subtype=0",
        "/cam/realmonitor?channel=1&subtype=1",
    ),
    Make("axis", "Axis", "/axis-media/media.amp", "/axis-media/media.amp?resolution=640x360"),
    Make("reolink", "Reolink", "/h264Preview_01_main", "/h264Preview_01_sub"),
    Make("tplink", "TP-Link Tapo and VIGI", "/stream1", "/stream2"),
    Make("unifi", "UniFi (copy the link from Protect)", ""),
    Make("generic", "Another make with ONVIF", "/onvif1", "/onvif2"),
)
_BY_KEY = {make.key: make for make in MAKES}


def find_make(key: str) -> Make | None:
    """The make of that key, or None."""
    return _BY_KEY.get(key)
