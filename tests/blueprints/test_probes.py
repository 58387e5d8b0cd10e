"""Checks as a page sees them: step by step, the first failure as headline, one's own only."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import Probe, Role, User
from cctv.services.camera import probes
from tests.blueprints.camera_rows import HTML, HTMX, add_camera, add_person
from tests.fixtures.application import sign_in


def add_probe(app: Flask, user: User, **columns: Any) -> int:
    with app.app_context():
        defaults = {"url": "rtsp://127.0.0.9/s", "username": "admin", "steps": [], "result": {}}
        probe = Probe(user_id=user.id, **(defaults | columns))
        db.session.add(probe)
        db.session.commit()
        return probe.id


STEPS = [
    {"code": "tcp", "state": "ok", "text": "port 554 is open"},
    {"code": "login", "state": "bad", "text": "login refused (401)"},
    {"code": "path", "state": "skipped", "text": "stream path"},
]


class TestStarting:
    def test_htmx_gets_a_part_that_asks_again(self, app: Flask, signed_in: FlaskClient) -> None:
        answer = signed_in.post("/probes", data={"url": "127.0.0.9", "password": "geheim-1"}, headers=HTMX)
        assert 'hx-trigger="load delay:500ms"' in answer.text
        assert "<form" not in answer.text
        with app.app_context():
            assert "geheim-1" not in (db.session.scalars(db.select(Probe)).one().password_encrypted or "")

    def test_a_browser_is_led_to_the_page_of_the_check(self, signed_in: FlaskClient) -> None:
        answer = signed_in.post("/probes", data={"url": "127.0.0.9"}, headers=HTML)
        assert answer.status_code == 303
        page = signed_in.get(answer.location, headers=HTML)
        assert 'http-equiv="refresh"' in page.text

    def test_what_is_no_address_is_said_at_once(self, signed_in: FlaskClient) -> None:
        answer = signed_in.post("/probes", data={"url": "not an address"}, headers=HTMX)
        assert "does not look like an address" in answer.text
        assert 'data-field="url"' in answer.text
        assert "hx-trigger" not in answer.text

    def test_the_stored_password_is_used_when_none_is_typed(self, app: Flask, signed_in: FlaskClient) -> None:
        camera_id = add_camera(app)
        data = {"url": "rtsp://127.0.0.10/stream1", "username": "admin"}
        signed_in.post(f"/probes?camera_id={camera_id}", data=data, headers=HTMX)
        with app.app_context():
            assert db.session.scalars(db.select(Probe)).one().password_encrypted

    def test_the_stored_password_never_goes_to_another_device(
        self, app: Flask, signed_in: FlaskClient
    ) -> None:
        camera_id = add_camera(app)
        data = {"url": "rtsp://127.0.0.66/stream1", "username": "admin"}
        answer = signed_in.post(f"/probes?camera_id={camera_id}", data=data, headers=HTMX)
        assert "leads to another device" in answer.text
        assert 'data-field="password"' in answer.text
        with app.app_context():
            assert db.session.scalars(db.select(Probe)).all() == []
        own = data | {"password": "its own"}
        assert signed_in.post(f"/probes?camera_id={camera_id}", data=own, headers=HTMX).status_code == 200

    def test_one_person_checks_a_few_at_a_time(self, app: Flask, signed_in: FlaskClient) -> None:
        answers = [
            signed_in.post("/probes", data={"url": f"127.0.0.{n}"}, headers=HTMX) for n in range(9, 14)
        ]
        assert [answer.status_code for answer in answers] == [200] * probes.MOST_AT_A_TIME + [429]
        with app.app_context():
            for probe in db.session.scalars(db.select(Probe)):
                probe.state = "done"
            db.session.commit()
        assert signed_in.post("/probes", data={"url": "127.0.0.9"}, headers=HTMX).status_code == 200

    def test_who_may_not_add_cameras_may_not_check_addresses(self, app: Flask, owner: object) -> None:
        visitor = sign_in(app, add_person(app, Role.VISITOR))
        assert visitor.post("/probes", data={"url": "127.0.0.9"}, headers=HTMX).status_code == 403


class TestShowing:
    def test_steps_appear_as_they_happen(self, app: Flask, signed_in: FlaskClient, owner: User) -> None:
        probe_id = add_probe(app, owner, state="running", steps=STEPS[:1])
        answer = signed_in.get(f"/probes/{probe_id}", headers=HTMX)
        assert "Port 554 is open" in answer.text
        assert 'aria-busy="true"' in answer.text

    def test_the_first_failure_is_the_headline_and_names_its_field(
        self, app: Flask, signed_in: FlaskClient, owner: User
    ) -> None:
        probe_id = add_probe(app, owner, state="failed", cause="auth", steps=STEPS)
        body = signed_in.get(f"/probes/{probe_id}", headers=HTMX).text
        assert "Wrong user name or password" in body
        assert "The address is right, but the camera refused the user admin" in body
        assert 'data-field="password"' in body
        assert "hx-trigger" not in body

    def test_a_passed_check_shows_the_picture_then_the_clip(
        self, app: Flask, signed_in: FlaskClient, owner: User
    ) -> None:
        probe_id = add_probe(app, owner, state="done", steps=STEPS[:1])
        with app.app_context():
            picture = probes.picture_path(probe_id)
        picture.write_bytes(b"\xff\xd8 a picture")
        assert "picture.jpg" in signed_in.get(f"/probes/{probe_id}", headers=HTMX).text
        picture.with_suffix(".mp4").write_bytes(b"a clip")
        body = signed_in.get(f"/probes/{probe_id}", headers=HTMX).text
        assert "clip.mp4" in body
        assert f'name="probe" value="{probe_id}" hx-swap-oob' in body
        answer = signed_in.get(f"/probes/{probe_id}/clip.mp4")
        assert (answer.data, answer.mimetype) == (b"a clip", "video/mp4")

    def test_what_does_not_prevent_capture_is_a_remark(
        self, app: Flask, signed_in: FlaskClient, owner: User
    ) -> None:
        result = {"warnings": ["keyframes"], "gop_ms": 8000}
        probe_id = add_probe(app, owner, state="done", result=result)
        assert "only every 8 seconds" in signed_in.get(f"/probes/{probe_id}", headers=HTMX).text

    def test_somebody_elses_check_does_not_exist(self, app: Flask, owner: User) -> None:
        probe_id = add_probe(app, owner, state="done")
        admin = sign_in(app, add_person(app, Role.ADMIN))
        for path in ("", "/picture.jpg", "/clip.mp4"):
            assert admin.get(f"/probes/{probe_id}{path}", headers=HTML).status_code == 404
