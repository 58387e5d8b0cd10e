"""Exports as people ask for them: told before whether they fit, then started, cancelled, kept, deleted.

The database is the truth; the file is made by export_making.py on the machine that holds the footage.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from cctv import queue
from cctv.clock import now_ms, utcnow
from cctv.errors import Conflict, Invalid, LimitReached, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Export, ExportState, Node, SegmentState, User
from cctv.services.auditing import audit
from cctv.services.export import export_files, export_list, export_parts
from cctv.services.export.export_list import GONE, UNDER_WAY
from cctv.services.export.export_parts import Part
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.proof import evidence_package
from cctv.services.site import nodes

LONGEST_HOURS = 24
MOST_CAMERAS = 16
MOST_UNDER_WAY = 4  # of one person
LONGEST_NOTE = 300
KEEP_DAYS = 14
_OVERHEAD_BYTES = 200_000  # an index, the list in a zip
_JOB = "cctv.jobs.exports.work"
_LONGEST_JOB_S = 6 * 3600


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be taken home: cameras, and wall time [started_ms, ended_ms)."""

    camera_ids: tuple[int, ...]
    started_ms: int
    ended_ms: int
    has_time_track: bool = False
    is_evidence: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an export would be. `most_bytes` is None when another machine makes it."""

    cameras: list[Camera]
    empty: list[Camera]  # of these nothing is recorded in the time
    recorded_ms: int  # the longest of the cameras
    size_bytes: int
    most_bytes: int | None
    node_id: int | None

    @property
    def fits(self) -> bool:
        """Whether there is room for it."""
        return self.most_bytes is None or self.size_bytes <= self.most_bytes


def estimate(user: User, wish: Wish) -> Estimate:
    """What it would be, before anything is started.

    Raises:
        Invalid: keys camera_ids, started_ms, ended_ms.
        NotFound, NotAllowed: a camera is not theirs to export.
    """
    cameras = _cameras(user, wish)
    _check_times(wish)
    parts = {camera: export_parts.parts_of(camera.id, wish.started_ms, wish.ended_ms) for camera in cameras}
    if not any(parts.values()):
        raise Invalid({"started_ms": "Nothing was recorded in this time."})
    node_id = _node_of([part for found in parts.values() for part in found])
    is_here = node_id == nodes.this_node().id
    has_all = access.Rights(user).extent(Action.EXPORT) == access.Scope.ALL
    return Estimate(
        cameras=cameras,
        empty=[camera for camera, found in parts.items() if not found],
        recorded_ms=max(_recorded_ms(found) for found in parts.values()),
        size_bytes=_size_of(wish, [part for found in parts.values() for part in found]),
        most_bytes=export_files.room(node_id, user_id=None if has_all else user.id).most_bytes
        if is_here
        else None,
        node_id=node_id,
    )


def create_export(user: User, wish: Wish) -> Export:
    """Queue an export.

    Raises:
        Invalid: keys camera_ids, started_ms, ended_ms, note; also when it does not fit on the disk.
        NotFound, NotAllowed: a camera is not theirs to export.
        LimitReached: enough exports of this person are under way.
    """
    if len(wish.note.strip()) > LONGEST_NOTE:
        raise Invalid({"note": f"Use at most {LONGEST_NOTE} characters."})
    found = estimate(user, wish)
    if not found.fits:
        raise Invalid({"ended_ms": too_large(found)})
    begin_writing()
    _refuse_many(user)
    export = Export(
        user_id=user.id,
        camera_ids=[camera.id for camera in found.cameras],
        started_ms=wish.started_ms,
        ended_ms=wish.ended_ms,
        has_time_track=wish.has_time_track,
        is_evidence=wish.is_evidence,
        note=wish.note.strip(),
        estimated_bytes=found.size_bytes,
        node_id=found.node_id,
    )
    db.session.add(export)
    db.session.flush()
    for camera in found.cameras:
        audit.add(
            "export",
            target=camera.name,
            camera_id=camera.id,
            user=user,
            from_ms=wish.started_ms,
            until_ms=wish.ended_ms,
            export=export.id,
            note=export.note or None,
        )
    db.session.commit()
    _enqueue(export.node_id)
    return export


def too_large(found: Estimate) -> str:
    """Both numbers, for a person."""
    most = found.most_bytes or 0
    return f"Needs {_size(found.size_bytes)}, free for exports {_size(most)}. Choose less, or delete exports."


def cancel_export(user: User, export: Export) -> None:
    """Stop it; what was written goes.

    Raises:
        Conflict: it is over already.
    """
    begin_writing()
    state = _reread(export).state
    if state not in UNDER_WAY:
        db.session.rollback()
        raise Conflict("This export is over already.")
    export.wants_cancel = True  # its worker looks about once a second
    if state == ExportState.QUEUED:
        export.state, export.finished_at = ExportState.CANCELLED, utcnow()
    audit.add("export.cancel", target=export_list.title(export), target_id=export.id, user=user)
    db.session.commit()


def keep_export(user: User, export: Export, *, is_kept: bool) -> None:
    """Keep the file until somebody deletes it, or by the rule again.

    Raises:
        Conflict: it has no file.
    """
    begin_writing()
    if _reread(export).state != ExportState.READY:
        db.session.rollback()
        raise Conflict("Only a finished export can be kept.")
    export.keep_until = None if is_kept else utcnow() + timedelta(days=KEEP_DAYS)
    audit.add(
        "export.keep", target=export_list.title(export), target_id=export.id, user=user, is_kept=is_kept
    )
    db.session.commit()


def retry_export(user: User, export: Export) -> None:
    """Make it again, from the footage as it is now.

    Raises:
        Conflict: it is under way or finished.
        LimitReached: enough exports of this person are under way.
    """
    begin_writing()
    if _reread(export).state in (*UNDER_WAY, ExportState.READY):
        db.session.rollback()
        raise Conflict("This export is under way or finished.")
    _refuse_many(user)
    export.state, export.phase, export.permille, export.cause = ExportState.QUEUED, "", 0, ""
    export.wants_cancel, export.worker, export.finished_at, export.result = False, None, None, {}
    export.size_bytes = export.sha256 = export.file_name = export.keep_until = None
    audit.add("export.retry", target=export_list.title(export), target_id=export.id, user=user)
    db.session.commit()
    _enqueue(export.node_id)


def delete_export(user: User, export: Export) -> None:
    """Remove an export with its file; on another machine the file goes with its next round.

    Raises:
        Conflict: it is being made.
    """
    here = nodes.this_node().id
    begin_writing()
    if _reread(export).state == ExportState.RUNNING:
        db.session.rollback()
        raise Conflict("This export is being made. Cancel it first.")
    export_id, is_here = export.id, export.node_id == here
    audit.add("export.delete", target=export_list.title(export), target_id=export_id, user=user)
    db.session.delete(export)
    db.session.commit()
    if is_here:
        export_files.remove(export_id)


def enqueue_waiting() -> None:
    """Every few seconds: exports whose job or worker was lost go on. One short job a machine."""
    query = (
        select(Node.id, Node.key)
        .join(Export, Export.node_id == Node.id)
        .where(Export.state.in_(UNDER_WAY))
        .distinct()
    )
    for node_id, key in db.session.execute(query).all():
        queue.enqueue_once(queue.media(key), "cctv.jobs.exports.tend", node_id, job_id=f"exports-{node_id}")


def enqueue_work(node_id: int) -> None:
    """Have the machine make its next export."""
    node = nodes.get_node(node_id)
    # Before copies and hashes, which nobody waits for.
    queue.enqueue(queue.media(node.key), _JOB, node_id, timeout_seconds=_LONGEST_JOB_S, at_front=True)


def _enqueue(node_id: int | None) -> None:
    if node_id is not None:
        enqueue_work(node_id)


def _cameras(user: User, wish: Wish) -> list[Camera]:
    ids = list(dict.fromkeys(wish.camera_ids))
    if not 1 <= len(ids) <= MOST_CAMERAS:
        raise Invalid({"camera_ids": f"Choose 1 to {MOST_CAMERAS} cameras."})
    cameras = [access.authorise(user, camera_id, Action.EXPORT) for camera_id in ids]
    return [camera for camera in cameras if camera is not None]


def _check_times(wish: Wish) -> None:
    if wish.started_ms >= now_ms():
        raise Invalid({"started_ms": "This is in the future."})
    if wish.ended_ms <= wish.started_ms:
        raise Invalid({"ended_ms": "The end comes before the beginning."})
    if wish.ended_ms - wish.started_ms > LONGEST_HOURS * 3_600_000 + 3_600_000:  # a day may have 25 hours
        raise Invalid({"ended_ms": f"Take at most {LONGEST_HOURS} hours at a time."})


def _node_of(parts: list[Part]) -> int | None:
    """The machine that holds the footage; any where all of it lies in the cloud."""
    found = {part.found.node_id for part in parts if part.found.state != SegmentState.CLOUD}
    if len(found) > 1:
        names = [node.name for node in nodes.list_nodes() if node.id in found]
        said = f"This footage lies on several machines ({', '.join(names)}). Export them one by one."
        raise Invalid({"camera_ids": said})
    return found.pop() if found else nodes.this_node().id


def _size_of(wish: Wish, parts: list[Part]) -> int:
    """Bytes on the disk while it is made: what is only in the bucket lies there twice."""
    size = sum(part.size_bytes * (2 if part.found.state == SegmentState.CLOUD else 1) for part in parts)
    if wish.is_evidence:
        size += evidence_package.estimate_bytes(wish.camera_ids, wish.started_ms, wish.ended_ms)
    return size + _OVERHEAD_BYTES


def _recorded_ms(parts: list[Part]) -> int:
    return sum(end - start for start, end in export_parts.covered(parts))


def _refuse_many(user: User) -> None:
    query = select(func.count(Export.id)).where(Export.user_id == user.id, Export.state.in_(UNDER_WAY))
    if (db.session.scalar(query) or 0) >= MOST_UNDER_WAY:
        db.session.rollback()
        raise LimitReached(f"{MOST_UNDER_WAY} of your exports are under way. Wait for one of them.")


def _reread(export: Export) -> Export:
    """The row as it is now, held until the caller's transaction ends."""
    found = db.session.get(Export, export.id, populate_existing=True, with_for_update=True)
    if found is None:
        db.session.rollback()
        raise NotFound(GONE)
    return found


def _size(count_bytes: int) -> str:
    amount, unit = (count_bytes / 1e9, "GB") if count_bytes >= 1e9 else (count_bytes / 1e6, "MB")
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
