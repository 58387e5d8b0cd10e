"""Does anybody want this second? The one answer, for keeping, gaps, timeline and playback alike.

Only intervals of promises; whether footage exists is never asked here.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, or_, select

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.intervals import Interval, clip
from cctv.models import Camera, ModeChange, Recording, RecordingKind, RecordingMode

FOREVER_MS = 2**53  # an end that nobody reaches; exact in JavaScript, too


_CAMERAS = select(Camera.id).where(Camera.deleted_at.is_(None))
# Made once: they are asked every few seconds, and making them costs as much as running them (measured).
_MODES = select(ModeChange.camera_id, ModeChange.started_ms, ModeChange.ended_ms).where(
    ModeChange.camera_id.in_(bindparam("cameras", expanding=True)),
    ModeChange.mode == RecordingMode.CONTINUOUS,
    ModeChange.started_ms < bindparam("end_ms"),
    or_(ModeChange.ended_ms.is_(None), ModeChange.ended_ms > bindparam("start_ms")),
)
# Rows of continuous recording only name the days; what they keep is said by the modes.
_RECORDINGS = select(
    Recording.camera_id, Recording.started_ms, Recording.ended_ms, Recording.planned_end_ms
).where(
    Recording.camera_id.in_(bindparam("cameras", expanding=True)),
    Recording.kind != RecordingKind.CONTINUOUS,
    Recording.started_ms < bindparam("end_ms"),
    or_(Recording.ended_ms.is_(None), Recording.ended_ms > bindparam("start_ms")),
)


def wanted(camera_id: int, start_ms: int, end_ms: int) -> list[Interval]:
    """The parts of [start_ms, end_ms) that somebody wants kept, in order and without overlap."""
    return wanted_by_camera([camera_id], start_ms, end_ms)[camera_id]


def wanted_by_camera(camera_ids: Iterable[int], start_ms: int, end_ms: int) -> dict[int, list[Interval]]:
    """`wanted` for several cameras with two queries in all; every camera asked for is in the answer."""
    found: dict[int, list[Interval]] = {camera_id: [] for camera_id in camera_ids}
    asked = {"cameras": list(found), "start_ms": start_ms, "end_ms": end_ms}
    for camera_id, started, ended in db.session.execute(_MODES, asked):
        found[camera_id].append((started, FOREVER_MS if ended is None else ended))
    for camera_id, started, ended, planned in db.session.execute(_RECORDINGS, asked):
        ends = [end for end in (ended, planned) if end is not None]
        found[camera_id].append((started, min(ends, default=FOREVER_MS)))
    return {camera_id: clip(group, start_ms, end_ms) for camera_id, group in found.items()}


def is_wanted_now(camera_id: int, *, at_ms: int | None = None) -> bool:
    """Whether what the camera sends at this moment will be kept."""
    at_ms = now_ms() if at_ms is None else at_ms
    return bool(wanted(camera_id, at_ms, at_ms + 1))


def cameras_wanted_now(*, at_ms: int | None = None) -> set[int]:
    """Ids of all cameras whose footage of this moment will be kept; two queries whatever their number."""
    at_ms = now_ms() if at_ms is None else at_ms
    ids = list(db.session.scalars(_CAMERAS))
    return {camera_id for camera_id, group in wanted_by_camera(ids, at_ms, at_ms + 1).items() if group}


def lock_cameras(camera_ids: Iterable[int]) -> None:
    """Hold the cameras' rows until the transaction ends, so that promises and footage change in turn.

    In order of id, so that two holders of several never wait for one another. SQLite's writers are alone
    anyway. Needs `begin_writing` before it.
    """
    ids = sorted(set(camera_ids))
    # FOR NO KEY UPDATE: rows that only refer to a camera can still be inserted by others.
    db.session.execute(
        select(Camera.id).where(Camera.id.in_(ids)).order_by(Camera.id).with_for_update(key_share=True)
    ).all()
