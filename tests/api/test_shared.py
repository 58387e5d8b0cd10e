"""Lists that are asked for at once are made once; rights and changes are never a second late."""

from __future__ import annotations

import threading

from flask import Flask

from cctv.extensions import db
from cctv.models import CameraGrant, Role, User
from tests.api.apps import CAMERAS, RECORDINGS, Phone, answer, phone_of, problem
from tests.api.test_cameras import grant
from tests.blueprints.camera_rows import QueryCount, add_camera, change


def test_a_second_look_within_a_second_asks_for_the_person_alone(app: Flask, phone: Phone) -> None:
    add_camera(app)
    for path in (CAMERAS, RECORDINGS):
        first = phone.get(path)
        with QueryCount(app) as queries:
            assert phone.get(path).data == first.data
        assert len(queries) <= 2, queries.statements


def test_what_is_changed_is_seen_at_once(app: Flask, phone: Phone) -> None:
    camera_id = add_camera(app, "Gate")
    assert answer(phone.get(CAMERAS))["items"][0]["name"] == "Gate"
    answer(phone.patch(f"{CAMERAS}{camera_id}/", {"name": "Door"}, version="*"))
    assert answer(phone.get(CAMERAS))["items"][0]["name"] == "Door"
    assert answer(phone.get(f"{RECORDINGS}?kind=manual"))["total"] == 0
    answer(phone.post(f"{CAMERAS}{camera_id}/start_recording/"), 201)
    assert answer(phone.get(f"{RECORDINGS}?kind=manual"))["total"] == 1


def test_a_state_is_at_most_a_second_old(app: Flask, phone: Phone) -> None:
    camera_id = add_camera(app)
    answers = app.extensions["cctv.api.answers"]
    assert answer(phone.get(CAMERAS))["items"][0]["state"] == "live"
    change(app, camera_id, state="offline", cause="noroute")
    answers._found = {key: (until - 1, *rest) for key, (until, *rest) in answers._found.items()}
    assert answer(phone.get(CAMERAS))["items"][0]["state"] == "offline"


def test_nobody_gets_what_another_one_may_see(app: Flask, phone: Phone) -> None:
    gate, _yard = add_camera(app, "Gate"), add_camera(app, "Yard")
    visitor, other = phone_of(app, Role.VISITOR), phone_of(app, Role.DEVELOPER)
    assert answer(phone.get(CAMERAS))["total"] == 2
    assert answer(visitor.get(CAMERAS))["total"] == 0
    grant(app, visitor, gate, "live")
    assert answer(visitor.get(CAMERAS))["items"][0]["address"] is None
    assert answer(other.get(CAMERAS))["items"][0]["address"]
    with app.app_context():
        db.session.execute(db.delete(CameraGrant))
        db.session.commit()
    assert answer(visitor.get(CAMERAS))["total"] == 0
    problem(other.get(RECORDINGS), 403)


def test_many_who_ask_at_once_cost_one_look(app: Flask, owner: User, phone: Phone) -> None:
    for number in range(5):
        add_camera(app, f"Camera {number}")
    phone.get("/v0/api/users/profile/")
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(phone.get(CAMERAS).data)) for _ in range(8)]
    with QueryCount(app) as queries:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(set(bodies)) == 1 and len(bodies) == 8
    looks = [statement for statement in queries.statements if "FROM camera" in statement]
    assert len(looks) <= 2, looks
