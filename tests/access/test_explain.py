"""What can this person open? The same answers as at the door, in words."""

from __future__ import annotations

import pytest
from flask import Flask, render_template

from cctv.extensions import db
from cctv.models import Camera, CameraGroup, GroupGrant, Role, User
from cctv.services.person import access, matrix
from cctv.services.person.access import Action, Opening
from tests.access.people import add_person, grant


@pytest.fixture
def cameras(context: Flask) -> list[Camera]:
    found = [Camera(number=number, name=name) for number, name in enumerate(["Gate", "Yard", "Hall"], 1)]
    db.session.add_all(found)
    db.session.commit()
    return found


def said(user: User) -> dict[Action, Opening]:
    return {one.action: one for one in access.explain(db.session.get_one(User, user.id))}


def test_every_action_has_words() -> None:
    assert list(matrix.WORDS) == list(Action)
    assert len(set(matrix.WORDS.values())) == len(Action)


@pytest.mark.parametrize("role", list(Role))
def test_it_says_what_the_door_does(app: Flask, cameras: list[Camera], role: Role) -> None:
    person = add_person(app, role)
    grant(app, person, cameras[1].id, ["live", "playback"])
    user = db.session.get_one(User, person.id)
    for action, one in said(person).items():
        assert one.is_open == access.Rights(user).may_somewhere(action), action
        if action in matrix.GRANTABLE:
            open_to = [camera.name for camera in cameras if access.may(user, action, camera.id)]
            assert list(one.cameras) == open_to or (one.extent, len(open_to)) == ("All cameras", 3)


def test_cameras_are_counted_and_named_also_those_of_a_group(app: Flask, cameras: list[Camera]) -> None:
    person, group = add_person(app, Role.VISITOR), CameraGroup(name="Outside", cameras=cameras[:2])
    db.session.add(group)
    db.session.flush()
    db.session.add(GroupGrant(user_id=person.id, group_id=group.id, action="live"))
    db.session.commit()
    rows = said(person)
    assert (rows[Action.LIVE].extent, rows[Action.LIVE].cameras) == ("2 of 3 cameras", ("Gate", "Yard"))
    assert (rows[Action.RECORD].extent, rows[Action.RECORD].is_open) == ("No camera yet", False)
    assert rows[Action.USERS].extent == "No"
    assert rows[Action.AUDIT].extent == "Own actions"
    cameras[0].deleted_at = cameras[0].created_at
    db.session.commit()
    assert said(person)[Action.LIVE].extent == "1 of 2 cameras"


def test_an_account_that_is_switched_off_opens_nothing(app: Flask, cameras: list[Camera]) -> None:
    person = add_person(app, Role.SUPER_ADMIN)
    db.session.get_one(User, person.id).is_enabled = False
    db.session.commit()
    assert not any(one.is_open for one in said(person).values())


def test_the_page_tells_it(app: Flask, cameras: list[Camera]) -> None:
    person = add_person(app, Role.ADMIN)
    with app.test_request_context():
        body = render_template("users/_opens.html", opens=list(said(person).values()))
    assert "All cameras" in body
    assert "Visitors only" in body
    assert body.index("Watch live") < body.index("Change cloud secrets and networks"), (
        "what is open comes first"
    )
