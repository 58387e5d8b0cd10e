"""What people are told about cameras now: one word, its shape, the reason, and whether it records.

Reads rows only; a camera whose owner went silent is unknown, never live.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from cctv import causes
from cctv.clock import now_ms, to_ms
from cctv.extensions import db
from cctv.models import Camera, Node, Recording, RecordingKind, RecordingMode, Schedule, Stream, StreamState
from cctv.services.camera import lease
from cctv.services.camera.lease import LEASE_MS
from cctv.services.recording import planned
from cctv.services.recording.planned import Now
from cctv.services.recording.wanted import wanted_by_camera
from cctv.services.schedule import schedule_cameras
from cctv.services.site import nodes

TAKEN_UP_WITHIN_MS = 20_000  # a camera that was just added or turned on is connecting, not unknown

# Modes that do not say by themselves what holds now.
_ASKED = frozenset({RecordingMode.SCHEDULE, RecordingMode.ACTIVITY})
# Shape and word of each state (UX: status is shape + word + colour).
ICONS = {
    "live": "circle-check",
    "connecting": "loader-2",
    "frozen": "alert-triangle",
    "offline": "circle-x",
    "refused": "circle-x",
    "storage": "database-x",
    "off": "player-pause",
    "unknown": "question-mark",
}
WORDS = {
    "live": "Live",
    "connecting": "Connecting",
    "frozen": "Frozen",
    "offline": "Offline",
    "refused": "Refused",
    "storage": "Not recording",
    "off": "Off",
    "unknown": "Unknown",
}


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One camera as a tile, a row or the API shows it. Times in epoch milliseconds."""

    camera_id: int
    state: str
    word: str
    icon: str
    since_ms: int
    cause: str | None
    headline: str  # the reason in words, empty when there is nothing to say
    body: str  # what to do about it
    is_recording: bool
    manual_since_ms: int | None
    manual_until_ms: int | None
    is_demo: bool
    rule: Now  # what recording mode and schedule say of this moment
    schedule: str | None  # the name of the one that it follows
    schedule_id: int | None

    @property
    def is_trouble(self) -> bool:
        """Whether somebody should look at it."""
        return self.state in {"frozen", "offline", "refused", "storage", "unknown"}

    @property
    def wants_password(self) -> bool:
        """Whether it is the login that was refused; a refusal may be of the path or the format as well."""
        return _wants_password(self.state, self.cause)


class _Promise(NamedTuple):
    rule: Now
    is_wanted: bool  # by the rules and by activity
    schedule: Schedule | None


def of_cameras(cameras: list[Camera]) -> dict[int, CameraStatus]:
    """Status by camera id; one query for all manual recordings, whatever the number of cameras."""
    now = now_ms()
    manual = _running_manual_recordings([camera.id for camera in cameras], now)
    asked = lease.now()
    is_any_silent = any(camera.main.renewed_ms < asked - LEASE_MS for camera in cameras)
    is_capturing = not is_any_silent or nodes.is_capturing(asked)  # asked once for all cameras
    promises = _promises(cameras, now)
    return {
        camera.id: _status(
            camera,
            manual.get(camera.id),
            now,
            asked=asked,
            is_capturing=is_capturing,
            promise=promises[camera.id],
        )
        for camera in cameras
    }


def of_camera(camera: Camera) -> CameraStatus:
    """Status of one camera."""
    return of_cameras([camera])[camera.id]


def storage_troubles() -> list[Node]:
    """Nodes whose disk does not take footage as it should."""
    return list(db.session.scalars(select(Node).where(Node.storage_state != "ok")))


def _status(
    camera: Camera,
    manual: Recording | None,
    now: int,
    *,
    asked: int,
    is_capturing: bool,
    promise: _Promise,
) -> CameraStatus:
    stream = camera.main
    state, cause, since = _state(camera, stream, now, asked=asked, is_capturing=is_capturing)
    headline, body = _reason(camera, cause)
    return CameraStatus(
        camera_id=camera.id,
        state=state,
        word="Password refused" if _wants_password(state, cause) else WORDS[state],
        icon="lock-exclamation" if _wants_password(state, cause) else ICONS[state],
        since_ms=since,
        cause=cause,
        headline=_off_sentence(camera) if state == "off" else headline,
        body=body,
        is_recording=state == "live" and (promise.is_wanted or manual is not None),
        manual_since_ms=manual.started_ms if manual else None,
        manual_until_ms=manual.planned_end_ms if manual else None,
        is_demo=camera.is_demo,
        rule=promise.rule,
        schedule=promise.schedule.name if promise.schedule else None,
        schedule_id=promise.schedule.id if promise.schedule else None,
    )


def _promises(cameras: list[Camera], now: int) -> dict[int, _Promise]:
    """What the rules say, by camera id; five queries where schedules or activity decide, else none."""
    asking = [camera.id for camera in cameras if camera.recording_mode in _ASKED]
    rules = planned.now_of(asking, at_ms=now) if asking else {}
    wanted = wanted_by_camera(asking, now, now + 1) if asking else {}
    followed = schedule_cameras.of_cameras(asking) if asking else {}
    promises = {}
    for camera in cameras:
        mode = camera.recording_mode
        if camera.id in rules:
            schedule = followed.get(camera.id)
            promises[camera.id] = _Promise(rules[camera.id], bool(wanted[camera.id]), schedule)
        else:
            is_always = mode == RecordingMode.CONTINUOUS
            promises[camera.id] = _Promise(Now(mode if is_always else None, None, None), is_always, None)
    return promises


def _wants_password(state: str, cause: str | None) -> bool:
    return state == "refused" and causes.get(cause).field == "password"


def _state(
    camera: Camera, stream: Stream, now: int, *, asked: int, is_capturing: bool
) -> tuple[str, str | None, int]:
    if not camera.is_enabled:
        since = to_ms(camera.switched_at) if camera.switched_at else stream.state_since_ms
        return "off", None, since
    is_silent = stream.renewed_ms < asked - LEASE_MS
    switched_ms = to_ms(camera.switched_at or camera.created_at)
    if is_silent and is_capturing and switched_ms > now - TAKEN_UP_WITHIN_MS:
        return "connecting", "starting", switched_ms
    if is_silent and (stream.state != StreamState.CONNECTING or not is_capturing):
        seen_ms = lease.own_ms(stream.renewed_ms, asked, at_ms=now)
        return "unknown", "worker_down", max(seen_ms, stream.state_since_ms)
    return stream.state, stream.cause, stream.state_since_ms


def _reason(camera: Camera, cause: str | None) -> tuple[str, str]:
    """What is wrong and what to do about it, with this camera's address and user name in it."""
    if not cause:
        return "", ""
    place = (camera.main.url or "").partition("://")[2].partition("/")[0]
    host, _, port = place.rpartition(":") if place.rpartition(":")[2].isdigit() else (place, "", "554")
    return causes.get(cause).told(host=host, address=host, port=port, user=camera.username)


def _off_sentence(camera: Camera) -> str:
    return f"Turned off by {camera.switched_by}" if camera.switched_by else "Turned off"


def _running_manual_recordings(camera_ids: list[int], now: int) -> dict[int, Recording]:
    query = select(Recording).where(
        Recording.camera_id.in_(camera_ids),
        Recording.kind == RecordingKind.MANUAL,
        Recording.ended_ms.is_(None),
        (Recording.planned_end_ms.is_(None)) | (Recording.planned_end_ms > now),
    )
    return {recording.camera_id: recording for recording in db.session.scalars(query)}
