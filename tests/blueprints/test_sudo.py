"""The password again before a risky change: asked once in ten minutes, and nothing typed is lost."""

from __future__ import annotations

import re

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from sqlalchemy import select, update
from werkzeug.datastructures import MultiDict

from cctv import keys
from cctv.blueprints import _doors
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import AuditEntry, Session, User
from cctv.services.sign_in import second_factor
from tests.fixtures.application import OWNER_PASSWORD, sign_in
from tests.services.test_second_factor import phone

HTML = {"Accept": "text/html"}
HTMX = {**HTML, "HX-Request": "true"}
TYPED = MultiDict([("name", "Vera"), ("cameras", "1"), ("cameras", "2"), ("secret", "hunter2hunter2")])


@pytest.fixture(autouse=True)
def risky(app: Flask) -> list[MultiDict[str, str]]:
    """A page that changes something risky; what it was given."""
    given: list[MultiDict[str, str]] = []

    def view() -> ResponseReturnValue:
        _doors.require_sudo()
        given.append(MultiDict(request.form))
        return "done"

    app.add_url_rule("/risky", "risky", view, methods=["GET", "POST"])
    app.add_url_rule("/risky/other", "other", view, methods=["POST"])
    return given


def sealed(body: str) -> str:
    found = re.search(r'name="sudo_typed" value="([^"]+)"', body)
    assert found
    return found[1]


class TestWithoutJavaScript:
    def test_it_asks_with_a_page_and_goes_on_with_what_was_typed(
        self, signed_in: FlaskClient, risky: list[MultiDict[str, str]]
    ) -> None:
        asked = signed_in.post("/risky?of=7", data=TYPED, headers=HTML)
        assert asked.status_code == 403
        assert 'action="/risky?of=7"' in asked.text
        assert "hunter2" not in asked.text and risky == []
        answer = {"sudo_password": OWNER_PASSWORD, "sudo_typed": sealed(asked.text)}
        done = signed_in.post("/risky?of=7", data=answer, headers=HTML)
        assert (done.status_code, done.text) == (200, "done")
        assert risky == [TYPED]

    def test_a_wrong_password_asks_again_and_still_loses_nothing(
        self, signed_in: FlaskClient, risky: list[MultiDict[str, str]], app: Flask
    ) -> None:
        asked = signed_in.post("/risky", data=TYPED, headers=HTML)
        wrong = {"sudo_password": "not this one", "sudo_typed": sealed(asked.text)}
        again = signed_in.post("/risky", data=wrong, headers=HTML)
        assert again.status_code == 422
        assert "The password is not right." in again.text
        assert risky == []
        right = {"sudo_password": OWNER_PASSWORD, "sudo_typed": sealed(again.text)}
        assert signed_in.post("/risky", data=right, headers=HTML).text == "done"
        assert risky == [TYPED]
        with app.app_context():
            last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
            assert last and last.details == {"how": "confirm", "times": 1}

    def test_a_page_is_opened_after_the_answer(self, signed_in: FlaskClient) -> None:
        asked = signed_in.get("/risky?x=1", headers=HTML)
        assert asked.status_code == 403
        answer = {"sudo_password": OWNER_PASSWORD, "next": "/risky?x=1"}
        assert signed_in.post("/account/sudo", data=answer, headers=HTML).location == "/risky?x=1"
        assert signed_in.get("/risky?x=1", headers=HTML).text == "done"

    def test_what_waits_is_good_for_this_address_and_this_session_only(
        self, signed_in: FlaskClient, app: Flask, owner: User, risky: list[MultiDict[str, str]]
    ) -> None:
        waiting = sealed(signed_in.post("/risky", data=TYPED, headers=HTML).text)
        answer = {"sudo_password": OWNER_PASSWORD, "sudo_typed": waiting}
        assert signed_in.post("/risky/other", data=answer, headers=HTML).status_code == 400
        assert sign_in(app, owner).post("/risky", data=answer, headers=HTML).status_code == 400
        assert signed_in.post("/risky", data={**answer, "sudo_typed": "x"}, headers=HTML).status_code == 400
        assert risky == []


