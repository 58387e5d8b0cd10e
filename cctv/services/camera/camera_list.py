"""The cameras that somebody may know of, page by page, and what they may do to each.

For lists that people and programs leaf through; what may be done is decided by access.py.
"""

from __future__ import annotations

from sqlalchemy import func, select

from cctv.errors import NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import Camera, User
from cctv.services.person import access, matrix
from cctv.services.person.access import Action, Scope
from cctv.services.site.paging import Page, paginate

SORTS = {
    "number": Camera.number,
    "name": func.lower(Camera.name),
    "created_at": Camera.created_at,
}
# What an app draws buttons for.
_ABILITIES = {
    "watch": Action.LIVE,
    "play_back": Action.PLAYBACK,
    "snapshot": Action.SNAPSHOT,
    "record": Action.RECORD,
    "move": Action.PTZ,
    "export": Action.EXPORT,
    "edit": Action.CAMERA_EDIT,
    "edit_technics": Action.CAMERA_TECHNICS,
    "diagnose": Action.CAMERA_DIAGNOSE,
    "delete": Action.CAMERA_DELETE,
}
ABILITIES = tuple(_ABILITIES)


def find_cameras(
    user: User,
    *,
    search: str = "",
    is_enabled: bool | None = None,
    recording_mode: str | None = None,
    sort: str = "number",
    page: int = 1,
    page_size: int = 50,
) -> Page[Camera]:
    """The cameras that the person may know of; a minus before `sort` turns the order round.

    Raises:
        NotAllowed: none at all: the token is for something else.
        Invalid: keys page, page_size.
    """
    rights = _rights(user)
    query = select(Camera).where(Camera.deleted_at.is_(None))
    if rights.known is not None:
        query = query.where(Camera.id.in_(rights.known))
    if search.strip():
        query = query.where(func.lower(Camera.name).contains(search.strip().lower(), autoescape=True))
    if is_enabled is not None:
        query = query.where(Camera.is_enabled.is_(is_enabled))
    if recording_mode is not None:
        query = query.where(Camera.recording_mode == recording_mode)
    column = SORTS[sort.removeprefix("-")]
    order = column.desc() if sort.startswith("-") else column.asc()
    return paginate(query.order_by(order, Camera.id), number=page, size=page_size)


def get_camera(user: User, camera_id: int) -> Camera:
    """One of them.

    Raises:
        NotFound: there is no such camera for this person.
        NotAllowed: as in `find_cameras`.
    """
    rights = _rights(user)
    camera = db.session.get(Camera, camera_id)
    if camera is None or camera.deleted_at is not None or not rights.knows(camera_id):
        raise NotFound("This camera does not exist (any more).")
    return camera


def horizon(user: User) -> frozenset[int] | None:
    """The cameras that the list is limited to; None: it is not. People with the same get the same list.

    Raises:
        NotAllowed: as in `find_cameras`.
    """
    return _rights(user).known


def abilities(user: User) -> dict[int | None, dict[str, bool]]:
    """Ability -> whether the person has it, by camera; None: a camera that nothing was granted for.

    At most one query, however many cameras are looked up.
    """
    rights = access.Rights(user)
    ids = set[int | None]([None])
    for action in _ABILITIES.values():
        ids |= rights.limited_to(action) or set()
    return {camera_id: _of(rights, camera_id) for camera_id in ids}


def _of(rights: access.Rights, camera_id: int | None) -> dict[str, bool]:
    return {name: _may(rights, action, camera_id) for name, action in _ABILITIES.items()}


def _may(rights: access.Rights, action: Action, camera_id: int | None) -> bool:
    only = rights.limited_to(action)
    return rights.extent(action) != Scope.NO and (only is None or camera_id in only)


def _rights(user: User) -> access.Rights:
    rights = access.Rights(user)
    if rights.extent(Action.LIVE) == Scope.NO and rights.extent(Action.CAMERA_LIST) == Scope.NO:
        raise NotAllowed(matrix.refusal(Action.LIVE))
    return rights
