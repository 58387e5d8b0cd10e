"""What the rules say about time: recording modes, and the schedules that cameras follow.

A pure reading of the histories, so that a worker that was down finds what it missed. Whether something moved
in a time that is only recorded on activity is asked in wanted.py, never here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, or_, select

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.intervals import Interval
from cctv.models import ModeChange, RecordingMode, ScheduleCamera, ScheduleVersion
from cctv.services.schedule.schedule_times import Span, expand, join

FOREVER_MS = 2**53  # an end that nobody reaches; exact in JavaScript, too
_WEEK_MS = 7 * 86_400_000
_AROUND_MS = 8 * 86_400_000  # a week and the day of a change of the clocks
# Schedules are worked out day by day; beyond this nobody asks for them in earnest.
_FURTHEST_MS = 366 * 86_400_000

# Made once: they are asked every few seconds, and making them costs as much as running them (measured).
_MODES = select(
    ModeChange.camera_id,
    ModeChange.mode,
    ModeChange.started_ms,
    ModeChange.ended_ms,
    ModeChange.pre_roll_seconds,
    ModeChange.post_roll_seconds,
).where(
    ModeChange.camera_id.in_(bindparam("cameras", expanding=True)),
    ModeChange.mode.in_([RecordingMode.CONTINUOUS, RecordingMode.SCHEDULE, RecordingMode.ACTIVITY]),
    ModeChange.started_ms < bindparam("end_ms"),
    or_(ModeChange.ended_ms.is_(None), ModeChange.ended_ms > bindparam("start_ms")),
)
_FOLLOWED = (
    select(
        ScheduleCamera.camera_id,
        ScheduleCamera.started_ms,
        ScheduleCamera.ended_ms,
        ScheduleVersion.id,
        ScheduleVersion.started_ms,
        ScheduleVersion.ended_ms,
    )
    .join(ScheduleVersion, ScheduleVersion.schedule_id == ScheduleCamera.schedule_id)
    .where(
        ScheduleCamera.camera_id.in_(bindparam("cameras", expanding=True)),
        ScheduleCamera.started_ms < bindparam("end_ms"),
        or_(ScheduleCamera.ended_ms.is_(None), ScheduleCamera.ended_ms > bindparam("start_ms")),
        ScheduleVersion.started_ms < bindparam("end_ms"),
        or_(ScheduleVersion.ended_ms.is_(None), ScheduleVersion.ended_ms > bindparam("start_ms")),
    )
)


class Planned(NamedTuple):
    """[start_ms, end_ms) in which a rule records, continuous or on activity with the time around it."""

    start_ms: int
    end_ms: int
    mode: str
    before_ms: int
    after_ms: int


class Now(NamedTuple):
    """What the rules say of a moment: mode None is off. None: for longer than can be looked at."""

    mode: str | None
    since_ms: int | None
    until_ms: int | None


def by_camera(camera_ids: Iterable[int], start_ms: int, end_ms: int) -> dict[int, list[Planned]]:
    """What the rules of each camera say, clipped and in order; every camera asked for is in the answer.

    One query, and two more when one of the cameras followed a schedule then.
    """
    found: dict[int, list[Planned]] = {camera_id: [] for camera_id in camera_ids}
    asked = {"cameras": list(found), "start_ms": start_ms, "end_ms": end_ms}
    scheduled: dict[int, list[Planned]] = {}
    for camera_id, mode, started, ended, before, after in db.session.execute(_MODES, asked):
        begin, stop = max(started, start_ms), min(FOREVER_MS if ended is None else ended, end_ms)
        rule = Planned(begin, stop, mode, before * 1000, after * 1000)
        if begin < stop:
            (scheduled if mode == RecordingMode.SCHEDULE else found).setdefault(camera_id, []).append(rule)
    for camera_id, rules in _expanded(scheduled, start_ms, end_ms).items():
        found[camera_id] += rules
    return {camera_id: sorted(rules) for camera_id, rules in found.items()}


def now_of(camera_ids: Iterable[int], *, at_ms: int | None = None) -> dict[int, Now]:
    """What the rules of each camera say at this moment, since when and until when."""
    at_ms = now_ms() if at_ms is None else at_ms
    start_ms, end_ms = at_ms - _AROUND_MS, at_ms + _AROUND_MS
    answer = {}
    for camera_id, rules in by_camera(camera_ids, start_ms, end_ms).items():
        answer[camera_id] = now_in(
            [(rule.start_ms, rule.end_ms, rule.mode) for rule in rules], start_ms, end_ms, at_ms
        )
    return answer


def follows_schedule(camera_id: int, ms: int) -> bool:
    """Whether the camera recorded by schedule at that moment."""
    query = select(ModeChange.id).where(
        ModeChange.camera_id == camera_id,
        ModeChange.mode == RecordingMode.SCHEDULE,
        ModeChange.started_ms <= ms,
        or_(ModeChange.ended_ms.is_(None), ModeChange.ended_ms > ms),
    )
    return db.session.scalar(query) is not None


def continuous_shares(camera_ids: Iterable[int], *, at_ms: int | None = None) -> dict[int, float]:
    """The share of the coming week, 0 to 1, that is recorded whatever happens, by camera id."""
    at_ms = now_ms() if at_ms is None else at_ms
    return {
        camera_id: sum(rule.end_ms - rule.start_ms for rule in rules if rule.mode == RecordingMode.CONTINUOUS)
        / _WEEK_MS
        for camera_id, rules in by_camera(camera_ids, at_ms, at_ms + _WEEK_MS).items()
    }


def now_in(spans: Iterable[Span], start_ms: int, end_ms: int, at_ms: int) -> Now:
    """The moment among spans of [start_ms, end_ms) in order; neighbours of one mode count as one."""
    since, until = start_ms, end_ms
    mode = None
    for start, end, what in join(spans):
        if start <= at_ms < end:
            since, until, mode = start, end, what
            break
        if end <= at_ms:
            since = end
        elif start > at_ms:
            until = start
            break
    return Now(mode, since if since > start_ms else None, until if until < end_ms else None)


def now_in_plan(plan: tuple[Any, Any], zone: ZoneInfo, *, at_ms: int) -> Now:
    """What a plan - (weekly, exceptions) - says of a moment."""
    start_ms, end_ms = at_ms - _AROUND_MS, at_ms + _AROUND_MS
    return now_in(expand(*plan, zone, start_ms, end_ms), start_ms, end_ms, at_ms)


def _expanded(scheduled: dict[int, list[Planned]], start_ms: int, end_ms: int) -> dict[int, list[Planned]]:
    """The rules of cameras that follow schedules, in place of the mode that says so."""
    if not scheduled:
        return {}
    end_ms = min(end_ms, max(start_ms, now_ms()) + _FURTHEST_MS)
    asked = {"cameras": list(scheduled), "start_ms": start_ms, "end_ms": end_ms}
    followed = db.session.execute(_FOLLOWED, asked).all()
    plans = _plans({row[3] for row in followed})
    known: dict[tuple[int, Interval], list[Span]] = {}  # many cameras follow one schedule
    found: dict[int, list[Planned]] = {camera_id: [] for camera_id in scheduled}
    for camera_id, since, until, version_id, version_since, version_until in followed:
        for rule in scheduled[camera_id]:
            ends = [end for end in (until, version_until, rule.end_ms, end_ms) if end is not None]
            span = (max(since, version_since, rule.start_ms), min(ends))
            if span[0] >= span[1]:
                continue
            if (version_id, span) not in known:
                known[version_id, span] = expand(*plans[version_id], *span)
            found[camera_id] += [Planned(*part, *rule[3:]) for part in known[version_id, span]]
    return found


def _plans(version_ids: set[int]) -> dict[int, tuple[Any, Any, ZoneInfo]]:
    query = select(
        ScheduleVersion.id, ScheduleVersion.weekly, ScheduleVersion.exceptions, ScheduleVersion.time_zone
    ).where(ScheduleVersion.id.in_(version_ids))
    rows = db.session.execute(query).all() if version_ids else []
    return {row.id: (row.weekly, row.exceptions, ZoneInfo(row.time_zone)) for row in rows}
