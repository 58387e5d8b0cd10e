"""What the server knows about each camera number: the faults that are switched on, and what was counted.
Cameras come into being when first asked for; nothing here touches a socket."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from cctv.demo.profiles import PHASE_SECONDS, find_variant

USER, PASSWORD = "admin", "secret"


@dataclass
class Faults:
    """What is wrong with a camera now; a new object is a camera without faults."""

    is_frozen: bool = False  # accepts connections, answers nothing, sends nothing
    is_stalled: bool = False  # answers, sends no media
    is_muted: bool = False  # sends no sound
    speaks_http: bool = False
    status: dict[str, int] = field(default_factory=dict)  # RTSP method -> status code that it gets
    redirect_url: str | None = None
    describe_delay_seconds: float = 0.0
    frame_delay_seconds: float = 0.0
    down_until: float = 0.0  # Unix time
    max_sessions: int | None = None
    drop_frames: int = 0  # still to be dropped
    garble_frames: int = 0  # still to be garbled
    switched_to: str | None = None  # name of a profile
    switched_from: str | None = None  # only this one is replaced; None is any


@dataclass
class Counters:
    """What happened since the start."""

    connections: int = 0  # that asked for this camera
    describes: int = 0
    login_attempts: int = 0  # DESCRIBE requests with credentials
    logins_refused: int = 0
    plays: int = 0
    teardowns: int = 0
    frames_sent: int = 0
    frames_dropped: int = 0
    first_frame: int | None = None  # of the endless stream: unix seconds + phase, times frames per second
    last_frame: int | None = None
    max_queue_bytes: int = 0
    cut_for_slowness: int = 0


class Camera:
    """One camera number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.phase = number * PHASE_SECONDS
        self.user, self.password = USER, PASSWORD
        self.clock_offset = (
            0.0  # seconds by which the camera's own clock, and with it every time stamp, is off
        )
        self.faults = Faults()
        self.counters = Counters()

    def is_down(self) -> bool:
        return time.time() < self.faults.down_until

    def playing_name(self, asked: str) -> str:
        """The profile that is played for the one that was asked for, after `switch`."""
        faults, variant = self.faults, find_variant(asked)
        if faults.switched_to is None or variant is None:
            return asked
        if faults.switched_from not in (None, variant.profile.name):
            return asked
        return faults.switched_to

    def counted(self) -> dict[str, Any]:
        return dict(vars(self.counters))
