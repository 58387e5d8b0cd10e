"""Camera groups: cameras that belong together and are shared together.

Whoever may watch a group may watch what joins it later; so only who manages people may change one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from cctv import keys
from cctv.errors import Conflict, Invalid, NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import Camera, CameraGroup, GroupGrant, User
from cctv.models.grant import group_members
from cctv.services.auditing import audit
from cctv.services.person import access, ranks
from cctv.services.person.access import Action
from cctv.services.person.ranks import Actor

LONGEST_NAME = 80
UNDO_SECONDS = 600
_CHANGED = "Somebody else changed this group in the meantime. Reload it, then change it again."


def list_groups() -> list[CameraGroup]:
    """All groups by name, with their cameras, in two statements."""
    query = select(CameraGroup).order_by(func.lower(CameraGroup.name), CameraGroup.id)
    return list(db.session.scalars(query.options(db.selectinload(CameraGroup.cameras))))


def shared_with() -> dict[int, int]:
    """Group id -> with how many people it is shared."""
    query = select(GroupGrant.group_id, func.count(GroupGrant.user_id.distinct())).group_by(
        GroupGrant.group_id
    )
    return dict(db.session.execute(query).tuples().all())


def get_group(group_id: int) -> CameraGroup:
    """The group.

    Raises:
        NotFound: there is none (any more).
    """
    group = db.session.get(CameraGroup, group_id)
    if group is None:
        raise NotFound("This group does not exist (any more).")
    return group


def create_group(actor: Actor, name: str, camera_ids: Collection[int] = ()) -> CameraGroup:
    """Make a group of these cameras.

    Raises:
        Invalid: keys name, cameras.
        NotAllowed: the actor may not manage people, or not these cameras.
    """
    name = _checked(name)
    ranks.begin(actor)
    with ranks.all_or_nothing():
        cameras = _cameras(actor, set(camera_ids))
    group = CameraGroup(name=name, cameras=cameras)
    db.session.add(group)
    _flush(name)
    audit.add("group.create", target=name, target_id=group.id, after=_facts(group))
    db.session.commit()
    return group


def change_group(
    actor: Actor,
    group: CameraGroup,
    *,
    name: str | None = None,
    camera_ids: Collection[int] | None = None,
    version: int | None = None,
) -> CameraGroup:
    """Rename a group, or say which cameras it has; None leaves that as it is.

    Raises:
        Invalid: keys name, cameras.
        Conflict: somebody else changed it since `version`.
    """
    new_name = _checked(name) if name is not None else None
    ranks.begin(actor)
    group = _locked(group.id)
    with ranks.all_or_nothing():
        if version is not None and group.version != version:
            raise Conflict(_CHANGED)
        before = _facts(group)
        if camera_ids is not None:
            _set_cameras(actor, group, set(camera_ids))
        group.name = new_name or group.name
    _flush(group.name)
    if before != (after := _facts(group)):
        group.version += 1
        audit.add("group.change", target=group.name, target_id=group.id, before=before, after=after)
    db.session.commit()
    return group


def groups_of(camera_id: int) -> set[int]:
    """The ids of the groups that a camera is in."""
    query = select(group_members.c.group_id).where(group_members.c.camera_id == camera_id)
    return set(db.session.scalars(query))


def set_groups_of(actor: Actor, camera: Camera, group_ids: Collection[int]) -> None:
    """Say in which groups a camera is; the others lose it. What others change in a group meanwhile stays.

    Raises:
        NotFound: one of the groups does not exist.
        NotAllowed: the actor may not manage people, or not this camera.
    """
    wanted, had = set(group_ids), groups_of(camera.id)
    if wanted == had:
        return
    ranks.begin(actor)
    with ranks.all_or_nothing():
        _may_share(actor, {camera.id})
    for group_id in sorted(wanted ^ had):
        group = _locked(group_id)
        before = _facts(group)
        others = [member for member in group.cameras if member.id != camera.id]
        group.cameras = [*others, camera] if group_id in wanted else others
        if before != (after := _facts(group)):
            group.version += 1
            audit.add("group.change", target=group.name, target_id=group_id, before=before, after=after)
    db.session.commit()


def delete_group(actor: Actor, group: CameraGroup) -> str:
    """Remove a group; what was shared through it is shared no longer. Returns what `restore_group` takes."""
    ranks.begin(actor)
    group = _locked(group.id)
    with ranks.all_or_nothing():
        _may_share(actor, {camera.id for camera in group.cameras})
    shared = select(GroupGrant.user_id, GroupGrant.action).where(GroupGrant.group_id == group.id)
    grants: dict[str, list[str]] = {}
    for user_id, action in db.session.execute(shared):
        grants.setdefault(action, []).append(user_id)
    undo = {"name": group.name, "cameras": [camera.id for camera in group.cameras], "grants": grants}
    audit.add("group.delete", target=group.name, target_id=group.id, before=_facts(group))
    db.session.delete(group)
    db.session.commit()
    return keys.sign("group-undo", undo)


def restore_group(actor: Actor, undo: str) -> CameraGroup:
    """Bring back a group that was deleted a moment ago, with everything that was shared through it.

    Raises:
        Conflict: too late, or the name was given to another group meanwhile.
    """
    kept: dict[str, Any] | None = keys.unsign("group-undo", undo, max_age_seconds=UNDO_SECONDS)
    if kept is None:
        raise Conflict("It is too late to undo this. Make the group again.")
    ranks.begin(actor)
    with ranks.all_or_nothing():
        _may_share(actor, set(kept["cameras"]))
    there = select(Camera).where(Camera.id.in_(kept["cameras"]), Camera.deleted_at.is_(None))
    group = CameraGroup(name=kept["name"], cameras=list(db.session.scalars(there)))
    db.session.add(group)
    try:
        _flush(group.name)
    except Invalid:
        raise Conflict(f"There is another group called {kept['name']} now.") from None
    known = set(db.session.scalars(select(User.id)))
    for action, user_ids in kept["grants"].items():
        for user_id in known.intersection(user_ids):
            db.session.add(GroupGrant(user_id=user_id, group_id=group.id, action=action))
    audit.add("group.create", target=group.name, target_id=group.id, after=_facts(group), undo=True)
    db.session.commit()
    return group


def _locked(group_id: int) -> CameraGroup:
    """The group as it is now; nobody else changes it until the commit."""
    query = select(CameraGroup).where(CameraGroup.id == group_id)
    group = db.session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if group is None:
        db.session.rollback()
        raise NotFound("This group does not exist (any more).")
    db.session.expire(group, ["cameras"])
    return group


def _set_cameras(actor: Actor, group: CameraGroup, wanted: set[int]) -> None:
    had = {camera.id for camera in group.cameras}
    known = {camera.id: camera for camera in group.cameras}
    _may_share(actor, had ^ wanted)
    known |= {camera.id: camera for camera in _cameras(actor, wanted - had)}
    group.cameras = [known[camera_id] for camera_id in sorted(wanted)]


def _cameras(actor: Actor, ids: set[int]) -> list[Camera]:
    found = list(db.session.scalars(select(Camera).where(Camera.id.in_(ids), Camera.deleted_at.is_(None))))
    if len(found) < len(ids):
        raise Invalid({"cameras": "One of these cameras does not exist (any more)."})
    _may_share(actor, ids)
    return found


def _may_share(actor: Actor, camera_ids: set[int]) -> None:
    """Nobody shares through a group what they could not share alone."""
    if isinstance(actor, User):
        for camera_id in camera_ids:
            if not access.may(actor, Action.LIVE, camera_id):
                raise NotAllowed("You cannot share a camera that is not yours.")


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise Invalid({"name": "Give the group a name."})
    if len(name) > LONGEST_NAME:
        raise Invalid({"name": f"Use at most {LONGEST_NAME} characters."})
    return name


def _flush(name: str) -> None:
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        raise Invalid({"name": f"There is a group called {name} already."}) from None


def _facts(group: CameraGroup) -> dict[str, Any]:
    return {"name": group.name, "cameras": [camera.name for camera in group.cameras]}
