"""The timeline: what was recorded, what is missing and why; and where to go from a time.

Only reads. However many days are stored, a day of a camera is a fixed number of queries on the index alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import exists, literal, or_, select, union_all

from cctv import causes
from cctv.clock import day_bounds_ms, now_ms
from cctv.extensions import db
from cctv.intervals import Interval, clip, intersect, union
from cctv.models import Recording, RecordingKind, Segment
from cctv.services.footage import damaged, elsewhere, gaps, timeline_copies
from cctv.services.footage.damaged import DamagedFile
from cctv.services.footage.finding import (
    LONGEST_FILE_MS,
    NOT_KEPT,
    TOLERANCE_MS,
    covered,
    main_streams,
    open_intervals,
    stream_id_of,
)
from cctv.services.footage.gap_causes import ExplainedGap
from cctv.services.footage.timeline_copies import LaneCopy
from cctv.services.movement import activity
from cctv.services.movement.activity import Mark
from cctv.services.recording import planned
from cctv.services.recording.wanted import wanted
from cctv.services.site import settings

_STEP = 300  # files a look when searching for the next footage: about five hours
_MOST_PASSED_OVER = 100  # episodes that nobody kept, when looking for one that can be played
_BEFORE_END_MS = 10_000  # "previous" leads to where the last ten seconds of that footage begin


@dataclass(frozen=True, slots=True)
class LaneGap:
    """A gap as it is drawn; `sentence` is what a person reads on it."""

    started_ms: int
    ended_ms: int
    cause: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One camera's timeline. All intervals are half open, in epoch milliseconds, in order, clipped."""

    camera_id: int
    recorded: list[Interval]
    gaps: list[LaneGap]
    manual: list[Interval]
    locked: list[Interval]
    activity: list[Mark] = field(default_factory=list)
    damaged: list[DamagedFile] = field(default_factory=list)  # files whose pictures may not all be seen
    cloud: list[Interval] = field(default_factory=list)  # of what is recorded: only in the bucket
    copies: list[LaneCopy] = field(default_factory=list)  # copies that are not there yet, or failed


@dataclass(frozen=True, slots=True)
class MonthDays:
    """Site-local days of a month: with footage, and of these with what people started or locked."""

    recorded: set[date]
    manual: set[date]
    locked: set[date]


@dataclass(frozen=True, slots=True)
class Location:
    """Where a moment leads: there, or to the nearest footage; `sentence` says why not there."""

    is_recorded: bool
    next_ms: int | None
    previous_ms: int | None
    sentence: str


def lanes(
    camera_ids: Iterable[int],
    start_ms: int,
    end_ms: int,
    *,
    resolution_ms: int = 1,
    at_ms: int | None = None,
) -> list[Lane]:
    """The lanes of the cameras in the order given. Time after now is empty.

    Pieces closer than `resolution_ms` are drawn as one; gaps are never left out.
    """
    ids = list(dict.fromkeys(camera_ids))
    at_ms = now_ms() if at_ms is None else at_ms
    until_ms = max(start_ms, min(end_ms, at_ms))
    holes = gaps.find_holes(ids, start_ms, until_ms)
    missing = {camera_id: found.missing for camera_id, found in holes.items()}
    explained = gaps.explain(missing, start_ms, until_ms, at_ms=at_ms)
    manual, locked = _recordings(ids, start_ms, until_ms)
    harmed = damaged.of_cameras(ids, start_ms, until_ms)
    only_there = timeline_copies.only_in_cloud(ids, start_ms, until_ms)
    copies = timeline_copies.under_way(ids, start_ms, until_ms)
    moved = activity.marks(ids, start_ms, until_ms, resolution_ms=resolution_ms)
    answer = []
    for camera_id in ids:
        recorded = intersect(holes[camera_id].wanted, holes[camera_id].covered)
        answer.append(
            Lane(
                camera_id=camera_id,
                recorded=union(recorded, join_ms=resolution_ms),
                gaps=_coarse(explained[camera_id], resolution_ms),
                manual=union(manual[camera_id], join_ms=resolution_ms),
                locked=intersect(locked[camera_id], recorded),
                activity=moved[camera_id],
                damaged=[one.clipped(start_ms, until_ms) for one in harmed[camera_id]],
                cloud=union(intersect(only_there[camera_id], recorded), join_ms=resolution_ms),
                copies=timeline_copies.joined(copies[camera_id], max(resolution_ms, TOLERANCE_MS)),
            )
        )
    return answer


