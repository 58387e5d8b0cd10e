"""Recordings that are held as evidence, and the deletion of those that are not.

A locked recording outlives every rule and every person: it has to be unlocked first (DECISIONS 21). Files go
whole: of a file that belongs to something else as well nothing is removed.
"""

from __future__ import annotations

from sqlalchemy import or_, select, update

from cctv.clock import now_ms
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import begin_writing, db
from cctv.intervals import Interval, overlaps
from cctv.models import (
    Recording,
    RecordingKind,
    RemovalReason,
    Segment,
    SegmentState,
    Stream,
    StreamKind,
    User,
)
from cctv.services.auditing import audit
from cctv.services.bucket import transfer_rows
from cctv.services.footage import gaps, segments
from cctv.services.footage.finding import LONGEST_FILE_MS
from cctv.services.proof import chain
from cctv.services.recording.wanted import FOREVER_MS, lock_cameras, wanted

LONGEST_REASON = 300
LONGEST_NOTE = 500
LONGEST_HOLD_MS = 25 * 3_600_000  # a day, also when the clocks change
_AHEAD_MS = 2_000  # a page's clock may be a little fast
_GONE = "This recording does not exist (any more)."


class IsLocked(Conflict):
    """It is held as evidence."""


class NotLocked(Conflict):
    """It is not held."""


class GoesOn(Conflict):
    """It has not ended yet."""


def lock(recording: Recording, user: User, *, reason: str) -> Recording:
    """Hold a recording: no rule and no person removes its footage until it is unlocked.

    Raises:
        Invalid: key reason.
        Conflict: it is held already.
    """
    reason = checked_reason(reason)
    _begin(recording)
    if recording.locked_by is not None:
        by = recording.locked_by
        db.session.rollback()
        raise IsLocked(f"{by} has locked this recording already.")
    recording.locked_by, recording.locked_reason = user.name, reason
    _tell("recording.lock", recording, reason=reason)
    db.session.commit()
    return recording


def checked_reason(reason: str) -> str:
    """The reason without blanks around it.

    Raises:
        Invalid: key reason.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise Invalid({"reason": f"Say why, in at most {LONGEST_REASON} characters."})
    return reason


def lock_part(recording: Recording, user: User, *, start_ms: int, end_ms: int, reason: str) -> Recording:
    """Hold a part of a recording: a new one of these times, so that not a whole day has to be kept.

    Raises:
        Invalid: keys reason, start_ms, end_ms.
    """
    reason = checked_reason(reason)
    _begin(recording)
    first, last = recording.started_ms, _end_or_now(recording)
    start_ms, end_ms = max(first, start_ms), min(last, end_ms)
    if start_ms >= end_ms:
        db.session.rollback()
        raise Invalid({"end_ms": "The end must be after the start, and both inside the recording."})
    part = _hold(recording.camera_id, user, start_ms, end_ms, reason)
    db.session.commit()
    return part


def hold(camera_id: int, user: User, *, start_ms: int, end_ms: int, reason: str) -> Recording:
    """Hold what a camera recorded in [start_ms, end_ms), whatever kept it: a recording of its own.

    Raises:
        Invalid: keys reason, start_ms, end_ms.
    """
    reason = checked_reason(reason)
    if not 0 <= start_ms < end_ms <= now_ms() + _AHEAD_MS:
        raise Invalid({"end_ms": "The end must be after the start, and not in the future."})
    if end_ms - start_ms > LONGEST_HOLD_MS:
        raise Invalid({"end_ms": "Lock at most a day at a time."})
    begin_writing()
    lock_cameras([camera_id])
    if not segments.find_segments(camera_id, start_ms, end_ms, ring=True, open_file=False):
        db.session.rollback()
        raise Invalid({"start_ms": "Nothing is recorded in this time."})
    held = _hold(camera_id, user, start_ms, end_ms, reason)
    db.session.commit()
    return held


def _hold(camera_id: int, user: User, start_ms: int, end_ms: int, reason: str) -> Recording:
    held = Recording(
        camera_id=camera_id,
        kind=RecordingKind.MANUAL,
        started_ms=start_ms,
        ended_ms=end_ms,
        user_id=user.id,
        locked_by=user.name,
        locked_reason=reason,
    )
    db.session.add(held)
    db.session.flush()
    segments.keep(camera_id, start_ms, end_ms)
    _tell("recording.lock", held, reason=reason, started_ms=start_ms, ended_ms=end_ms)
    return held


def write_note(recording: Recording, text: str) -> None:
    """Say something about a recording; an empty text takes the note away.

    Raises:
        Invalid: key note.
    """
    text = " ".join(text.split())
    if len(text) > LONGEST_NOTE:
        raise Invalid({"note": f"Use at most {LONGEST_NOTE} characters."})
    _begin(recording)
    if recording.note != text:
        _tell("recording.note", recording, before={"note": recording.note}, after={"note": text})
        recording.note = text
    db.session.commit()


def unlock(recording: Recording, user: User) -> Recording:
    """Hold it no longer: from now on rules and people may remove its footage.

    Raises:
        Conflict: it is not held.
    """
    _begin(recording)
    if recording.locked_by is None:
        db.session.rollback()
        raise NotLocked("This recording is not locked.")
    _tell("recording.unlock", recording, locked_by=recording.locked_by, reason=recording.locked_reason)
    recording.locked_by = recording.locked_reason = None
    db.session.commit()
    return recording


def delete_recording(recording: Recording, user: User, *, with_copies: bool = False) -> int:
    """Remove a recording, and the footage that nothing else keeps; how many files go.

    Footage that a rule kept and that a person or another recording wanted as well stays; so does that of a
    manual recording while a rule kept it, too. The nodes unlink what is marked here. `with_copies`: what is
    in the bucket goes as well; else it stays there, out of sight of this system.

    Raises:
        IsLocked, GoesOn: unlock or stop it first.
    """
    _begin(recording)
    problem = why_not(recording)
    if problem:
        db.session.rollback()
        raise problem
    camera_id, start_ms, end_ms = recording.camera_id, recording.started_ms, _end_of(recording)
    is_by_rule = recording.kind != RecordingKind.MANUAL
    facts = {"started_ms": start_ms, "ended_ms": end_ms, "kind": recording.kind, "with_copies": with_copies}
    _tell("recording.delete", recording, **facts)
    if is_by_rule:
        camera = recording.camera  # else recording_rules.py would list it again
        camera.listed_from_ms = max(camera.listed_from_ms or 0, end_ms)
    db.session.delete(recording)
    db.session.flush()
    kept = _recordings_around(camera_id, start_ms, end_ms, is_by_rule=is_by_rule)
    ids, gone = _mark(camera_id, start_ms, end_ms, kept)
    if not with_copies:
        transfer_rows.leave_copies(ids)
    if is_by_rule and gone:
        # A rule was to keep it: that there is nothing now has to be said.
        gaps.add(camera_id, gone, cause="deleted_person", detail=user.name)
    db.session.commit()
    return len(gone)


def _begin(recording: Recording) -> None:
    """Start writing with the camera's promises and footage held still, and the row read again."""
    camera_id, recording_id = recording.camera_id, recording.id
    begin_writing()
    lock_cameras([camera_id])
    if db.session.get(Recording, recording_id, populate_existing=True) is None:
        db.session.rollback()
        raise NotFound(_GONE)


