"""Schedules: make, change, switch and delete them, and say which cameras follow them.

Every change makes a new version from now on, so that what was recorded before stays explained. What a plan
means for a moment is in schedule_times.py, what may be in one in schedule_plans.py.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from cctv.clock import now_ms, site_day, utcnow
from cctv.errors import Conflict, Invalid, NotAllowed, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import Camera, RecordingMode, Schedule, ScheduleVersion, User
from cctv.services.auditing import audit
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.recording import recordings
from cctv.services.recording.planned import Now, now_in_plan
from cctv.services.recording.wanted import lock_cameras
from cctv.services.schedule import schedule_cameras, schedule_words
from cctv.services.schedule.schedule_plans import Plan
from cctv.services.site import settings
from cctv.services.site.paging import Page, paginate

LONGEST_NAME = 60
SORTS = {"name": func.lower(Schedule.name), "created_at": Schedule.created_at, "id": Schedule.id}
_CHANGED = "Somebody else changed this schedule in the meantime. Reload it, then change it again."
_GONE = "This schedule does not exist (any more)."


def list_schedules() -> list[Schedule]:
    """All that are not deleted, by name, with their versions; two queries."""
    query = select(Schedule).where(Schedule.deleted_at.is_(None)).order_by(func.lower(Schedule.name))
    return list(db.session.scalars(query.options(db.selectinload(Schedule.versions))))


def find_schedules(
    *,
    search: str = "",
    is_active: bool | None = None,
    camera_id: int | None = None,
    sort: str = "name",
    page: int = 1,
    page_size: int = 50,
) -> Page[Schedule]:
    """A page of them. `camera_id`: the one that this camera follows.

    Raises:
        Invalid: keys page, page_size.
    """
    query = select(Schedule).where(Schedule.deleted_at.is_(None))
    if search.strip():
        query = query.where(func.lower(Schedule.name).contains(search.strip().lower(), autoescape=True))
    if is_active is not None:
        query = query.where(Schedule.is_active.is_(is_active))
    if camera_id is not None:
        query = query.where(Schedule.id == schedule_cameras.schedule_id_of(camera_id))
    column = SORTS[sort.removeprefix("-")]
    order = column.desc() if sort.startswith("-") else column.asc()
    query = query.options(db.selectinload(Schedule.versions))
    return paginate(query.order_by(order, Schedule.id), number=page, size=page_size)


def get_schedule(schedule_id: int) -> Schedule:
    """The schedule.

    Raises:
        NotFound: there is none, or it was deleted.
    """
    schedule = schedule_cameras.find(schedule_id)
    if schedule is None:
        raise NotFound(_GONE)
    return schedule


def plan_of(schedule: Schedule) -> Plan:
    """The plan as it stands, whether it is in force or not; without exceptions of days that have passed."""
    newest = max(schedule.versions, key=lambda version: version.id)
    if not newest.exceptions:
        return Plan(newest.weekly, [])
    today = site_day(now_ms(), ZoneInfo(newest.time_zone)).isoformat()
    return Plan(newest.weekly, [one for one in newest.exceptions if one["date"] >= today])


def now_of(schedule: Schedule, zone: ZoneInfo, *, at_ms: int | None = None) -> Now:
    """What it says of this moment; off while it is inactive."""
    at_ms = now_ms() if at_ms is None else at_ms
    return now_in_plan(plan_of(schedule), zone, at_ms=at_ms) if schedule.is_active else Now(None, None, None)


def create_schedule(
    user: User,
    name: str,
    plan: Plan,
    *,
    is_active: bool = True,
    camera_ids: Collection[int] = (),
    at_ms: int | None = None,
) -> Schedule:
    """Make a schedule that these cameras follow from now on.

    Raises:
        Invalid: keys name, cameras.
        NotAllowed: the person may not say what these cameras record.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    name = _checked_name(name)
    begin_writing()
    schedule = Schedule(name=name, is_active=is_active, user_id=user.id)
    db.session.add(schedule)
    _flush(name)
    _add_version(schedule, plan, at_ms)
    _set_cameras(user, schedule, set(camera_ids), at_ms)
    audit.add("schedule.create", target=name, target_id=schedule.id, after=_facts(schedule), user=user)
    db.session.commit()
    return schedule


