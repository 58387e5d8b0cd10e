"""People of every kind, and what was granted to them: for tests of who may what."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask

from cctv.extensions import db
from cctv.models import CameraGrant, Role, User
from cctv.services.person import users
from cctv.services.person.access import Action
from cctv.services.person.matrix import GRANTABLE
from tests.fixtures.application import OWNER_PASSWORD

# "visitor" has nothing, "visitor_live" was granted the live picture of the own camera, and so on.
GRANTED = {f"visitor_{action}": (Role.VISITOR, action) for action in GRANTABLE}
GRANTED["developer_live"] = (Role.DEVELOPER, Action.LIVE)
ROLES = {role.value: role for role in Role}
ANONYMOUS = "anonymous"
BY_ROLE = (ANONYMOUS, *ROLES)
EVERYBODY = (*BY_ROLE, *GRANTED)


def add_person(app: Flask, role: Role, name: str = "") -> User:
    """Somebody of that role, detached."""
    name = name or role.value
    with app.app_context():
        user = users.create_user(name, f"{name}@example.org", password=OWNER_PASSWORD, role=role)
        db.session.refresh(user)
        db.session.expunge(user)
        return user


def grant(app: Flask, user: User, camera_id: int, actions: Iterable[str]) -> None:
    """Share a camera with somebody."""
    with app.app_context():
        for action in actions:
            db.session.add(CameraGrant(user_id=user.id, camera_id=camera_id, action=str(action)))
        db.session.commit()


def add_everybody(app: Flask, camera_id: int) -> dict[str, User]:
    """One person of each kind; those with a grant have it on this camera."""
    people = {name: add_person(app, role) for name, role in ROLES.items()}
    for name, (role, action) in GRANTED.items():
        people[name] = add_person(app, role, name)
        grant(app, people[name], camera_id, [action])
    return people
