"""Who may do what, and stream tokens."""

import pytest
from flask import Flask

from cctv.clock import now_ms
from cctv.errors import NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import Camera, CameraGrant, CameraGroup, GroupGrant, Role, Stream, User
from cctv.services.person import access, matrix
from cctv.services.person.access import Action
from cctv.services.sign_in import sessions


@pytest.fixture
def camera(context: Flask) -> Camera:
    camera = Camera(number=1, name="Gate", streams=[Stream(kind="main", state_since_ms=now_ms())])
    db.session.add(camera)
    db.session.commit()
    return camera


def person(role: Role) -> User:
    user = User(email=f"{role}@example.org", username=role, name=role, password_hash="x", role=role)
    db.session.add(user)
    db.session.commit()
    sessions.begin(user)
    return user


def test_every_action_has_a_line_in_the_matrix() -> None:
    assert set(matrix._TABLE) == set(Action)


def test_an_unknown_role_may_nothing() -> None:
    assert {matrix.scope("root", action) for action in Action} == {matrix.Scope.NO}


def test_a_visitor_sees_only_what_was_granted(camera: Camera) -> None:
    visitor = person(Role.VISITOR)
    other = Camera(number=2, name="Yard", streams=[Stream(kind="main", state_since_ms=now_ms())])
    db.session.add_all([other, CameraGrant(user_id=visitor.id, camera_id=camera.id, action="live")])
    db.session.commit()
    assert access.visible_cameras(visitor) == [camera]
    assert access.authorise(visitor, camera.id, Action.LIVE) == camera
    with pytest.raises(NotAllowed, match="You may not play back this camera"):
        access.authorise(visitor, camera.id, Action.PLAYBACK)
    with pytest.raises(NotFound):
        access.authorise(visitor, other.id, Action.LIVE)


def test_a_group_gives_its_cameras_also_those_that_join_later(camera: Camera) -> None:
    visitor, group = person(Role.VISITOR), CameraGroup(name="Ground floor")
    db.session.add(group)
    db.session.flush()
    db.session.add(GroupGrant(user_id=visitor.id, group_id=group.id, action="playback"))
    db.session.commit()
    assert not access.may(visitor, Action.PLAYBACK, camera.id)
    group.cameras.append(camera)
    db.session.commit()
    assert access.may(visitor, Action.PLAYBACK, camera.id)
    assert not access.may(visitor, Action.LIVE, camera.id)


def test_a_developer_sees_technics_of_all_cameras_and_pictures_of_none(camera: Camera) -> None:
    developer = person(Role.DEVELOPER)
    assert access.authorise(developer, camera.id, Action.CAMERA_DIAGNOSE) == camera
    with pytest.raises(NotAllowed, match="You may not watch this camera"):
        access.authorise(developer, camera.id, Action.LIVE)
    db.session.add(CameraGrant(user_id=developer.id, camera_id=camera.id, action="live"))
    db.session.add(CameraGrant(user_id=developer.id, camera_id=camera.id, action="playback"))
    db.session.commit()
    assert access.authorise(developer, camera.id, Action.LIVE) == camera
    with pytest.raises(NotAllowed, match="Only a Super Admin, Admin or Visitor can"):
        access.authorise(developer, camera.id, Action.PLAYBACK)


def test_a_token_for_programs_never_has_more_than_its_limits(camera: Camera) -> None:
    owner = person(Role.SUPER_ADMIN)
    owner.token_actions, owner.token_cameras = frozenset({"live"}), frozenset({camera.id + 1})
    assert not access.may(owner, Action.PLAYBACK)
    assert access.visible_cameras(owner) == []
    with pytest.raises(NotFound):
        access.authorise(owner, camera.id, Action.LIVE)
    owner.token_cameras = frozenset({camera.id})
    assert access.authorise(owner, camera.id, Action.LIVE) == camera


def test_the_owner_may_and_gets_the_camera(camera: Camera) -> None:
    assert access.authorise(person(Role.SUPER_ADMIN), camera.id, Action.LIVE) == camera


def test_a_refusal_names_who_may(camera: Camera) -> None:
    with pytest.raises(NotAllowed, match=r"Only a Super Admin or Admin can\."):
        access.authorise(person(Role.VISITOR), camera.id, Action.CAMERA_ADD)


def test_an_absent_or_deleted_camera_does_not_exist(camera: Camera) -> None:
    owner = person(Role.SUPER_ADMIN)
    with pytest.raises(NotFound):
        access.authorise(owner, camera.id + 1, Action.LIVE)
    camera.deleted_at = camera.created_at
    with pytest.raises(NotFound):
        access.authorise(owner, camera.id, Action.LIVE)
    assert access.visible_cameras(owner) == []


def test_a_token_opens_its_camera_and_action_only(camera: Camera) -> None:
    token = access.media_token(person(Role.SUPER_ADMIN), camera.id, Action.LIVE)
    access.open_media_token(token, camera.id, Action.LIVE)
    for wrong in ((token, camera.id + 1, Action.LIVE), (token, camera.id, Action.PLAYBACK)):
        with pytest.raises(NotFound):
            access.open_media_token(*wrong)
    forged = token[:-2] + ("AA" if not token.endswith("AA") else "BB")
    with pytest.raises(NotFound):
        access.open_media_token(forged, camera.id, Action.LIVE)


def test_a_token_dies_with_the_session(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_RECHECK_SECONDS", 0.0)
    user = person(Role.SUPER_ADMIN)
    token = access.media_token(user, camera.id, Action.LIVE)
    access.open_media_token(token, camera.id, Action.LIVE)
    db.session.get_one(User, user.id).session_version += 1
    db.session.commit()
    with pytest.raises(NotFound):
        access.open_media_token(token, camera.id, Action.LIVE)
