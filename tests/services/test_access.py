"""Who may do what, and stream tokens."""

import pytest
from flask import Flask

from cctv.clock import now_ms
from cctv.errors import NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import Camera, Role, Stream, User
from cctv.services import access, sessions
from cctv.services.access import Action


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
    assert set(access._MATRIX) == set(Action)


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
