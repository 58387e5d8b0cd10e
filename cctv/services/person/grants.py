"""The matrix of one person: which cameras and groups were given, for what; read and changed cell by cell.

What a cell opens is decided by services/person/access.py; who may change it by services/person/ranks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from cctv.errors import Invalid, NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import Camera, CameraGrant, CameraGroup, GroupGrant, User
from cctv.services.auditing import audit
from cctv.services.person import access, matrix, ranks
from cctv.services.person.matrix import GRANTABLE, Action, Scope
from cctv.services.person.ranks import Actor

_MORE_THAN_OWN = "You cannot give more than you have: this camera is not yours to share."


class Cell(NamedTuple):
    """One action on one camera, or on the cameras of one group."""

    action: Action
    camera_id: int | None = None
    group_id: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the matrix: what was given here, and what comes through groups (action -> their names)."""

    name: str
    camera: Camera | None
    group: CameraGroup | None
    own: frozenset[Action]
    through: Mapping[Action, list[str]]

    @property
    def is_group(self) -> bool:
        """Whether this line stands for several cameras."""
        return self.group is not None

    @property
    def key(self) -> str:
        """c3 for a camera, g3 for a group."""
        return f"c{self.camera.id}" if self.camera else f"g{self.group.id if self.group else 0}"


def grantable(role: str) -> tuple[Action, ...]:
    """What can be given to somebody of this role; nothing to those who have everything anyway."""
    return tuple(action for action in GRANTABLE if matrix.scope(role, action) == Scope.PART)


def rows(person: User) -> list[Row]:
    """The whole matrix of a person: groups first, then cameras by number. Four statements."""
    own = cells_of(person)
    groups = db.session.scalars(
        select(CameraGroup).order_by(CameraGroup.name).options(db.selectinload(CameraGroup.cameras))
    ).all()
    through: dict[int, dict[Action, list[str]]] = {}
    lines = []
    for group in groups:
        given = frozenset(cell.action for cell in own if cell.group_id == group.id)
        lines.append(Row(group.name, None, group, given, {}))
        for camera in group.cameras:
            for action in given:
                through.setdefault(camera.id, {}).setdefault(action, []).append(group.name)
    cameras = select(Camera).where(Camera.deleted_at.is_(None)).order_by(Camera.number)
    for camera in db.session.scalars(cameras.options(db.noload(Camera.streams))):
        given = frozenset(cell.action for cell in own if cell.camera_id == camera.id)
        lines.append(Row(camera.name, camera, None, given, through.get(camera.id, {})))
    return lines


def cells_of(person: User) -> set[Cell]:
    """Every cell that was given, by itself or on a group."""
    cameras = select(CameraGrant.camera_id, CameraGrant.action).where(CameraGrant.user_id == person.id)
    groups = select(GroupGrant.group_id, GroupGrant.action).where(GroupGrant.user_id == person.id)
    found = {
        Cell(Action(action), camera_id=camera_id)
        for camera_id, action in db.session.execute(cameras)
        if action in GRANTABLE
    }
    return found | {
        Cell(Action(action), group_id=group_id)
        for group_id, action in db.session.execute(groups)
        if action in GRANTABLE
    }


def place_of(cell: Cell) -> str:
    """The name of the camera or group of a cell, as one says it."""
    if cell.camera_id is not None:
        camera = db.session.get(Camera, cell.camera_id)
        return camera.name if camera else "this camera"
    group = db.session.get(CameraGroup, cell.group_id)
    return f"the group {group.name}" if group else "this group"


def set_grant(
    actor: Actor,
    person: User,
    action: Action,
    on: bool,
    *,
    camera_id: int | None = None,
    group_id: int | None = None,
) -> bool:
    """Give or take one cell; whether that changed anything. Raises what `set_grants` raises."""
    return bool(set_grants(actor, person, {Cell(action, camera_id, group_id): on}))


def set_grants(actor: Actor, person: User, wanted: Mapping[Cell, bool]) -> dict[Cell, bool]:
    """Give (True) and take (False) cells in one transaction; returns those that are different now.

    Raises:
        NotFound: no such person for this actor, no such camera or group.
        NotAllowed: the actor does not have what is to be given.
        Invalid: key action; it cannot be given to this role.
    """
    person, _ = ranks.begin_with(actor, person.id)
    had = cells_of(person)
    changed = {cell: on for cell, on in wanted.items() if on != (cell in had)}
    if not changed:
        db.session.commit()
        return {}
    with ranks.all_or_nothing():
        _check_role(person, changed)
        names = _names_of(actor, changed)
    for cell, on in changed.items():
        (_give if on else _take)(person, cell)
    _tell(person, names, had, had | {cell for cell, on in changed.items() if on}, changed)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise NotFound("This camera or group does not exist (any more).") from None
    return changed


