"""Accounts of other people: who may whom, the last Super Admin, races, sessions that end."""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.errors import Conflict, Invalid, NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import (
    ApiToken,
    CameraGrant,
    CodePurpose,
    GroupGrant,
    Role,
    Session,
    User,
)
from cctv.services.camera import groups
from cctv.services.person import access, grants, people, users
from cctv.services.person.grants import Cell
from cctv.services.person.people import COMMAND_LINE
from cctv.services.sign_in import codes, sessions
from tests.services.persons import PASSWORD, add_camera, at_once, entries, person

pytestmark = pytest.mark.usefixtures("quick_hashes")


class TestWhoMayWhom:
    def test_an_admin_sees_and_changes_visitors_only(self, context: Flask) -> None:
        owner, admin, visitor = person(Role.SUPER_ADMIN), person(Role.ADMIN), person(Role.VISITOR)
        assert people.find_people(admin).items == [visitor]
        assert people.get_person(admin, visitor.id) == visitor
        for other in (owner, admin):
            with pytest.raises(NotFound):
                people.get_person(admin, other.id)
            with pytest.raises(NotFound):
                people.change_person(admin, other, {"name": "Mine"})
            with pytest.raises(NotFound):
                people.disable_person(admin, other)
            with pytest.raises(NotFound):
                people.delete_person(admin, other)
        assert not people.may_manage(admin, owner)

    @pytest.mark.parametrize("role", [Role.SUPER_ADMIN, Role.ADMIN, Role.DEVELOPER])
    def test_an_admin_gives_no_role_but_visitor(self, context: Flask, role: Role) -> None:
        admin, visitor = person(Role.ADMIN, "Adam"), person(Role.VISITOR)
        with pytest.raises(NotAllowed):
            people.create_person(admin, name="X", email="x@example.org", role=role, password=PASSWORD)
        with pytest.raises(NotAllowed):
            people.change_person(admin, visitor, {"role": role.value})
        db.session.refresh(visitor)
        assert visitor.role == Role.VISITOR

    @pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VISITOR])
    def test_others_may_nothing(self, context: Flask, role: Role) -> None:
        actor, visitor = person(role, "Somebody"), person(Role.VISITOR)
        with pytest.raises(NotAllowed, match="Only a Super Admin or Admin can"):
            people.find_people(actor)
        with pytest.raises(NotAllowed):
            people.get_person(actor, visitor.id)
        with pytest.raises(NotAllowed):
            people.delete_person(actor, visitor)

    def test_a_limited_token_of_a_super_admin_makes_nobody_stronger_than_a_visitor(
        self, context: Flask
    ) -> None:
        owner = person(Role.SUPER_ADMIN)
        owner.token_actions = frozenset({"users", "live"})
        assert people.roles_of(owner) == (Role.VISITOR,)
        with pytest.raises(NotAllowed):
            people.create_person(
                owner, name="X", email="x@example.org", role=Role.SUPER_ADMIN, password=PASSWORD
            )

    def test_nobody_gives_more_than_they_have(self, context: Flask) -> None:
        owner, visitor = person(Role.SUPER_ADMIN), person(Role.VISITOR)
        mine, other = add_camera(), add_camera(2, "Yard")
        owner.token_cameras = frozenset({mine.id})
        owner.token_actions = frozenset({"users", "live"})
        people.set_grant(owner, visitor, access.Action.LIVE, True, camera_id=mine.id)
        with pytest.raises(NotAllowed, match="more than you have"):
            people.set_grant(owner, visitor, access.Action.LIVE, True, camera_id=other.id)
        with pytest.raises(NotAllowed, match="more than you have"):
            people.set_grant(owner, visitor, access.Action.PLAYBACK, True, camera_id=mine.id)
        group = groups.create_group(COMMAND_LINE, "Mine alone today", [mine.id])
        with pytest.raises(NotAllowed, match="more than you have"):
            people.set_grant(owner, visitor, access.Action.LIVE, True, group_id=group.id)

    @pytest.mark.parametrize("is_of_some_cameras", [True, False])
    def test_a_limited_token_gives_nobody_the_cameras_of_tomorrow(
        self, context: Flask, is_of_some_cameras: bool
    ) -> None:
        owner, visitor = person(Role.SUPER_ADMIN), person(Role.VISITOR)
        owner.token_actions = frozenset({"users", "live", *(["playback"] if is_of_some_cameras else [])})
        owner.token_cameras = frozenset({add_camera().id}) if is_of_some_cameras else None
        new = {"name": "X", "email": "x@example.org", "role": Role.VISITOR, "password": PASSWORD}
        with pytest.raises(NotAllowed, match="more than you have"):
            people.create_person(owner, **new, new_cameras="give")
        with pytest.raises(NotAllowed, match="more than you have"):
            people.change_person(owner, visitor, {"new_cameras": "give"})
        assert people.create_person(owner, **new).new_cameras == "no"
        people.change_person(COMMAND_LINE, visitor, {"new_cameras": "give"})
        assert people.change_person(owner, visitor, {"name": "Vera"}).new_cameras == "give"

    def test_rights_are_read_again_before_a_change(self, context: Flask) -> None:
        admin, visitor = person(Role.ADMIN), person(Role.VISITOR)
        db.session.execute(db.update(User).where(User.id == admin.id).values(role="visitor"))
        with pytest.raises(NotAllowed):
            people.change_person(admin, visitor, {"name": "Mine"})