def day_bounds(day: date) -> tuple[int, int]:
    """Start and end of a day at the site; 23 or 25 hours apart when the clocks change."""
    return day_bounds_ms(day, settings.zone())


def days_with_recordings(camera_ids: Iterable[int], month: str) -> list[date]:
    """The site-local days of a month ("2026-11") on which any of the cameras has footage; two queries.

    A month that is none has no days.
    """
    days = _days_of(month)
    ids = list(camera_ids)
    if not days or not ids:
        return []
    zone = settings.zone()
    streams = list(main_streams(ids))
    looks = []
    for number, day in enumerate(days):
        start_ms, end_ms = day_bounds_ms(day, zone)
        has_footage = exists().where(
            Segment.stream_id.in_(streams),
            Segment.started_ms > start_ms - LONGEST_FILE_MS,
            Segment.started_ms < end_ms,
            Segment.ended_ms > start_ms,
            Segment.state.not_in(NOT_KEPT),
        )
        looks.append(select(literal(number).label("number")).where(has_footage))
    return [days[number] for number in sorted(db.session.scalars(union_all(*looks)))]


def month_of(camera_ids: Iterable[int], month: str) -> MonthDays:
    """What a calendar marks in a month ("2026-11"); three queries."""
    ids = list(camera_ids)
    recorded = set(days_with_recordings(ids, month))
    if not recorded:
        return MonthDays(set(), set(), set())
    zone = settings.zone()
    bounds = {day: day_bounds_ms(day, zone) for day in recorded}
    start_ms = min(start for start, _end in bounds.values())
    end_ms = min(max(end for _start, end in bounds.values()), now_ms())
    manual, locked = _recordings(ids, start_ms, end_ms)

    def touched(found: dict[int, list[Interval]]) -> set[date]:
        spans = [span for spans in found.values() for span in spans]
        return {day for day, (start, end) in bounds.items() if any(s < end and start < e for s, e in spans)}

    return MonthDays(recorded, touched(manual), touched(locked))


def next_recorded(camera_id: int, ms: int) -> int | None:
    """The first recorded moment at or after `ms`, or None."""
    cursor = ms
    while True:
        files = _kept_files(camera_id, after_ms=cursor)
        found = _recorded(camera_id, files, cursor, max((end for _start, end in files), default=cursor))
        if found:
            return found[0][0]
        if len(files) < _STEP:
            return None
        cursor = max(end for _start, end in files)


def previous_recorded(camera_id: int, ms: int) -> int | None:
    """A moment in the last footage before `ms`: ten seconds before its end, or its start; else None."""
    cursor = ms
    while True:
        files = _kept_files(camera_id, before_ms=cursor)
        found = _recorded(camera_id, files, min((start for start, _end in files), default=cursor), cursor)
        if found:
            start, end = found[-1]
            return max(start, end - _BEFORE_END_MS)
        if len(files) < _STEP:
            return None
        cursor = min(start for start, _end in files)


def find_activity(camera_id: int, ms: int, *, is_forward: bool) -> int | None:
    """Where the next recorded activity after a moment begins, or the one before it; None when there is none.

    What moved while nobody wanted it is passed over: there is nothing to play.
    """
    find = activity.next_after if is_forward else activity.previous_before
    cursor = ms
    for _ in range(_MOST_PASSED_OVER):
        row = find([camera_id], cursor)
        if row is None:
            return None
        end_ms = max(row.ended_ms or now_ms(), row.started_ms + 1)
        kept = intersect(
            wanted(camera_id, row.started_ms, end_ms),
            covered(camera_id, row.started_ms, end_ms),
        )
        if kept:
            return kept[0][0]
        cursor = row.started_ms
    return None


def locate(camera_id: int, ms: int, *, at_ms: int | None = None) -> Location:
    """Whether there is footage at a moment, else where the nearest is and why there is none."""
    at_ms = now_ms() if at_ms is None else at_ms
    (lane,) = lanes([camera_id], ms, ms + 1, at_ms=at_ms)
    if lane.recorded:
        return Location(True, ms, ms, "")
    return Location(
        is_recorded=False,
        next_ms=next_recorded(camera_id, ms),
        previous_ms=previous_recorded(camera_id, ms),
        sentence=_why(camera_id, ms, at_ms),
    )


def sentence_of(cause: str, detail: str = "") -> str:
    """What a person reads on a gap."""
    short = causes.get(cause).short
    if not detail:
        return short
    return f"{short} by {detail}" if cause in {"disabled", "deleted_person"} else f"{short} ({detail})"


