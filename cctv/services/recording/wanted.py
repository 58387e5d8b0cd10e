"""Does anybody want this second? The one answer, for keeping, gaps, timeline and playback alike.

Only intervals of promises: rules, what people started, and activity where a rule asks for it. Whether footage
exists is never asked here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice

from sqlalchemy import bindparam, or_, select

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.intervals import Interval, clip
from cctv.models import Activity, Camera, Recording, RecordingKind, RecordingMode
from cctv.models.activity import LONGEST_ACTIVITY_MS
from cctv.services.recording import planned
from cctv.services.recording.planned import FOREVER_MS, Planned

__all__ = [
    "FOREVER_MS",
    "around_activity",
    "cameras_to_sync",
    "cameras_wanted_now",
    "is_wanted_now",
    "lock_cameras",
    "wanted",
    "wanted_by_camera",
]

_CAMERAS = select(Camera.id).where(Camera.deleted_at.is_(None))
# Made once: they are asked every few seconds, and making them costs as much as running them (measured).
# Rows of other kinds only give names to what rules keep; what that is, is said by the rules.
_RECORDINGS = select(
    Recording.camera_id, Recording.started_ms, Recording.ended_ms, Recording.planned_end_ms
).where(
    Recording.camera_id.in_(bindparam("cameras", expanding=True)),
    Recording.kind == RecordingKind.MANUAL,
    Recording.started_ms < bindparam("end_ms"),
    or_(Recording.ended_ms.is_(None), Recording.ended_ms > bindparam("start_ms")),
)
_ACTIVITY = select(Activity.camera_id, Activity.started_ms, Activity.ended_ms).where(
    Activity.camera_id.in_(bindparam("cameras", expanding=True)),
    Activity.started_ms < bindparam("end_ms"),
    Activity.started_ms > bindparam("start_ms") - LONGEST_ACTIVITY_MS,
    or_(Activity.ended_ms.is_(None), Activity.ended_ms > bindparam("start_ms")),
)


def wanted(camera_id: int, start_ms: int, end_ms: int) -> list[Interval]:
    """The parts of [start_ms, end_ms) that somebody wants kept, in order and without overlap."""
    return wanted_by_camera([camera_id], start_ms, end_ms)[camera_id]


def wanted_by_camera(camera_ids: Iterable[int], start_ms: int, end_ms: int) -> dict[int, list[Interval]]:
    """`wanted` for several cameras with two queries in all; every camera asked for is in the answer.

    Three more where schedules and activity decide.
    """
    found: dict[int, list[Interval]] = {camera_id: [] for camera_id in camera_ids}
    asked = {"cameras": list(found), "start_ms": start_ms, "end_ms": end_ms}
    on_activity: dict[int, list[Planned]] = {}
    for camera_id, rules in planned.by_camera(found, start_ms, end_ms).items():
        for rule in rules:
            if rule.mode == RecordingMode.ACTIVITY:
                on_activity.setdefault(camera_id, []).append(rule)
            else:
                found[camera_id].append((rule.start_ms, rule.end_ms))
    for camera_id, started, ended, planned_end in db.session.execute(_RECORDINGS, asked):
        ends = [end for end in (ended, planned_end) if end is not None]
        found[camera_id].append((started, min(ends, default=FOREVER_MS)))
    for camera_id, group in around_activity(on_activity).items():
        found[camera_id] += group
    return {camera_id: clip(group, start_ms, end_ms) for camera_id, group in found.items()}


def around_activity(on_activity: dict[int, list[Planned]]) -> dict[int, list[Interval]]:
    """What is wanted because something moved: with the seconds around it, never beyond where the rule holds -
    a time that the schedule calls off stays off."""
    on_activity = {camera_id: group for camera_id, group in on_activity.items() if group}
    if not on_activity:
        return {}
    rules = [rule for group in on_activity.values() for rule in group]
    asked = {
        "cameras": list(on_activity),
        "start_ms": min(rule.start_ms - rule.after_ms for rule in rules),
        "end_ms": max(rule.end_ms + rule.before_ms for rule in rules),
    }
    widest = max(max(rule.before_ms, rule.after_ms) for rule in rules)
    ends = {camera_id: [rule.end_ms for rule in group] for camera_id, group in on_activity.items()}
    found: dict[int, list[Interval]] = {camera_id: [] for camera_id in on_activity}
    for camera_id, started, ended in db.session.execute(_ACTIVITY, asked):
        until = FOREVER_MS if ended is None else ended
        first = bisect_right(ends[camera_id], started - widest)  # a month has many of both
        for rule in islice(on_activity[camera_id], first, None):
            if rule.start_ms >= until + widest:
                break
            begin, end = started - rule.before_ms, until + rule.after_ms
            found[camera_id].append((max(begin, rule.start_ms), min(end, rule.end_ms)))
    return found


def is_wanted_now(camera_id: int, *, at_ms: int | None = None) -> bool:
    """Whether what the camera sends at this moment will be kept."""
    at_ms = now_ms() if at_ms is None else at_ms
    return bool(wanted(camera_id, at_ms, at_ms + 1))


def cameras_wanted_now(*, at_ms: int | None = None) -> set[int]:
    """Ids of all cameras whose footage of this moment will be kept; two queries whatever their number."""
    at_ms = now_ms() if at_ms is None else at_ms
    ids = list(db.session.scalars(_CAMERAS))
    return {camera_id for camera_id, group in wanted_by_camera(ids, at_ms, at_ms + 1).items() if group}


def cameras_to_sync(*, at_ms: int | None = None) -> set[int]:
    """Ids of all cameras whose footage of this moment will be kept, or may be once it has been looked at."""
    at_ms = now_ms() if at_ms is None else at_ms
    ruled = planned.by_camera(db.session.scalars(_CAMERAS), at_ms, at_ms + 1)
    return cameras_wanted_now(at_ms=at_ms) | {camera_id for camera_id, rules in ruled.items() if rules}


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