class TestTheLastSuperAdmin:
    @pytest.mark.each_database
    def test_stays_whoever_asks(self, context: Flask) -> None:
        owner = person(Role.SUPER_ADMIN)
        person(Role.SUPER_ADMIN, "Invited", password=None)  # could not sign in
        off = person(Role.SUPER_ADMIN, "Off")
        people.disable_person(COMMAND_LINE, off)
        for actor in (owner, COMMAND_LINE):
            with pytest.raises(Conflict):
                people.delete_person(actor, owner)
            with pytest.raises(Conflict):
                people.disable_person(actor, owner)
            with pytest.raises(Conflict, match="last Super Admin"):
                people.change_person(actor, owner, {"role": "admin"})
        db.session.refresh(owner)
        assert (owner.role, owner.is_enabled) == (Role.SUPER_ADMIN, True)

    @pytest.mark.each_database
    @pytest.mark.parametrize("deed", ["demote", "disable", "delete"])
    def test_of_two_who_remove_one_another_at_the_same_moment_one_stays(self, app: Flask, deed: str) -> None:
        with app.app_context():
            ids = [person(Role.SUPER_ADMIN, name).id for name in ("One", "Two")]

        def remove(actor_id: int, person_id: int) -> None:
            actor, other = (db.session.get_one(User, one) for one in (actor_id, person_id))
            if deed == "demote":
                people.change_person(actor, other, {"role": "visitor"})
            elif deed == "disable":
                people.disable_person(actor, other)
            else:
                people.delete_person(actor, other)

        refusals = at_once(app, lambda: remove(*ids), lambda: remove(*reversed(ids)))
        assert sorted(bool(refusal) for refusal in refusals) == [False, True], refusals
        with app.app_context():
            query = db.select(User).where(User.role == Role.SUPER_ADMIN, User.is_enabled)
            assert len(list(db.session.scalars(query))) == 1

    @pytest.mark.each_database
    def test_two_who_step_down_at_the_same_moment_leave_one(self, app: Flask) -> None:
        with app.app_context():
            ids = [person(Role.SUPER_ADMIN, name).id for name in ("One", "Two")]

        def step_down(own_id: int) -> None:
            own = db.session.get_one(User, own_id)
            people.change_person(own, own, {"role": "admin"})

        refusals = at_once(app, *(lambda own_id=own_id: step_down(own_id) for own_id in ids))
        assert sum("last Super Admin" in refusal for refusal in refusals) == 1, refusals
        with app.app_context():
            assert users.has_owner()


