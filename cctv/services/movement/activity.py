"""When something moved in front of a camera: the rows, where the next one is, and what a person set for it.

How it is seen is services/movement/activity_watch.py; whether it is recorded is services/recording/wanted.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select, update

from cctv.clock import now_ms
from cctv.errors import Conflict, Invalid
from cctv.extensions import begin_writing, db
from cctv.models import Activity, Camera, Event, Node, Run, Segment, Stream, StreamKind, StreamState, User
from cctv.services.auditing import audit

LATE_MS = 600_000  # nobody compared pictures for so long: told
FIRST_MS = 600_000  # a new camera, or one that is watched from now on, is looked at from so long ago
OLDEST_MS = 6 * 3_600_000  # of what was not looked at while nobody was there to look
MOST_ZONES, MOST_POINTS = 8, 24
_MERGE_SHARE = 0.5  # marks closer than half of what can be told apart are one
_KIND = "activity"


@dataclass(frozen=True, slots=True)
class Mark:
    """One episode as it is drawn; `peak` is the share of the watched picture that changed at most."""

    started_ms: int
    ended_ms: int
    peak: float
    zone: str
    peak_ms: int


@dataclass(frozen=True, slots=True)
class WatchForm:
    """What a person sets: `sensitivity` 1 to 100; zones as in the table camera."""

    is_watched: bool
    sensitivity: int
    zones: list[dict[str, Any]]


def marks(
    camera_ids: Iterable[int], start_ms: int, end_ms: int, *, resolution_ms: int = 1
) -> dict[int, list[Mark]]:
    """The episodes of [start_ms, end_ms) by camera, in order of time; one query.

    What cannot be told apart at `resolution_ms` is one mark, as high as its highest.
    """
    ids = list(camera_ids)
    found: dict[int, list[Mark]] = {camera_id: [] for camera_id in ids}
    query = (
        select(Activity)
        .where(
            Activity.camera_id.in_(ids),
            Activity.started_ms < end_ms,
            or_(Activity.ended_ms.is_(None), Activity.ended_ms > start_ms),
        )
        .order_by(Activity.started_ms)
    )
    for row in db.session.scalars(query):
        mark = _mark(row, end_ms)
        group = found[row.camera_id]
        if group and mark.started_ms - group[-1].ended_ms < resolution_ms * _MERGE_SHARE:
            mark = _joined(group.pop(), mark)
        group.append(mark)
    return found


def newest(camera_id: int, *, count: int = 10) -> list[Mark]:
    """The last episodes of a camera, the newest first."""
    query = (
        select(Activity)
        .where(Activity.camera_id == camera_id)
        .order_by(Activity.started_ms.desc())
        .limit(count)
    )
    return [_mark(row, now_ms()) for row in db.session.scalars(query)]


def next_after(camera_ids: Iterable[int], ms: int) -> Activity | None:
    """The first episode of any of the cameras that begins after a moment."""
    return _nearest(camera_ids, Activity.started_ms > ms, Activity.started_ms.asc())


def previous_before(camera_ids: Iterable[int], ms: int) -> Activity | None:
    """The last episode of any of the cameras that begins before a moment."""
    return _nearest(camera_ids, Activity.started_ms < ms, Activity.started_ms.desc())


def _nearest(camera_ids: Iterable[int], condition: Any, order: Any) -> Activity | None:
    query = select(Activity).where(Activity.camera_id.in_(list(camera_ids)), condition)
    return db.session.scalars(query.order_by(order).limit(1)).first()


def _mark(row: Activity, open_end_ms: int) -> Mark:
    ended = open_end_ms if row.ended_ms is None else row.ended_ms
    return Mark(row.started_ms, ended, row.peak, row.zone, row.peak_ms or row.started_ms)


def _joined(first: Mark, second: Mark) -> Mark:
    high = max(first, second, key=lambda mark: mark.peak)
    zone = first.zone if first.zone == second.zone else ""
    return Mark(first.started_ms, max(first.ended_ms, second.ended_ms), high.peak, zone, high.peak_ms)


def set_watching(camera: Camera, form: WatchForm, user: User, *, version: int | None = None) -> None:
    """Change what counts as activity of a camera; what was found before stays.

    Raises:
        Invalid: keys are the fields of WatchForm.
        Conflict: somebody else changed the camera since `version` was read.
    """
    errors: dict[str, str] = {}
    if not 1 <= form.sensitivity <= 100:
        errors["sensitivity"] = "Choose a sensitivity from 1 to 100."
    zones = _checked_zones(form.zones, errors)
    if errors:
        raise Invalid(errors)
    begin_writing()
    db.session.refresh(camera, with_for_update=True)
    if version is not None and camera.version != version:
        db.session.rollback()
        raise Conflict(
            "Somebody else changed this camera in the meantime. Reload to see it, then change it again."
        )
    before = _told(camera)
    camera.watches_activity, camera.sensitivity = form.is_watched, form.sensitivity
    camera.zones = zones
    camera.version += 1
    audit.add(
        "camera.edit",
        target=camera.name,
        camera_id=camera.id,
        user=user,
        before=before,
        after=_told(camera),
    )
    db.session.commit()


def _told(camera: Camera) -> dict[str, Any]:
    return {
        "watches_activity": camera.watches_activity,
        "sensitivity": camera.sensitivity,
        "zones": ", ".join(zone["name"] for zone in camera.zones) or "none",
    }


def _checked_zones(zones: Sequence[Mapping[str, Any]], errors: dict[str, str]) -> list[dict[str, Any]]:
    if len(zones) > MOST_ZONES:
        errors["zones"] = f"Draw at most {MOST_ZONES} zones."
        return []
    checked: list[dict[str, Any]] = []
    for number, zone in enumerate(zones, 1):
        name = str(zone.get("name") or "").strip() or f"Zone {number}"
        points = _points(zone.get("points"))
        if len(name) > 40:
            errors["zones"] = f"Zone {number}: use at most 40 characters for its name."
        elif points is None:
            errors["zones"] = f"{name}: a zone has 3 to {MOST_POINTS} corners inside the picture."
        elif _area(points) < 0.0005:
            errors["zones"] = f"{name} is too small to see anything in it."
        else:
            checked.append({"name": name, "points": points, "is_ignored": bool(zone.get("is_ignored"))})
    names = [zone["name"].lower() for zone in checked]
    if len(set(names)) < len(names):
        errors["zones"] = "Two zones have the same name."
    return checked


def _points(typed: Any) -> list[list[float]] | None:
    if not isinstance(typed, list) or not 3 <= len(typed) <= MOST_POINTS:
        return None
    points: list[list[float]] = []
    for point in typed:
        try:
            x, y = (float(number) for number in point)
        except (TypeError, ValueError):
            return None
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return None
        points.append([round(x, 4), round(y, 4)])
    return points


def _area(points: list[list[float]]) -> float:
    """Share of the picture (shoelace formula)."""
    pairs = zip(points, [*points[1:], points[0]], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def nodes_with_news(*, at_ms: int | None = None) -> list[Node]:
    """The machines that stored files of watched cameras which nobody looked at.

    A query on the index: a pass for nothing would cost as much as a look at a file.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    seen_ms = func.coalesce(Camera.activity_seen_ms, at_ms - FIRST_MS)
    news = (
        select(Run.node_id)
        .select_from(Camera)
        .join(Stream, Stream.camera_id == Camera.id)
        .join(Segment, Segment.stream_id == Stream.id)
        .join(Run, Run.id == Segment.run_id)
        .where(
            Camera.deleted_at.is_(None),
            Camera.is_enabled,
            Camera.watches_activity,
            Stream.kind == StreamKind.MAIN,
            # A longer file is seen here together with the next one.
            Segment.started_ms > seen_ms - 120_000,
            Segment.ended_ms > seen_ms,
            Segment.ended_ms > at_ms - OLDEST_MS,
        )
        .distinct()
    )
    return list(db.session.scalars(select(Node).where(Node.id.in_(news)).order_by(Node.id)))