def _why(camera_id: int, ms: int, at_ms: int) -> str:
    if ms >= at_ms:
        return "this time has not come yet"
    around = gaps.list_gaps(camera_id, ms - 60_000, ms + 60_000, at_ms=at_ms)
    found = [gap for gap in around if gap.started_ms <= ms < gap.ended_ms]
    there = elsewhere.growing([camera_id], at_ms=at_ms).get(camera_id)
    if there is not None and there.span[0] <= ms and not found:
        return f"recorded on {there.node_name} - to be seen here within two minutes"
    return sentence_of(found[0].cause, found[0].detail) if found else _why_unwanted(camera_id, ms)


def _why_unwanted(camera_id: int, ms: int) -> str:
    if planned.by_camera([camera_id], ms, ms + 1)[camera_id]:
        return "nothing moved"
    return "not scheduled" if planned.follows_schedule(camera_id, ms) else "recording was off"


def _coarse(found: list[ExplainedGap], resolution_ms: int) -> list[LaneGap]:
    """Gaps of one cause that cannot be told apart on the screen are drawn as one."""
    result: list[LaneGap] = []
    for gap in found:
        sentence = sentence_of(gap.cause, gap.detail)
        if (
            result
            and result[-1].sentence == sentence
            and gap.started_ms - result[-1].ended_ms < resolution_ms
        ):
            result[-1] = LaneGap(result[-1].started_ms, gap.ended_ms, gap.cause, sentence)
        else:
            result.append(LaneGap(gap.started_ms, gap.ended_ms, gap.cause, sentence))
    return result


def _recordings(
    camera_ids: list[int], start_ms: int, end_ms: int
) -> tuple[dict[int, list[Interval]], dict[int, list[Interval]]]:
    """(what people started, what is locked) by camera."""
    manual: dict[int, list[Interval]] = {camera_id: [] for camera_id in camera_ids}
    locked: dict[int, list[Interval]] = {camera_id: [] for camera_id in camera_ids}
    query = select(
        Recording.camera_id,
        Recording.kind,
        Recording.started_ms,
        Recording.ended_ms,
        Recording.planned_end_ms,
        Recording.locked_by,
    ).where(
        Recording.camera_id.in_(camera_ids),
        Recording.started_ms < end_ms,
        or_(Recording.ended_ms.is_(None), Recording.ended_ms > start_ms),
        or_(Recording.kind == RecordingKind.MANUAL, Recording.locked_by.is_not(None)),
    )
    for camera_id, kind, started, ended, planned_end, locked_by in db.session.execute(query):
        end = min([end for end in (ended, planned_end) if end is not None], default=end_ms)
        shown = clip([(started, end)], start_ms, end_ms)
        if kind == RecordingKind.MANUAL:
            manual[camera_id] += shown
        if locked_by is not None:
            locked[camera_id] += shown
    return manual, locked


def _kept_files(
    camera_id: int, *, after_ms: int | None = None, before_ms: int | None = None
) -> list[Interval]:
    """The next _STEP kept files that end after, or begin before, a moment."""
    query = (
        select(Segment.started_ms, Segment.ended_ms)
        .where(Segment.stream_id == stream_id_of(camera_id), Segment.state.not_in(NOT_KEPT))
        .limit(_STEP)
    )
    files: list[Interval] = []
    if after_ms is not None:
        files = [pair for pair in open_intervals([camera_id]).get(camera_id, []) if pair[1] > after_ms]
        query = query.where(Segment.started_ms > after_ms - LONGEST_FILE_MS, Segment.ended_ms > after_ms)
        query = query.order_by(Segment.started_ms)
    if before_ms is not None:
        files = [pair for pair in open_intervals([camera_id]).get(camera_id, []) if pair[0] < before_ms]
        query = query.where(Segment.started_ms < before_ms).order_by(Segment.started_ms.desc())
    return [(row.started_ms, row.ended_ms) for row in db.session.execute(query)] + files


def _recorded(camera_id: int, files: list[Interval], start_ms: int, end_ms: int) -> list[Interval]:
    there = clip(union(files, join_ms=TOLERANCE_MS), start_ms, end_ms)
    return intersect(wanted(camera_id, start_ms, end_ms), there) if there else []


def _days_of(month: str) -> list[date]:
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        return []
    following = (first + timedelta(days=32)).replace(day=1)
    return [first + timedelta(days=number) for number in range((following - first).days)]