def change_schedule(
    user: User,
    schedule: Schedule,
    *,
    name: str | None = None,
    plan: Plan | None = None,
    camera_ids: Collection[int] | None = None,
    version: int | None = None,
    at_ms: int | None = None,
) -> Schedule:
    """Change it from now on; None leaves that as it is. A camera that is taken off goes on all the time.

    Raises:
        Invalid: keys name, cameras.
        Conflict: somebody else changed it since `version`.
        NotAllowed: the person may not say what these cameras record.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    new_name = _checked_name(name) if name is not None else None
    schedule = _locked(schedule.id)
    if version is not None and schedule.version != version:
        db.session.rollback()
        raise Conflict(_CHANGED)
    _check_followers(user, schedule)
    before = _facts(schedule)
    schedule.name = new_name or schedule.name
    _flush(schedule.name)
    if plan is not None and plan != plan_of(schedule):
        _add_version(schedule, plan, at_ms)
    if camera_ids is not None:
        _set_cameras(user, schedule, set(camera_ids), at_ms)
    if before != (after := _facts(schedule)):
        schedule.version += 1
        said = {key: part for key, part in before.items() if part != after[key]}
        changed = {key: after[key] for key in said}
        target = {"target": schedule.name, "target_id": schedule.id}
        audit.add("schedule.change", before=said, after=changed, user=user, **target)  # type: ignore[arg-type]
    db.session.commit()
    return schedule


def set_active(
    user: User, schedule: Schedule, is_active: bool, *, version: int | None = None, at_ms: int | None = None
) -> Schedule:
    """Put the plan into force or out of it: while it is out, its cameras record only what people start.

    Raises:
        Conflict: somebody else changed it since `version`.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    schedule = _locked(schedule.id)
    if version is not None and schedule.version != version:
        db.session.rollback()
        raise Conflict(_CHANGED)
    _check_followers(user, schedule)
    if schedule.is_active != is_active:
        plan, schedule.is_active = plan_of(schedule), is_active
        _add_version(schedule, plan, at_ms)
        schedule.version += 1
        action = f"schedule.{'on' if is_active else 'off'}"
        audit.add(action, target=schedule.name, target_id=schedule.id, user=user)
    db.session.commit()
    return schedule


def delete_schedule(user: User, schedule: Schedule, *, at_ms: int | None = None) -> None:
    """Delete a schedule that no camera follows (any more). Its row stays, because it explains the past.

    Raises:
        Conflict: cameras follow it; the sentence names them.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    schedule = _locked(schedule.id)
    names = [camera.name for camera in schedule_cameras.cameras_of(schedule.id)]
    if names:
        db.session.rollback()
        first = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        follow = "follows" if len(names) == 1 else "follow"
        raise Conflict(f"{first} {follow} this schedule. Say first when they record instead.")
    audit.add(
        "schedule.delete", target=schedule.name, target_id=schedule.id, before=_facts(schedule), user=user
    )
    _end_version(schedule, at_ms)
    schedule.name = f"{schedule.name} #{schedule.id}"[:80]  # the name is free again
    schedule.deleted_at = utcnow()
    schedule.version += 1
    db.session.commit()


def restore_schedule(user: User, schedule_id: int, *, at_ms: int | None = None) -> Schedule:
    """Bring back a schedule that was deleted a moment ago.

    Raises:
        NotFound: there is no such deleted one.
        Conflict: its name was given to another one meanwhile.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    schedule = _locked(schedule_id, is_deleted=True)
    schedule.deleted_at = None
    schedule.name = schedule.name.removesuffix(f" #{schedule.id}")
    try:
        _flush(schedule.name)
    except Invalid:
        raise Conflict("There is another schedule of this name now.") from None
    _add_version(schedule, plan_of(schedule), at_ms)
    schedule.version += 1
    audit.add(
        "schedule.create",
        target=schedule.name,
        target_id=schedule.id,
        after=_facts(schedule),
        user=user,
        undo=True,
    )
    db.session.commit()
    return schedule