def tell_of_silence(*, at_ms: int | None = None) -> int:
    """Write once an hour of which cameras nobody compares pictures although they are live; how many."""
    at_ms = now_ms() if at_ms is None else at_ms
    query = (
        select(Camera)
        .join(Stream, Stream.camera_id == Camera.id)
        .where(
            Camera.is_enabled,
            Camera.deleted_at.is_(None),
            Camera.watches_activity,
            Camera.activity_seen_ms < at_ms - LATE_MS,
            Stream.kind == StreamKind.MAIN,
            Stream.state == StreamState.LIVE,
            Stream.state_since_ms < at_ms - LATE_MS,
        )
    )
    late = list(db.session.scalars(query))
    recently = select(Event.id).where(
        Event.kind == _KIND, Event.camera_id.is_(None), Event.at_ms > at_ms - 3_600_000
    )
    is_told = bool(late) and db.session.scalar(recently.limit(1)) is not None
    db.session.commit()
    if not late or is_told:
        return len(late)
    names = ", ".join(camera.name for camera in late[:3])
    more = f" and {len(late) - 3} more" if len(late) > 3 else ""
    text = f"No activity is looked for on {names}{more}: its worker does not keep up, or does not run."
    begin_writing()
    db.session.add(Event(at_ms=at_ms, kind=_KIND, severity="bad", text=text[:500]))
    db.session.commit()
    return len(late)


def tell_trouble(camera_id: int, trouble: str, at_ms: int) -> None:
    """Remember what went wrong with the camera; the first time also as an event, until it works again."""
    before = db.session.scalar(select(Camera.activity_trouble).where(Camera.id == camera_id)) or ""
    if before == trouble:
        db.session.commit()
        return
    begin_writing()
    db.session.execute(
        update(Camera)
        .where(Camera.id == camera_id)
        .values(activity_trouble=trouble[:200])
        .execution_options(synchronize_session=False)
    )
    if trouble and not before:
        name = db.session.scalar(select(Camera.name).where(Camera.id == camera_id)) or "A camera"
        text = f"{name}: activity could not be looked for everywhere - {trouble}."
        db.session.add(Event(at_ms=at_ms, kind=_KIND, severity="bad", camera_id=camera_id, text=text[:500]))
    db.session.commit()
