"""Exports as they are listed and opened: whose they are, whether the person may still have the file.

Reads only. Somebody who may export everything sees all of them, others their own.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Select, func, select

from cctv.errors import Conflict, Gone, NotFound, Unavailable
from cctv.extensions import db
from cctv.models import Camera, Export, ExportState, Node, User
from cctv.services.auditing import audit
from cctv.services.export import export_files
from cctv.services.person import access
from cctv.services.person.access import Action, Rights
from cctv.services.site import nodes, paging
from cctv.services.site.paging import Page

UNDER_WAY = (ExportState.QUEUED, ExportState.RUNNING)
SORTS = {"created_at": Export.created_at, "started_ms": Export.started_ms, "size_bytes": Export.size_bytes}
GONE = "This export does not exist (any more)."


def find_exports(
    user: User,
    *,
    state: str | None = None,
    is_under_way: bool | None = None,
    sort: str = "-created_at",
    page: int = 1,
    page_size: int = 50,
) -> Page[Export]:
    """The exports that the person may see: all for who may export all, else their own.

    Raises:
        Invalid: keys page, page_size.
        NotAllowed: the role has no exports.
    """
    access.authorise(user, None, Action.EXPORT)
    query = _visible(user)
    if state is not None:
        query = query.where(Export.state == state)
    if is_under_way is not None:
        condition = Export.state.in_(UNDER_WAY)
        query = query.where(condition if is_under_way else ~condition)
    column = SORTS[sort.removeprefix("-")]
    order = column.desc() if sort.startswith("-") else column.asc()
    return paging.paginate(query.order_by(order, Export.id.desc()), number=page, size=page_size)


def get_export(user: User, export_id: int) -> Export:
    """An export that the person may see.

    Raises:
        NotFound: there is none, or it is not theirs.
        NotAllowed: the role has no exports.
    """
    access.authorise(user, None, Action.EXPORT)
    export = db.session.get(Export, export_id)
    if export is None or not _is_visible(user, export):
        raise NotFound(GONE)
    return export


def open_file(user: User, export_id: int) -> tuple[Export, Path]:
    """The finished file, for somebody who may have it; that they got it is noted.

    Raises:
        NotFound: there is none, or it is not theirs (any more).
        Conflict: it is not finished.
        Gone: the file was removed.
        Unavailable: it lies on another machine.
    """
    export = get_export(user, export_id)
    if export.state == ExportState.EXPIRED:
        raise Gone("The file of this export was removed. Make it again.")
    if export.state != ExportState.READY:
        raise Conflict("This export is not finished.")
    if export.node_id != nodes.this_node().id:
        node = db.session.get(Node, export.node_id)
        raise Unavailable(
            f"The file lies on {node.name if node else 'another machine'}. Open this page there."
        )
    path = export_files.path_of(export)
    if not path.is_file():
        raise Gone("The file of this export is not there any more. Make it again.")
    audit.note("export.download", target=export.file_name or "", user=user)
    return export, path


def waiting_before(export: Export) -> int:
    """How many exports its machine makes first."""
    query = select(func.count(Export.id)).where(
        Export.node_id == export.node_id, Export.state.in_(UNDER_WAY), Export.id < export.id
    )
    return db.session.scalar(query) or 0


def names_of(exports: list[Export]) -> dict[int, str]:
    """Camera id -> name, of all cameras of these exports, deleted ones included; one query."""
    ids = {camera_id for export in exports for camera_id in export.camera_ids}
    return dict(db.session.execute(select(Camera.id, Camera.name).where(Camera.id.in_(ids))).tuples().all())


def title(export: Export) -> str:
    """What it is of, in a few words: Front gate + 1 camera."""
    names = names_of([export])
    return title_of([names.get(camera_id, "a deleted camera") for camera_id in export.camera_ids])


def title_of(names: list[str]) -> str:
    """Front gate, or Front gate + 2 cameras."""
    more = len(names) - 1
    return names[0] + (f" + {more} camera{'' if more == 1 else 's'}" if more else "")


def _visible(user: User) -> Select[tuple[Export]]:
    query = select(Export)
    if Rights(user).extent(Action.EXPORT) != access.Scope.ALL:
        query = query.where(Export.user_id == user.id)
    if Rights(user).limited_to(Action.EXPORT) is None:
        return query
    # Cameras stand in a JSON list, which the two databases search differently; exports are few.
    rows = db.session.scalars(query)
    return select(Export).where(Export.id.in_([one.id for one in rows if _is_visible(user, one)]))


def _is_visible(user: User, export: Export) -> bool:
    rights = Rights(user)
    if rights.extent(Action.EXPORT) != access.Scope.ALL and export.user_id != user.id:
        return False
    only = rights.limited_to(Action.EXPORT)
    return only is None or only.issuperset(export.camera_ids)
