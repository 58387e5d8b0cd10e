"""Recordings: intervals with a reason, by a person's click or one a day while a camera records always.

Starting or stopping changes only what is kept; the capture never notices.
"""

from __future__ import annotations

from sqlalchemy import select, update

from cctv.clock import now_ms
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, clip
from cctv.models import Camera, ModeChange, Recording, RecordingKind, RecordingMode, Schedule, User
from cctv.services.auditing import audit
from cctv.services.footage import segments
from cctv.services.footage.finding import open_intervals
from cctv.services.recording.recording_days import roll_camera, roll_days
from cctv.services.recording.wanted import (
    cameras_wanted_now,
    is_wanted_now,
    lock_cameras,
    wanted,
    wanted_by_camera,
)
from cctv.services.schedule import schedule_cameras

LONGEST_SECONDS = 7 * 86_400
# Modes to which the seconds around activity are nothing: they begin no new interval.
_WITHOUT_ROLLS = frozenset({RecordingMode.OFF, RecordingMode.CONTINUOUS, RecordingMode.MANUAL})

__all__ = [
    "cameras_wanted_now",
    "end_planned",
    "extend",
    "find_running",
    "get_recording",
    "is_wanted_now",
    "list_recordings",
    "roll_days",
    "set_mode",
    "start",
    "stop",
    "tick",
    "wanted",
    "wanted_by_camera",
]


def get_recording(recording_id: int) -> Recording:
    """The recording.

    Raises:
        NotFound: there is none.
    """
    recording = db.session.get(Recording, recording_id)
    if recording is None:
        raise NotFound("This recording does not exist (any more).")
    return recording


def list_recordings(*, camera_id: int | None = None, limit: int = 50) -> list[Recording]:
    """The newest recordings first."""
    query = select(Recording).order_by(Recording.started_ms.desc(), Recording.id.desc()).limit(limit)
    if camera_id is not None:
        query = query.where(Recording.camera_id == camera_id)
    return list(db.session.scalars(query))


def find_running(camera_id: int, *, at_ms: int | None = None) -> Recording | None:
    """The recording that a person started and that still goes on, if any."""
    at_ms = now_ms() if at_ms is None else at_ms
    query = select(Recording).where(
        Recording.camera_id == camera_id,
        Recording.kind == RecordingKind.MANUAL,
        Recording.ended_ms.is_(None),
        Recording.planned_end_ms.is_(None) | (Recording.planned_end_ms > at_ms),
    )
    return db.session.scalars(query.order_by(Recording.started_ms)).first()


def start(
    camera: Camera,
    user: User | None,
    *,
    pre_roll_seconds: int | None = None,
    max_seconds: int | None = None,
    at_ms: int | None = None,
) -> Recording:
    """Keep from `pre_roll_seconds` ago (default: the camera's) until `stop` or `max_seconds` from now.

    The pre-roll reaches back only as far as footage still exists; a shorter one is told in `note`. When one
    goes on already that one is returned, with its end moved if `max_seconds` reaches further.

    Raises:
        Conflict: the camera is turned off, or its recording mode is off.
        Invalid: a negative or absurd number of seconds.
    """
    _check_seconds(pre_roll_seconds=pre_roll_seconds, max_seconds=max_seconds)
    at_ms = now_ms() if at_ms is None else at_ms
    # Looked up first: a disk that hangs must not hold the transaction, and with it all other writers.
    growing = open_intervals([camera.id]).get(camera.id, [])
    begin_writing()
    lock_cameras([camera.id])
    db.session.refresh(camera)
    _check_may_record(camera)
    planned = None if max_seconds is None else at_ms + max_seconds * 1000
    running = find_running(camera.id, at_ms=at_ms)
    if running is not None:
        if _move_end(running, planned):
            _tell("recording.extend", camera, user, running, until_ms=planned)
        db.session.commit()
        return running
    asked = camera.pre_roll_seconds if pre_roll_seconds is None else pre_roll_seconds
    segments.keep(camera.id, at_ms - asked * 1000, at_ms)
    started_ms = _reach_back(camera.id, at_ms, asked, growing)
    recording = Recording(
        camera_id=camera.id,
        kind=RecordingKind.MANUAL,
        started_ms=started_ms,
        planned_end_ms=planned,
        user_id=user.id if user else None,
        note=_pre_roll_note(asked, at_ms - started_ms),
    )
    db.session.add(recording)
    db.session.flush()
    seconds = {"pre_roll_seconds": asked, "max_seconds": max_seconds}
    _tell("recording.start", camera, user, recording, **seconds)
    db.session.commit()
    return recording