class TestWithHtmx:
    def test_it_asks_with_a_dialog_and_the_request_is_sent_again(
        self, signed_in: FlaskClient, risky: list[MultiDict[str, str]]
    ) -> None:
        refused = signed_in.post("/risky", data=TYPED, headers=HTMX)
        assert (refused.status_code, refused.headers["X-Sudo"], refused.text) == (403, "required", "")
        dialog = signed_in.get("/account/sudo", headers=HTMX).text
        assert 'id="sudo-title"' in dialog and "<html" not in dialog
        wrong = signed_in.post("/account/sudo", data={"sudo_password": "no"}, headers=HTMX)
        assert wrong.status_code == 422 and 'role="alert"' in wrong.text
        done = signed_in.post("/account/sudo", data={"sudo_password": OWNER_PASSWORD}, headers=HTMX)
        assert done.status_code == 204 and "sudo-done" in done.headers["HX-Trigger"]
        assert signed_in.post("/risky", data=TYPED, headers=HTMX).text == "done"
        assert risky == [TYPED]


class TestItsLimits:
    def test_it_is_not_asked_twice_within_ten_minutes(self, signed_in: FlaskClient, app: Flask) -> None:
        signed_in.post("/account/sudo", data={"sudo_password": OWNER_PASSWORD}, headers=HTML)
        assert signed_in.post("/risky", headers=HTML).text == "done"
        assert signed_in.post("/risky/other", headers=HTML).text == "done"
        with app.app_context():
            db.session.execute(update(Session).values(sudo_until_ms=now_ms()))
            db.session.commit()
        assert signed_in.post("/risky", headers=HTML).status_code == 403

    def test_another_browser_of_the_same_person_is_asked(
        self, signed_in: FlaskClient, app: Flask, owner: User
    ) -> None:
        signed_in.post("/account/sudo", data={"sudo_password": OWNER_PASSWORD}, headers=HTML)
        assert sign_in(app, owner).post("/risky", headers=HTML).status_code == 403

    def test_guessing_becomes_slow_for_this_session_alone(
        self, signed_in: FlaskClient, app: Flask, owner: User
    ) -> None:
        def guess(client: FlaskClient, password: str) -> str:
            return client.post("/account/sudo", data={"sudo_password": password}, headers=HTMX).text

        assert all("not right" in guess(signed_in, "wrong") for _ in range(5))
        assert "Too many tries" in guess(signed_in, OWNER_PASSWORD)
        assert guess(sign_in(app, owner), OWNER_PASSWORD) == ""

    def test_the_second_factor_is_asked_too(self, signed_in: FlaskClient, app: Flask, owner: User) -> None:
        with app.app_context():
            person = db.session.get_one(User, owner.id)
            second_factor.enrol(person)
            recovery = second_factor.confirm(person, phone(person))
        assert 'name="sudo_code"' in signed_in.get("/account/sudo", headers=HTMX).text
        for code in ("", "000000"):
            typed = {"sudo_password": OWNER_PASSWORD, "sudo_code": code}
            assert signed_in.post("/account/sudo", data=typed, headers=HTMX).status_code == 422
        typed = {"sudo_password": OWNER_PASSWORD, "sudo_code": recovery[0]}
        assert signed_in.post("/account/sudo", data=typed, headers=HTMX).status_code == 204

    def test_a_stranger_is_sent_to_the_sign_in(self, client: FlaskClient, owner: User) -> None:
        assert client.post("/risky", headers=HTML).location == "/login"
        assert client.get("/account/sudo", headers=HTML).location.startswith("/login")

    def test_the_answer_needs_its_token(self, signed_in: FlaskClient, app: Flask) -> None:
        app.config["WTF_CSRF_ENABLED"] = True
        typed = {"sudo_password": OWNER_PASSWORD}
        assert signed_in.post("/account/sudo", data=typed, headers=HTML).status_code == 400

    def test_what_waits_is_sealed(self, signed_in: FlaskClient, app: Flask) -> None:
        waiting = sealed(signed_in.post("/risky", data=TYPED, headers=HTML).text)
        with app.app_context():
            assert "hunter2hunter2" in keys.decrypt(waiting)
