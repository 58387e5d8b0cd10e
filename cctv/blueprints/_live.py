"""What the pages with live pictures share: signed addresses, macros, and how many cameras are live.

Shapes for templates; what a person may press is in _rights.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from flask import Flask

from cctv.clock import now_ms
from cctv.models import Camera, User
from cctv.services.camera.status import CameraStatus
from cctv.services.person import access
from cctv.services.person.access import Action

_TROUBLE_WORDS = {
    "offline": "offline",
    "refused": "refused",
    "frozen": "frozen",
    "storage": "not recording",
    "unknown": "unknown",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """How many of the cameras are live, and what to say about the others."""

    live: int
    total: int  # without the ones that somebody turned off
    off: int
    trouble: str  # "2 offline, 1 frozen"; empty when all is well

    @property
    def sentence(self) -> str:
        """6 of 8 live."""
        if not self.total:
            return "All turned off" if self.off else ""
        return f"{self.live} of {self.total} live"


def base(user: User, camera: Camera) -> str:
    """Where a player finds the live bytes of a camera; signed for this session, ends with a slash."""
    return f"/stream/{access.media_token(user, camera.id, Action.LIVE)}/{camera.id}/"


def summary(statuses: Iterable[CameraStatus]) -> Summary:
    """Count the states."""
    counts = Counter(one.state for one in statuses)
    words = [f"{counts[state]} {word}" for state, word in _TROUBLE_WORDS.items() if counts[state]]
    off = counts.pop("off", 0)
    return Summary(counts["live"], counts.total(), off, ", ".join(words))


def register_live(app: Flask) -> None:
    """Make the macros about cameras known to all templates, as frame.py does with the general ones."""
    app.jinja_env.globals["now_ms"] = now_ms
    module = app.jinja_env.get_template("_camera_macros.html").module
    macros = {name: macro for name, macro in vars(module).items() if not name.startswith("_")}
    app.jinja_env.globals.update(macros)