def stop(camera: Camera, user: User | None = None, *, at_ms: int | None = None) -> Recording | None:
    """End what a person started on this camera, now; the recording, or None when none was going on."""
    at_ms = now_ms() if at_ms is None else at_ms
    begin_writing()
    lock_cameras([camera.id])
    recording = find_running(camera.id, at_ms=at_ms)
    if recording is not None:
        recording.ended_ms = max(at_ms, recording.started_ms + 1)
        _tell("recording.stop", camera, user, recording, seconds=(at_ms - recording.started_ms) // 1000)
    db.session.commit()
    return recording


def extend(recording: Recording, seconds: int, *, at_ms: int | None = None) -> Recording:
    """Move the planned end of a running recording by `seconds`; one without an end goes on as it is.

    Raises:
        Conflict: it has ended already.
    """
    _check_seconds(seconds=seconds)
    at_ms = now_ms() if at_ms is None else at_ms
    begin_writing()
    lock_cameras([recording.camera_id])
    db.session.refresh(recording)
    has_ended = recording.ended_ms is not None or (recording.planned_end_ms or at_ms + 1) <= at_ms
    if has_ended:
        db.session.rollback()
        raise Conflict("This recording has ended. Start a new one.")
    if recording.planned_end_ms is not None:
        recording.planned_end_ms += seconds * 1000
        _tell("recording.extend", recording.camera, None, recording, until_ms=recording.planned_end_ms)
    db.session.commit()
    return recording


def set_mode(
    camera: Camera,
    mode: RecordingMode,
    user: User | None,
    *,
    schedule_id: int | None = None,
    at_ms: int | None = None,
) -> None:
    """Record from now on as `mode` says, with the camera's seconds around activity as they are now; off also
    ends what a person started. By schedule it follows `schedule_id`, or goes on with the one it follows.

    Raises:
        Invalid: key schedule_id; by schedule, but by none that exists.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    begin_writing()
    schedule_cameras.hold(schedule_id)
    lock_cameras([camera.id])
    try:
        put_mode(camera, mode, user, schedule_id=schedule_id, at_ms=at_ms)
    except Invalid:
        db.session.rollback()
        raise
    db.session.commit()


def put_mode(
    camera: Camera, mode: RecordingMode, user: User | None, *, schedule_id: int | None, at_ms: int
) -> None:
    """`set_mode` as part of the caller's transaction, which has locked the camera."""
    old_schedule = schedule_cameras.schedule_id_of(camera.id)
    schedule_id = (schedule_id or old_schedule) if mode == RecordingMode.SCHEDULE else None
    schedule_cameras.check(mode, schedule_id)
    before, camera.recording_mode = camera.recording_mode, mode
    schedule_cameras.follow(camera.id, schedule_id, at_ms=at_ms)
    if (before, old_schedule) != (mode, schedule_id):
        old, new = _mode_told(before, old_schedule), _mode_told(mode, schedule_id)
        audit.add("camera.mode", target=camera.name, camera_id=camera.id, user=user, before=old, after=new)
    _change_mode(camera, mode, user, at_ms=at_ms)
    if mode == RecordingMode.OFF and (running := find_running(camera.id, at_ms=at_ms)) is not None:
        running.ended_ms = max(at_ms, running.started_ms + 1)
    db.session.flush()
    roll_camera(camera.id, at_ms)


def _change_mode(camera: Camera, mode: str, user: User | None, *, at_ms: int) -> None:
    """End the interval of the mode and begin another, unless it is the same. The caller has the lock."""
    current = db.session.scalars(
        select(ModeChange).where(ModeChange.camera_id == camera.id, ModeChange.ended_ms.is_(None))
    ).all()
    wanted_now = (mode, camera.pre_roll_seconds, camera.post_roll_seconds)
    known = [(change.mode, change.pre_roll_seconds, change.post_roll_seconds) for change in current]
    if known == [wanted_now] or ([one[0] for one in known] == [mode] and mode in _WITHOUT_ROLLS):
        return
    for change in current:
        change.ended_ms = max(at_ms, change.started_ms)
    db.session.add(
        ModeChange(
            camera_id=camera.id,
            mode=mode,
            pre_roll_seconds=camera.pre_roll_seconds,
            post_roll_seconds=camera.post_roll_seconds,
            started_ms=at_ms,
            user_id=user.id if user else None,
        )
    )


def _mode_told(mode: str, schedule_id: int | None) -> dict[str, object]:
    schedule = db.session.get(Schedule, schedule_id) if schedule_id else None
    told: dict[str, object] = {"recording_mode": mode}
    return told | ({"schedule": schedule.name} if schedule else {})


def tick(*, at_ms: int | None = None) -> None:
    """What time itself does to recordings: planned ends, and a new row for a new day."""
    end_planned(at_ms=at_ms)
    roll_days(at_ms=at_ms)


def end_planned(*, at_ms: int | None = None) -> int:
    """Close recordings whose planned end has passed; how many. `wanted` has obeyed it from that moment."""
    at_ms = now_ms() if at_ms is None else at_ms
    due = (Recording.ended_ms.is_(None), Recording.planned_end_ms <= at_ms)
    ids = db.session.scalars(select(Recording.id).where(*due)).all()
    db.session.commit()
    if ids:
        begin_writing()
        db.session.execute(
            update(Recording)
            .where(Recording.id.in_(ids), *due)
            .values(ended_ms=Recording.planned_end_ms)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
    return len(ids)


def _tell(action: str, camera: Camera, user: User | None, recording: Recording, **details: object) -> None:
    target = {"target": camera.name, "target_id": recording.id, "camera_id": camera.id}
    audit.add(action, user=user, from_ms=recording.started_ms, **target, **details)  # type: ignore[arg-type]


def _check_seconds(**seconds: int | None) -> None:
    errors = {
        name: f"Choose 0 to {LONGEST_SECONDS} seconds."
        for name, value in seconds.items()
        if value is not None and not 0 <= value <= LONGEST_SECONDS
    }
    if errors:
        raise Invalid(errors)


def _check_may_record(camera: Camera) -> None:
    reason = None
    if camera.deleted_at is not None or not camera.is_enabled:
        reason = "This camera is turned off. Turn it on, then record."
    elif camera.recording_mode == RecordingMode.OFF:
        reason = "Recording is switched off for this camera. Choose when it records first."
    if reason:
        db.session.rollback()
        raise Conflict(reason)


def _move_end(recording: Recording, planned_ms: int | None) -> bool:
    """Whether the end is later now."""
    if recording.planned_end_ms is None or planned_ms is None or planned_ms <= recording.planned_end_ms:
        return False
    recording.planned_end_ms = planned_ms
    return True


def _reach_back(camera_id: int, at_ms: int, asked_seconds: int, growing: list[Interval]) -> int:
    """The start of the recording: as far back as was asked, or as footage reaches."""
    asked_ms = at_ms - asked_seconds * 1000
    found = segments.find_segments(camera_id, asked_ms, at_ms, ring=True, open_file=False)
    starts = [segment.from_ms for segment in found]
    starts += [start for start, _end in clip(growing, asked_ms, at_ms)]
    return max(asked_ms, min(starts, default=at_ms))


def _pre_roll_note(asked_seconds: int, got_ms: int) -> str:
    if got_ms >= asked_seconds * 1000:
        return ""
    return (
        f"{asked_seconds} s before the start were asked for; "
        f"{got_ms // 1000} s were there: earlier footage is gone unless it was recorded."
    )
