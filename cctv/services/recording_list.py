"""The recordings of the cameras that somebody may play back, page by page.

Only reads; keeping, locking and deleting them is done elsewhere.
"""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import contains_eager, noload

from cctv.errors import NotFound
from cctv.extensions import db
from cctv.models import Camera, Recording, User
from cctv.services import access
from cctv.services.access import Action
from cctv.services.paging import Page, paginate

SORTS = {
    "started_ms": Recording.started_ms,
    "ended_ms": Recording.ended_ms,
    "camera_id": Recording.camera_id,
    "created_at": Recording.created_at,
}
_GONE = "This recording does not exist (any more)."


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
    access.authorise(user, camera_id, Action.PLAYBACK)
    query = (
        select(Recording)
        .join(Recording.camera)
        .where(Camera.deleted_at.is_(None))
        .options(contains_eager(Recording.camera).options(noload(Camera.streams)))
    )
    only = access.Rights(user).limited_to(Action.PLAYBACK)
    if only is not None:
        query = query.where(Recording.camera_id.in_(only))
    if camera_id is not None:
        query = query.where(Recording.camera_id == camera_id)
    if kind is not None:
        query = query.where(Recording.kind == kind)
    if from_ms is not None:
        query = query.where(or_(Recording.ended_ms.is_(None), Recording.ended_ms > from_ms))
    if to_ms is not None:
        query = query.where(Recording.started_ms < to_ms)
    if is_locked is not None:
        is_held = Recording.locked_by.is_not(None)
        query = query.where(is_held if is_locked else ~is_held)
    column = SORTS[sort.removeprefix("-")]
    order = column.desc() if sort.startswith("-") else column.asc()
    return paginate(query.order_by(order, Recording.id.desc()), number=page, size=page_size)


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
    try:
        access.authorise(user, recording.camera_id, action)
    except NotFound:
        raise NotFound(_GONE) from None
    return recording