def keep_what_role_can_have(person: User) -> None:
    """After a change of role, in its transaction: what the new role cannot be given goes, for good.

    Also of a role that has everything: whoever is made a Visitor again one day begins with nothing.
    """
    kept = [str(action) for action in grantable(person.role)]
    for table in (CameraGrant, GroupGrant):
        db.session.execute(delete(table).where(table.user_id == person.id, table.action.not_in(kept)))


def give_new_camera(camera: Camera) -> None:
    """Share a camera that was just added, in its transaction, with those who get new cameras.

    They may watch it, and play it back when they can play back all others. The rest is given by hand.
    """
    everybody = select(User).where(User.new_cameras == "give", User.is_enabled)
    people = [user for user in db.session.scalars(everybody) if grantable(user.role)]
    if not people:
        return
    query = select(Camera.id).where(Camera.deleted_at.is_(None), Camera.id != camera.id)
    others = set(db.session.scalars(query))
    for person in people:
        given = [Action.LIVE]
        if Action.PLAYBACK in grantable(person.role) and others:
            granted = access.granted_actions(person)
            if all(Action.PLAYBACK in granted.get(other, ()) for other in others):
                given.append(Action.PLAYBACK)
        for action in given:
            _give(person, Cell(action, camera_id=camera.id))
        audit.add(
            "grant.change",
            target=person.name,
            target_id=person.id,
            camera_id=camera.id,
            before={camera.name: []},
            after={camera.name: sorted(given)},
            reason="gets new cameras",
        )


def _check_role(person: User, changed: Mapping[Cell, bool]) -> None:
    possible = grantable(person.role)
    if any(on and cell.action not in possible for cell, on in changed.items()):
        role = next((role.label for role in ranks.Role if role == person.role), person.role)
        raise Invalid({"action": f"This cannot be given to a person whose role is {role}."})


def _names_of(actor: Actor, changed: Mapping[Cell, bool]) -> dict[Cell, str]:
    """What is changed, in words; refuses what does not exist and what the actor cannot share."""
    names: dict[Cell, str] = {}
    for cell, on in changed.items():
        place: Camera | CameraGroup | None
        if cell.camera_id is not None:
            place = db.session.get(Camera, cell.camera_id)
        else:
            place = db.session.get(CameraGroup, cell.group_id)
        if place is None or (isinstance(place, Camera) and place.deleted_at is not None):
            raise NotFound("This camera or group does not exist (any more).")
        if on and isinstance(actor, User) and not _may_share(actor, cell):
            raise NotAllowed(_MORE_THAN_OWN)
        names[cell] = place.name if isinstance(place, Camera) else f"group {place.name}"
    return names


def _may_share(actor: User, cell: Cell) -> bool:
    """A token that is limited to some cameras shares no group: others may join it tomorrow."""
    if cell.camera_id is not None:
        return access.may(actor, cell.action, cell.camera_id)
    return access.may(actor, cell.action) and actor.token_cameras is None


def _give(person: User, cell: Cell) -> None:
    if cell.camera_id is not None:
        db.session.add(CameraGrant(user_id=person.id, camera_id=cell.camera_id, action=cell.action))
    else:
        db.session.add(GroupGrant(user_id=person.id, group_id=cell.group_id, action=cell.action))


def _take(person: User, cell: Cell) -> None:
    table, column, value = (
        (CameraGrant, CameraGrant.camera_id, cell.camera_id)
        if cell.camera_id is not None
        else (GroupGrant, GroupGrant.group_id, cell.group_id)
    )
    db.session.execute(
        delete(table).where(table.user_id == person.id, column == value, table.action == cell.action)
    )


def _tell(
    person: User, names: Mapping[Cell, str], had: set[Cell], has: set[Cell], changed: Mapping[Cell, bool]
) -> None:
    has = has - {cell for cell, on in changed.items() if not on}
    places = {(cell.camera_id, cell.group_id): name for cell, name in names.items()}
    cameras = {camera_id for camera_id, _ in places if camera_id is not None}

    def said(cells: set[Cell]) -> dict[str, Any]:
        return {
            name: sorted(cell.action for cell in cells if (cell.camera_id, cell.group_id) == place)
            for place, name in places.items()
        }

    audit.add(
        "grant.change",
        target=person.name,
        target_id=person.id,
        camera_id=cameras.pop() if len(places) == len(cameras) == 1 else None,
        before=said(had),
        after=said(has),
    )
