"""The recordings of the cameras that somebody may play back, page by page.

Only reads; keeping, locking and deleting them is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import contains_eager, load_only, noload

from cctv.clock import now_ms
from cctv.errors import NotFound
from cctv.extensions import db
from cctv.models import (
    Camera,
    Recording,
    Segment,
    SegmentState,
    Stream,
    StreamKind,
    Transfer,
    TransferState,
    User,
)
from cctv.services.footage.finding import LONGEST_FILE_MS
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.person.matrix import Scope
from cctv.services.site.paging import Page, check_page, paginate

SORTS = {
    "started_ms": Recording.started_ms,
    "ended_ms": Recording.ended_ms,
    "camera_id": Recording.camera_id,
    "created_at": Recording.created_at,
}
# What may be asked about copies in the cloud, with the states of transfers that it means.
UPLOADS: dict[str, tuple[str, ...]] = {
    "waiting": (TransferState.PENDING, TransferState.UPLOADING),
    "failed": (TransferState.FAILED,),
    "cloud": (TransferState.VERIFIED,),
    "cloud_only": (),
    "local": (),
}
_GONE = "This recording does not exist (any more)."


@dataclass(frozen=True, slots=True)
class Filters:
    """Which recordings; None and "" mean all. Those that overlap [from_ms, to_ms) are meant."""

    camera_id: int | None = None
    kind: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    is_locked: bool | None = None
    upload: str | None = None  # a key of UPLOADS
    search: str = ""  # in the note, the reason of the lock, and who started or locked it
    newest_id: int | None = None  # none that was added later


def find_recordings(
    user: User,
    *,
    camera_id: int | None = None,
    kind: str | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    is_locked: bool | None = None,
    sort: str = "-started_ms",
    page: int = 1,
    page_size: int = 50,
) -> Page[Recording]:
    """Recordings of the person's cameras; `from_ms` and `to_ms` keep those that overlap them.

    Raises:
        NotAllowed: the role has no right to play back.
        NotFound: there is no such camera for this person.
        Invalid: keys page, page_size.
    """
    filters = Filters(camera_id=camera_id, kind=kind, from_ms=from_ms, to_ms=to_ms, is_locked=is_locked)
    return list_page(user, filters, sort=sort, page=page, page_size=page_size)


def list_page(
    user: User,
    filters: Filters,
    *,
    sort: str = "-started_ms",
    page: int = 1,
    page_size: int = 50,
    with_deleted: bool = False,
) -> Page[Recording]:
    """The same by `Filters`; `with_deleted` also what is locked of cameras that were deleted.

    Raises:
        NotAllowed, NotFound, Invalid: as in `find_recordings`.
    """
    query = _loaded(_query(user, filters, with_deleted=with_deleted))
    column = SORTS[sort.removeprefix("-")]
    order = column.desc() if sort.startswith("-") else column.asc()
    counted = query.order_by(order, Recording.id.desc()).add_columns(func.count().over())
    check_page(page, page_size)
    rows = db.session.execute(counted.limit(page_size).offset((page - 1) * page_size)).all()
    if not rows and page > 1:  # beyond the end: how many there are is still to be said
        return paginate(query, number=page, size=page_size)
    return Page([row[0] for row in rows], page, page_size, rows[0][1] if rows else 0)


def choices(user: User) -> tuple[list[tuple[int, str]], bool]:
    """(id, name) of the cameras that the person may play back, by number; and whether anything was ever to be
    copied to the cloud, else nobody need read about it. One query."""
    rights = access.Rights(user)
    only = rights.limited_to(Action.PLAYBACK)
    if rights.extent(Action.PLAYBACK) == Scope.NO:
        return [], False
    has_copies = exists(select(Transfer.id)).label("has_copies")
    query = select(Camera.id, Camera.name, has_copies).where(Camera.deleted_at.is_(None))
    if only is not None:
        query = query.where(Camera.id.in_(only))
    rows = db.session.execute(query.order_by(Camera.number)).all()
    return [(row.id, row.name) for row in rows], bool(rows and rows[0].has_copies)


def list_some(user: User, ids: Iterable[int]) -> list[Recording]:
    """Those of these ids that are there for this person; one query whatever their number.

    Raises:
        NotAllowed: the role has no right to play back.
    """
    query = _query(user, Filters(), with_deleted=True).where(Recording.id.in_(list(ids)))
    return list(db.session.scalars(_loaded(query)))


def list_ids(user: User, filters: Filters, *, limit: int) -> list[int]:
    """Ids of what the filters show, the newest first, at most `limit`.

    Raises:
        NotAllowed, NotFound: as in `find_recordings`.
    """
    query = _query(user, filters, with_deleted=True).with_only_columns(Recording.id)
    return list(db.session.scalars(query.order_by(Recording.started_ms.desc()).limit(limit)))


def _loaded(query: Select[Any]) -> Select[Any]:
    """With the camera and who started it, so that a list asks for neither row by row."""
    return query.options(
        contains_eager(Recording.camera).options(noload(Camera.streams)),
        contains_eager(Recording.user).options(load_only(User.name)),
    )


def _query(user: User, filters: Filters, *, with_deleted: bool) -> Select[Any]:
    access.authorise(user, filters.camera_id, Action.PLAYBACK)
    query = select(Recording).join(Recording.camera).outerjoin(Recording.user)
    only = access.Rights(user).limited_to(Action.PLAYBACK)
    is_there = Camera.deleted_at.is_(None)
    if only is not None:
        query = query.where(Recording.camera_id.in_(only), is_there)
    else:
        # What is held outlives its camera, and somebody has to be able to see it.
        query = query.where(or_(is_there, Recording.locked_by.is_not(None)) if with_deleted else is_there)
    return query.where(*_conditions(filters))


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.camera_id is not None:
        found.append(Recording.camera_id == filters.camera_id)
    if filters.kind:
        found.append(Recording.kind == filters.kind)
    if filters.from_ms is not None:
        found.append(or_(Recording.ended_ms.is_(None), Recording.ended_ms > filters.from_ms))
    if filters.to_ms is not None:
        found.append(Recording.started_ms < filters.to_ms)
    if filters.is_locked is not None:
        is_held = Recording.locked_by.is_not(None)
        found.append(is_held if filters.is_locked else ~is_held)
    if filters.newest_id is not None:
        found.append(Recording.id <= filters.newest_id)
    if filters.search:
        columns = (Recording.note, Recording.locked_reason, Recording.locked_by, User.name)
        found.append(or_(*(column.icontains(filters.search, autoescape=True) for column in columns)))
    if filters.upload in UPLOADS:
        found.append(_by_upload(filters.upload))
    return found


def _by_upload(upload: str) -> ColumnElement[bool]:
    """Whether any file of the recording is in that state; `local`: none is in the cloud."""
    if upload == "cloud_only":
        return exists().where(*_files(), Segment.state == SegmentState.CLOUD).correlate(Recording)
    # Found by the times of the transfers: file by file 64 cameras with 30 days took 4 s.
    is_copied = (
        exists()
        .where(
            Transfer.camera_id == Recording.camera_id,
            Transfer.state.in_(UPLOADS.get(upload) or UPLOADS["cloud"]),
            Transfer.ended_ms > Recording.started_ms,
            Transfer.ended_ms < _end() + LONGEST_FILE_MS,
            Segment.id == Transfer.segment_id,
            Segment.started_ms < _end(),
        )
        .correlate(Recording)
    )
    return ~is_copied if upload == "local" else is_copied


def _end() -> Any:
    return func.coalesce(Recording.ended_ms, Recording.planned_end_ms, now_ms())


def _files() -> tuple[ColumnElement[bool], ...]:
    stream_id = (
        select(Stream.id)
        .where(Stream.camera_id == Recording.camera_id, Stream.kind == StreamKind.MAIN)
        .correlate(Recording)
        .scalar_subquery()
    )
    return (
        Segment.stream_id == stream_id,
        Segment.started_ms > Recording.started_ms - LONGEST_FILE_MS,
        Segment.started_ms < _end(),
        Segment.ended_ms > Recording.started_ms,
    )


def horizon(user: User, camera_id: int | None = None) -> frozenset[int] | None:
    """The cameras that the list is limited to; None: it is not. People with the same get the same list.

    Raises:
        NotAllowed, NotFound: as in `find_recordings`.
    """
    access.authorise(user, camera_id, Action.PLAYBACK)
    return access.Rights(user).limited_to(Action.PLAYBACK)


def get_recording(user: User, recording_id: int, action: Action = Action.PLAYBACK) -> Recording:
    """One recording, for somebody who may do this to its camera.

    Raises:
        NotAllowed: the role, the grant or the token has no such right.
        NotFound: there is none for this person.
    """
    access.authorise(user, None, action)
    recording = db.session.get(Recording, recording_id)
    if recording is None:
        raise NotFound(_GONE)
    if recording.locked_by is not None and recording.camera.deleted_at is not None:
        if access.Rights(user).limited_to(action) is None:
            return recording
        raise NotFound(_GONE)
    try:
        access.authorise(user, recording.camera_id, action)
    except NotFound:
        raise NotFound(_GONE) from None
    return recording