def why_not(recording: Recording) -> Conflict | None:
    """What keeps a recording from being deleted; None: nothing."""
    if recording.locked_by is not None:
        return IsLocked(f"{recording.locked_by} has locked this recording. Unlock it first.")
    if recording.ended_ms is None and (recording.planned_end_ms or FOREVER_MS) > now_ms():
        is_manual = recording.kind == RecordingKind.MANUAL
        return GoesOn(f"This recording goes on. {'Stop it first.' if is_manual else 'A rule keeps it.'}")
    return None


def _end_or_now(recording: Recording) -> int:
    ends = [end for end in (recording.ended_ms, recording.planned_end_ms) if end is not None]
    return min([*ends, now_ms()])


def _end_of(recording: Recording) -> int:
    ends = [end for end in (recording.ended_ms, recording.planned_end_ms) if end is not None]
    return min(ends)


def _recordings_around(camera_id: int, start_ms: int, end_ms: int, *, is_by_rule: bool) -> list[Interval]:
    """What else keeps the files that touch this interval."""
    around = (start_ms - LONGEST_FILE_MS, end_ms + LONGEST_FILE_MS)
    if not is_by_rule:
        return [*wanted(camera_id, *around), *_held(camera_id, *around)]
    # The rule still wants it; so only what is outside of it, or somebody's, keeps a file.
    outside = [
        (start, end)
        for start, end in wanted(camera_id, *around)
        for start, end in ((start, min(end, start_ms)), (max(start, end_ms), end))
        if end > start
    ]
    return [*outside, *_held(camera_id, *around), *_by_people(camera_id, *around)]


def _held(camera_id: int, start_ms: int, end_ms: int) -> list[Interval]:
    return _intervals(camera_id, start_ms, end_ms, is_held=True)


def _by_people(camera_id: int, start_ms: int, end_ms: int) -> list[Interval]:
    return _intervals(camera_id, start_ms, end_ms, is_held=False)


def _intervals(camera_id: int, start_ms: int, end_ms: int, *, is_held: bool) -> list[Interval]:
    which = Recording.locked_by.is_not(None) if is_held else Recording.kind != RecordingKind.CONTINUOUS
    query = select(Recording.started_ms, Recording.ended_ms, Recording.planned_end_ms).where(
        Recording.camera_id == camera_id,
        which,
        Recording.started_ms < end_ms,
        or_(Recording.ended_ms.is_(None), Recording.ended_ms > start_ms),
    )
    return [
        (started, min([end for end in (ended, planned) if end is not None], default=FOREVER_MS))
        for started, ended, planned in db.session.execute(query)
    ]


def _mark(
    camera_id: int, start_ms: int, end_ms: int, kept: list[Interval]
) -> tuple[list[int], list[Interval]]:
    """Mark the files of the interval that nothing else keeps; their ids and times. The caller commits."""
    stream_id = db.session.scalar(
        select(Stream.id).where(Stream.camera_id == camera_id, Stream.kind == StreamKind.MAIN)
    )
    query = select(Segment.id, Segment.started_ms, Segment.ended_ms).where(
        Segment.stream_id == stream_id,
        Segment.started_ms > start_ms - LONGEST_FILE_MS,
        Segment.started_ms < end_ms,
        Segment.ended_ms > start_ms,
        Segment.state != SegmentState.EXPIRING,
        Segment.is_locked.is_(False),
    )
    found = [row for row in db.session.execute(query) if not overlaps(kept, row.started_ms, row.ended_ms)]
    for at in range(0, len(found), 500):  # below the number of parameters of SQLite
        db.session.execute(
            update(Segment)
            .where(Segment.id.in_([row.id for row in found[at : at + 500]]))
            .values(**chain.expiring(RemovalReason.DELETED))
            .execution_options(synchronize_session=False)
        )
    return [row.id for row in found], [(row.started_ms, row.ended_ms) for row in found]


def _tell(action: str, recording: Recording, **details: object) -> None:
    audit.add(
        action,
        target=recording.camera.name,
        target_id=recording.id,
        camera_id=recording.camera_id,
        **details,  # type: ignore[arg-type]
    )