class TestChanging:
    def test_a_new_role_ends_sessions_and_takes_what_it_cannot_have(self, context: Flask) -> None:
        visitor, camera = person(Role.VISITOR), add_camera()
        group = groups.create_group(COMMAND_LINE, "Floor", [camera.id])
        for action in (access.Action.LIVE, access.Action.EXPORT):
            people.set_grant(COMMAND_LINE, visitor, action, True, camera_id=camera.id)
            people.set_grant(COMMAND_LINE, visitor, action, True, group_id=group.id)
        sessions.begin(visitor)
        people.change_person(COMMAND_LINE, visitor, {"role": "developer"})
        assert sessions.find_user(visitor.session_id) is None
        assert grants.cells_of(visitor) == {
            Cell(access.Action.LIVE, camera_id=camera.id),
            Cell(access.Action.LIVE, group_id=group.id),
        }
        people.change_person(COMMAND_LINE, visitor, {"role": "admin"})
        assert grants.cells_of(visitor) == set()

    def test_a_name_signs_nobody_out_and_is_told_with_before_and_after(self, context: Flask) -> None:
        visitor = person(Role.VISITOR)
        sessions.begin(visitor)
        people.change_person(COMMAND_LINE, visitor, {"name": " New   Name "})
        assert sessions.find_user(visitor.session_id) is visitor
        entry = entries("user.change")[-1]
        assert entry.details == {"before": {"name": "Visitor"}, "after": {"name": "New Name"}}
        assert (entry.target, entry.target_id) == ("New Name", visitor.id)

    def test_a_change_of_nothing_is_no_change(self, context: Flask) -> None:
        visitor = person(Role.VISITOR)
        people.change_person(COMMAND_LINE, visitor, {"name": "Visitor"})
        assert visitor.version == 1
        assert entries("user.change") == []

    def test_who_was_slower_is_told(self, context: Flask) -> None:
        visitor = person(Role.VISITOR)
        people.change_person(COMMAND_LINE, visitor, {"name": "First"}, version=1)
        with pytest.raises(Conflict, match="in the meantime"):
            people.change_person(COMMAND_LINE, visitor, {"name": "Second"}, version=1)
        assert visitor.name == "First"

    def test_a_new_address_is_unproved_and_old_links_die(self, context: Flask) -> None:
        visitor = person(Role.VISITOR)
        made = codes.make(visitor, CodePurpose.RESET)
        db.session.commit()
        people.change_person(COMMAND_LINE, visitor, {"email": "New@Example.org"})
        assert visitor.email == "new@example.org"
        assert codes.find_link(CodePurpose.RESET, made.link_token) is None

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"password_hash": "x"}, "password_hash"),
            ({"is_enabled": False}, "is_enabled"),
            ({"session_version": 1}, "session_version"),
            ({"role": "root"}, "role"),
            ({"name": " "}, "name"),
            ({"name": "x" * 121}, "name"),
            ({"email": "nothing"}, "email"),
            ({"username": "a b"}, "username"),
            ({"new_cameras": "all"}, "new_cameras"),
            ({"email": "taken@example.org"}, "email"),
            ({"username": "taken"}, "username"),
        ],
    )
    def test_what_cannot_be_is_refused_with_its_field(
        self, context: Flask, changes: dict[str, object], field: str
    ) -> None:
        person(Role.VISITOR, "Taken")
        visitor = person(Role.VISITOR)
        with pytest.raises(Invalid) as refused:
            people.change_person(COMMAND_LINE, visitor, changes)
        assert list(refused.value.errors) == [field]
        db.session.refresh(visitor)
        assert (visitor.name, visitor.role, visitor.version) == ("Visitor", "visitor", 1)

    @pytest.mark.each_database
    def test_of_two_with_the_same_address_one_is_made(self, app: Flask) -> None:
        def make() -> None:
            people.create_person(
                COMMAND_LINE, name="Twin", email="twin@example.org", role="visitor", password=PASSWORD
            )

        refusals = at_once(app, make, make)
        assert sorted(refusals) == ["", "Another account has this e-mail address."] or sorted(refusals)[
            1
        ].startswith("Another account has this e-mail address.")

    def test_user_names_are_found_when_none_is_typed(self, context: Flask) -> None:
        first = person(Role.VISITOR, "Guard")
        second = people.create_person(
            COMMAND_LINE, name="G", email="guard@other.org", role="visitor", password=PASSWORD
        )
        assert (first.username, second.username) == ("guard", "guard2")


class TestSwitchingOffAndDeleting:
    def test_switching_off_ends_every_session_and_on_again_needs_a_new_one(self, context: Flask) -> None:
        owner, visitor = person(Role.SUPER_ADMIN), person(Role.VISITOR)
        sessions.begin(visitor)
        people.disable_person(owner, visitor)
        assert (visitor.disabled_by, people.state_of(visitor)) == ("Super Admin", "off")
        people.enable_person(owner, visitor)
        assert sessions.find_user(visitor.session_id) is None
        assert people.state_of(visitor) == "active"
        assert [len(entries(f"user.{deed}")) for deed in ("disable", "enable")] == [1, 1]

    def test_nobody_removes_their_own_account(self, context: Flask) -> None:
        owner = person(Role.SUPER_ADMIN)
        person(Role.SUPER_ADMIN, "Other")
        for deed in (people.disable_person, people.delete_person):
            with pytest.raises(Conflict, match="own account"):
                deed(owner, owner)

    @pytest.mark.each_database
    def test_deleting_takes_what_hangs_on_the_account_and_keeps_what_it_did(self, context: Flask) -> None:
        owner, visitor, camera = person(Role.SUPER_ADMIN), person(Role.VISITOR), add_camera()
        group = groups.create_group(owner, "Floor", [camera.id])
        people.set_grant(owner, visitor, access.Action.LIVE, True, camera_id=camera.id)
        people.set_grant(owner, visitor, access.Action.LIVE, True, group_id=group.id)
        db.session.add(ApiToken(user_id=visitor.id, name="t", prefix="p", secret_hash="h", last_address=""))
        db.session.commit()
        sessions.begin(visitor)
        deleted_id = visitor.id
        people.delete_person(owner, visitor)
        for table in (Session, ApiToken, CameraGrant, GroupGrant):
            assert db.session.scalars(db.select(table).where(table.user_id == deleted_id)).all() == []
        assert db.session.get(User, deleted_id) is None
        assert entries("user.delete")[0].details["before"]["email"] == "visitor@example.org"
        assert {entry.target_id for entry in entries("grant.change")} == {deleted_id}