def follow_zone(*, at_ms: int | None = None) -> int:
    """Plans in force follow the site into another time zone, from now on; how many changed."""
    at_ms = now_ms() if at_ms is None else at_ms
    zone = settings.zone().key
    query = select(ScheduleVersion.schedule_id).where(
        ScheduleVersion.ended_ms.is_(None), ScheduleVersion.time_zone != zone
    )
    ids = db.session.scalars(query).all()
    db.session.commit()
    for schedule_id in ids:
        schedule = _locked(schedule_id)
        _add_version(schedule, plan_of(schedule), at_ms)
        db.session.commit()
    return len(ids)


def _locked(schedule_id: int, *, is_deleted: bool = False) -> Schedule:
    """The schedule as it is now; nobody else changes it until the commit."""
    begin_writing()
    query = select(Schedule).where(
        Schedule.id == schedule_id,
        Schedule.deleted_at.is_not(None) if is_deleted else Schedule.deleted_at.is_(None),
    )
    schedule = db.session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if schedule is None:
        db.session.rollback()
        raise NotFound(_GONE)
    db.session.expire(schedule, ["versions"])
    return schedule


def _add_version(schedule: Schedule, plan: Plan, at_ms: int) -> None:
    """From now on the plan says this; while it is out of force it only waits (see ScheduleVersion)."""
    _end_version(schedule, at_ms)
    schedule.versions.append(
        ScheduleVersion(
            started_ms=at_ms,
            ended_ms=None if schedule.is_active else at_ms,
            time_zone=settings.zone().key,
            weekly=plan.weekly,
            exceptions=plan.exceptions,
        )
    )
    db.session.flush()


def _end_version(schedule: Schedule, at_ms: int) -> None:
    for version in schedule.versions:
        if version.ended_ms is None:
            version.ended_ms = max(at_ms, version.started_ms)


def _check_followers(user: User, schedule: Schedule) -> None:
    """A token that is limited to some cameras changes nothing for others."""
    _check_may(user, schedule_cameras.cameras_of(schedule.id))


def _check_may(user: User, cameras: Collection[Camera]) -> None:
    rights = access.Rights(user)
    if not all(rights.may(Action.SCHEDULE_EDIT, camera.id) for camera in cameras):
        db.session.rollback()
        raise NotAllowed("You may not say what one of these cameras records.")


def _set_cameras(user: User, schedule: Schedule, wanted: set[int], at_ms: int) -> None:
    """These cameras follow the schedule from now on, and no others."""
    had = {camera.id for camera in schedule_cameras.cameras_of(schedule.id)}
    changed = had ^ wanted
    lock_cameras(changed)
    query = select(Camera).where(Camera.id.in_(changed), Camera.deleted_at.is_(None)).order_by(Camera.id)
    cameras = list(db.session.scalars(query.execution_options(populate_existing=True)))
    if not wanted - had <= {camera.id for camera in cameras}:
        db.session.rollback()
        raise Invalid({"cameras": "One of these cameras does not exist (any more)."})
    _check_may(user, cameras)
    for camera in cameras:
        is_on = camera.id in wanted
        mode = RecordingMode.SCHEDULE if is_on else RecordingMode.CONTINUOUS
        recordings.put_mode(camera, mode, user, schedule_id=schedule.id if is_on else None, at_ms=at_ms)


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise Invalid({"name": "Give the schedule a name."})
    if len(name) > LONGEST_NAME:
        raise Invalid({"name": f"Use at most {LONGEST_NAME} characters."})
    return name


def _flush(name: str) -> None:
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        raise Invalid({"name": f"There is a schedule called {name} already."}) from None


def _facts(schedule: Schedule) -> dict[str, Any]:
    plan = plan_of(schedule)
    return {
        "name": schedule.name,
        "weekly": schedule_words.week_in_words(plan.weekly),
        "exceptions": schedule_words.exceptions_in_words(plan.exceptions),
        "cameras": [camera.name for camera in schedule_cameras.cameras_of(schedule.id)],
    }
