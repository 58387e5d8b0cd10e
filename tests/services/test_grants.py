"""The matrix of one person: cells, groups, new cameras."""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.errors import Invalid, NotFound
from cctv.extensions import db
from cctv.models import (
    Role,
    User,
)
from cctv.services.camera import cameras, groups
from cctv.services.person import access, grants, people
from cctv.services.person.grants import Cell
from cctv.services.person.people import COMMAND_LINE
from tests.services.persons import add_camera, at_once, entries, person

pytestmark = pytest.mark.usefixtures("quick_hashes")


class TestTheMatrix:
    def test_cells_are_given_and_taken_and_told_with_before_and_after(self, context: Flask) -> None:
        visitor, camera = person(Role.VISITOR), add_camera()
        live = {"camera_id": camera.id}
        assert people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, **live)
        assert not people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, **live)
        assert access.may(visitor, access.Action.LIVE, camera.id)
        assert people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, False, **live)
        assert not access.may(visitor, access.Action.LIVE, camera.id)
        first, second = entries("grant.change")
        assert first.details == {"before": {"Gate": []}, "after": {"Gate": ["live"]}}
        assert second.details == {"before": {"Gate": ["live"]}, "after": {"Gate": []}}
        assert first.camera_id == camera.id

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.DEVELOPER])
    def test_what_a_role_cannot_have_is_refused(self, context: Flask, role: Role) -> None:
        other, camera = person(role), add_camera()
        with pytest.raises(Invalid, match=role.label):
            people.set_grant(COMMAND_LINE, other, access.Action.PLAYBACK, True, camera_id=camera.id)

    def test_an_unknown_place_is_refused_and_nothing_is_half_done(self, context: Flask) -> None:
        visitor, camera = person(Role.VISITOR), add_camera()
        wanted = {
            Cell(access.Action.LIVE, camera_id=camera.id): True,
            Cell(access.Action.LIVE, group_id=9): True,
        }
        with pytest.raises(NotFound):
            grants.set_grants(COMMAND_LINE, visitor, wanted)
        assert grants.cells_of(visitor) == set()

    @pytest.mark.each_database
    def test_the_same_cell_given_twice_at_once_is_given_once(self, app: Flask) -> None:
        with app.app_context():
            visitor_id, camera_id = person(Role.VISITOR).id, add_camera().id

        def give() -> None:
            people.set_grant(
                COMMAND_LINE,
                db.session.get_one(User, visitor_id),
                access.Action.LIVE,
                True,
                camera_id=camera_id,
            )

        assert at_once(app, give, give, give) == ["", "", ""]
        with app.app_context():
            assert len(entries("grant.change")) == 1

    def test_a_group_shows_on_the_rows_of_its_cameras(self, context: Flask) -> None:
        visitor, camera = person(Role.VISITOR), add_camera()
        group = groups.create_group(COMMAND_LINE, "Floor", [camera.id])
        people.set_grant(COMMAND_LINE, visitor, access.Action.LIVE, True, group_id=group.id)
        of_group, of_camera = grants.rows(visitor)
        assert (of_group.key, of_group.own) == (f"g{group.id}", {access.Action.LIVE})
        assert (of_camera.own, of_camera.through) == (frozenset(), {access.Action.LIVE: ["Floor"]})

    def test_a_new_camera_goes_to_those_who_get_new_cameras(self, context: Flask) -> None:
        watcher, player, nobody = (person(Role.VISITOR, name) for name in ("Watcher", "Player", "Nobody"))
        first = add_camera()
        for one in (watcher, player):
            people.change_person(COMMAND_LINE, one, {"new_cameras": "give"})
        people.set_grant(COMMAND_LINE, player, access.Action.PLAYBACK, True, camera_id=first.id)
        second = cameras.create_camera(cameras.CameraForm(name="Yard", url="rtsp://127.0.0.1/two"), None)
        given = {
            one.name: access.granted_actions(one).get(second.id, set()) for one in (watcher, player, nobody)
        }
        assert given == {"Watcher": {"live"}, "Player": {"live", "playback"}, "Nobody": set()}
        assert entries("grant.change")[-1].details["reason"] == "gets new cameras"
