"""Camera groups: made, changed, deleted and brought back; what is shared through them."""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.errors import Conflict, Invalid, NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import CameraGroup, GroupGrant, Role, User
from cctv.services.camera import groups
from cctv.services.person import access, people
from cctv.services.person.people import COMMAND_LINE
from tests.services.persons import add_camera, at_once, entries, person

pytestmark = pytest.mark.usefixtures("quick_hashes")


def test_a_group_is_made_renamed_and_filled_with_before_and_after(context: Flask) -> None:
    gate, yard = add_camera(), add_camera(2, "Yard")
    group = groups.create_group(COMMAND_LINE, "  Ground   floor ", [gate.id])
    groups.change_group(COMMAND_LINE, group, name="Outside", camera_ids=[gate.id, yard.id], version=1)
    assert (group.name, [camera.name for camera in group.cameras]) == ("Outside", ["Gate", "Yard"])
    assert entries("group.change")[0].details == {
        "before": {"name": "Ground floor", "cameras": ["Gate"]},
        "after": {"name": "Outside", "cameras": ["Gate", "Yard"]},
    }
    with pytest.raises(Conflict, match="in the meantime"):
        groups.change_group(COMMAND_LINE, group, name="Late", version=1)


@pytest.mark.parametrize(("name", "cameras"), [(" ", []), ("x" * 81, []), ("Taken", []), ("Fine", [77])])
def test_what_cannot_be_is_refused(context: Flask, name: str, cameras: list[int]) -> None:
    groups.create_group(COMMAND_LINE, "Taken")
    with pytest.raises(Invalid):
        groups.create_group(COMMAND_LINE, name, cameras)
    assert [group.name for group in groups.list_groups()] == ["Taken"]


def test_only_who_manages_people_changes_groups(context: Flask) -> None:
    group = groups.create_group(COMMAND_LINE, "Floor")
    groups.change_group(person(Role.ADMIN), group, name="Ground floor")
    for role in (Role.DEVELOPER, Role.VISITOR):
        with pytest.raises(NotAllowed):
            groups.change_group(person(role), group, name="Mine")


def test_nobody_shares_a_camera_through_a_group_that_they_could_not_share_alone(context: Flask) -> None:
    owner, gate, yard = person(Role.SUPER_ADMIN), add_camera(), add_camera(2, "Yard")
    group = groups.create_group(COMMAND_LINE, "Floor", [gate.id])
    owner.token_cameras = frozenset({gate.id})
    with pytest.raises(NotAllowed):
        groups.change_group(owner, group, camera_ids=[gate.id, yard.id])
    assert group.cameras == [gate]


def test_a_deleted_group_takes_what_was_shared_with_it_and_brings_it_back(context: Flask) -> None:
    visitor, gate = person(Role.VISITOR), add_camera()
    group = groups.create_group(COMMAND_LINE, "Floor", [gate.id])
    people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, group_id=group.id)
    assert groups.shared_with() == {group.id: 1}
    undo = groups.delete_group(COMMAND_LINE, group)
    assert not access.may(visitor, access.Action.LIVE, gate.id)
    assert db.session.scalars(db.select(GroupGrant)).all() == []
    with pytest.raises(NotFound):
        groups.get_group(group.id)
    restored = groups.restore_group(COMMAND_LINE, undo)
    assert restored.cameras == [gate]
    assert access.may(visitor, access.Action.LIVE, gate.id)
    with pytest.raises(Conflict, match="another group"):
        groups.restore_group(COMMAND_LINE, undo)
    with pytest.raises(Conflict, match="too late"):
        groups.restore_group(COMMAND_LINE, undo + "x")


def test_a_camera_is_put_into_groups_from_its_own_form(context: Flask) -> None:
    gate = add_camera()
    floor, yard = (groups.create_group(COMMAND_LINE, name) for name in ("Floor", "Yard"))
    groups.set_groups_of(COMMAND_LINE, gate, {floor.id, yard.id})
    groups.set_groups_of(COMMAND_LINE, gate, {yard.id})
    assert (floor.cameras, yard.cameras) == ([], [gate])


@pytest.mark.each_database
def test_of_two_groups_with_one_name_one_is_made(app: Flask) -> None:
    def make() -> None:
        groups.create_group(COMMAND_LINE, "Floor")

    assert sorted(at_once(app, make, make)) == ["", "There is a group called Floor already."]


@pytest.mark.each_database
def test_two_who_change_one_group_at_the_same_moment_do_not_lose_a_change(app: Flask) -> None:
    with app.app_context():
        group_id = groups.create_group(COMMAND_LINE, "Floor").id

    def rename(name: str) -> None:
        groups.change_group(COMMAND_LINE, db.session.get_one(CameraGroup, group_id), name=name, version=1)

    refusals = at_once(app, lambda: rename("One"), lambda: rename("Two"))
    assert sorted(bool(refusal) for refusal in refusals) == [False, True]
    with app.app_context():
        assert db.session.get_one(CameraGroup, group_id).version == 2


@pytest.mark.each_database
def test_a_grant_on_a_group_that_goes_at_the_same_moment_leaves_nothing_behind(app: Flask) -> None:
    with app.app_context():
        group_id, visitor_id = groups.create_group(COMMAND_LINE, "Floor").id, person(Role.VISITOR).id

    def share() -> None:
        visitor = db.session.get_one(User, visitor_id)
        people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, group_id=group_id)

    def remove() -> None:
        groups.delete_group(COMMAND_LINE, db.session.get_one(CameraGroup, group_id))

    assert set(at_once(app, share, remove)) <= {"", "This camera or group does not exist (any more)."}
    with app.app_context():
        assert db.session.scalars(db.select(GroupGrant)).all() == []
