"""Is everything all right? What needs somebody, what is stored, and which first steps are done.

Facts only, gathered from rows; the words of causes come from cctv/causes.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from cctv.clock import now_ms, to_ms, utcnow
from cctv.extensions import db
from cctv.models import Camera, Event, Node, Recording, RecordingKind, ScheduleCamera, Stream, StreamKind
from cctv.services.camera import history
from cctv.services.camera.status import CameraStatus
from cctv.services.lifetime import kept
from cctv.services.lifetime.kept import Kept
from cctv.services.site import settings

DAY_MS = 86_400_000
_WORST_FIRST = ("storage", "refused", "offline", "frozen", "unknown", "connecting", "live", "off")


@dataclass(frozen=True, slots=True)
class Watched:
    """A camera with everything that the overview says about it."""

    camera: Camera
    status: CameraStatus
    kept: Kept
    broken_since_ms: int | None  # nothing was saved since then, although it should have been


@dataclass(frozen=True, slots=True)
class Storage:
    """The disks together. Bytes; None where no node told its figures yet."""

    total_bytes: int
    free_bytes: int
    percent: int
    limit_percent: int
    bytes_per_day: int
    keeps_days: float | None
    troubles: list[Node]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the first-steps list: ticks itself from facts."""

    text: str
    href: str
    is_done: bool


def watch(cameras: list[Camera], statuses: dict[int, CameraStatus]) -> list[Watched]:
    """The cameras with their footage, worst first."""
    footage = kept.of_cameras(cameras)
    watched = [
        Watched(
            camera,
            statuses[camera.id],
            footage[camera.id],
            kept.broken_promise_since(camera, statuses[camera.id], footage[camera.id]),
        )
        for camera in cameras
    ]
    return sorted(watched, key=_badness)


def _badness(one: Watched) -> tuple[int, int, int]:
    is_fine = one.broken_since_ms is None
    return _WORST_FIRST.index(one.status.state), int(is_fine), one.camera.number or 0


def storage(watched: list[Watched]) -> Storage | None:
    """How full the disks are and how many days they hold; None until a node told its figures."""
    nodes = [node for node in db.session.scalars(select(Node)) if node.total_bytes]
    if not nodes:
        return None
    total = sum(node.total_bytes or 0 for node in nodes)
    free = sum(node.free_bytes or 0 for node in nodes)
    limit_percent = settings.get("disk_limit_percent")
    per_day = sum(one.kept.bytes_per_day or 0 for one in watched)
    usable = max(0, free - total * (100 - limit_percent) // 100)
    footage = sum(one.kept.bytes_so_far for one in watched)
    return Storage(
        total_bytes=total,
        free_bytes=free,
        percent=round(100 * (total - free) / total),
        limit_percent=limit_percent,
        bytes_per_day=per_day,
        keeps_days=(usable + footage) / per_day if per_day else None,
        troubles=[node for node in nodes if node.storage_state != "ok"],
    )


def last_day(cameras: list[Camera]) -> list[history.Gaps]:
    """Missing footage of these cameras in the last 24 hours, the longest first; nothing below a second."""
    ids = {camera.id for camera in cameras}
    found = history.gaps_since(now_ms() - DAY_MS)
    return [gaps for gaps in found if gaps.camera_id in ids and gaps.longest_ms >= 1000]


def bad_events() -> list[Event]:
    """What went wrong with the system in the last 24 hours, newest first."""
    query = select(Event).where(Event.at_ms > now_ms() - DAY_MS, Event.severity == "bad")
    return list(db.session.scalars(query.order_by(Event.at_ms.desc()).limit(5)))


def first_steps(cameras: list[Camera], disks: Storage | None) -> list[Step]:
    """The list of the first five minutes; empty once it is finished or closed."""
    if settings.get("first_steps_closed"):
        return []
    has_picture = bool(
        db.session.scalar(
            select(func.count(Stream.id)).where(Stream.kind == StreamKind.MAIN, Stream.width > 0)
        )
    )
    has_pressed = _has_recording(RecordingKind.MANUAL)
    first = cameras[0].id if cameras else None
    steps = [
        Step("See a picture", "/wall", has_picture),
        Step("Press Record and replay it", f"/cameras/{first}" if first else "/cameras/add", has_pressed),
        Step("Add a camera of your own", "/cameras/add", any(not camera.is_demo for camera in cameras)),
        Step("Set a schedule", "/schedules", _has_schedule()),
        Step("Have a day of footage", "/playback", _has_day()),
        Step("Storage is healthy", "/", disks is not None and not disks.troubles),
    ]
    return [] if all(step.is_done for step in steps) else steps


def close_first_steps() -> None:
    """Nobody wants to see the list any more."""
    settings.save(first_steps_closed=True)


def _has_recording(kind: RecordingKind) -> bool:
    return db.session.scalar(select(Recording.id).where(Recording.kind == kind).limit(1)) is not None


def _has_schedule() -> bool:
    """Whether any camera ever followed one."""
    return db.session.scalar(select(ScheduleCamera.id).limit(1)) is not None


def _has_day() -> bool:
    first = db.session.scalar(select(func.min(Recording.started_ms)))
    return first is not None and to_ms(utcnow()) - first > DAY_MS
