"""Signing in and out: even answers for every name, no lost input, no way to another host."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from cctv.blueprints import auth
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Session, User
from cctv.services.sign_in import sessions
from tests.fixtures.application import OWNER_PASSWORD

HTML = {"Accept": "text/html"}
HTMX = {**HTML, "HX-Request": "true"}


def typed(name: str = "owner@example.org", password: str = OWNER_PASSWORD, **more: str) -> dict[str, str]:
    return {"name": name, "password": password, **more}


def sentence(body: str) -> str:
    found = re.search(r'role="alert">.*?<div>(.*?)</div>', body, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.usefixtures("owner")
class TestSigningIn:
    def test_the_start_page_leads_a_stranger_to_it(self, client: FlaskClient) -> None:
        answer = client.get("/", headers=HTML)
        assert (answer.status_code, answer.location) == (303, "/login")

    def test_it_leads_to_the_start_page(self, client: FlaskClient) -> None:
        answer = client.post("/login", data=typed(), headers=HTML)
        assert (answer.status_code, answer.location) == (303, "/")

    def test_the_user_name_is_as_good_as_the_address(self, client: FlaskClient) -> None:
        assert client.post("/login", data=typed(name="OWNER"), headers=HTML).status_code == 303

    def test_it_leads_back_to_the_page_that_was_wanted(self, client: FlaskClient) -> None:
        answer = client.post("/login?next=/wall?n=9", data=typed(), headers=HTML)
        assert answer.location == "/wall?n=9"

    def test_a_wrong_password_keeps_the_name_and_empties_the_password(self, client: FlaskClient) -> None:
        answer = client.post("/login", data=typed(password="not this one at all"), headers=HTML)
        assert answer.status_code == 422
        assert 'value="owner@example.org"' in answer.text
        assert "not this one" not in answer.text

    def test_an_unknown_name_gets_the_same_sentence(self, client: FlaskClient) -> None:
        wrong = client.post("/login", data=typed(password="wrong wrong wrong"), headers=HTML)
        unknown = client.post("/login", data=typed(name="nobody@example.org"), headers=HTML)
        assert sentence(wrong.text) == sentence(unknown.text) == "Name or password is not right."

    def test_a_password_beyond_every_limit_is_just_wrong(self, client: FlaskClient) -> None:
        answer = client.post("/login", data=typed(password="x" * 5000), headers=HTML)
        assert sentence(answer.text) == "Name or password is not right."

    def test_the_last_sign_in_is_told_the_second_time(self, client: FlaskClient, app: Flask) -> None:
        client.post("/login", data=typed(), headers=HTML)
        second = app.test_client()
        second.post("/login", data=typed(), headers=HTML)
        with second.session_transaction() as session:
            assert "Your last sign-in was on" in str(session["_flashes"])

    def test_nothing_of_the_session_before_survives(self, client: FlaskClient) -> None:
        with client.session_transaction() as session:
            session["planted"] = "by somebody else"
        client.post("/login", data=typed(), headers=HTML)
        with client.session_transaction() as session:
            assert "planted" not in session

    def test_an_account_that_is_off_is_told_so_only_after_the_right_password(
        self, client: FlaskClient, app: Flask, owner: User
    ) -> None:
        with app.app_context():
            db.session.get(User, owner.id).is_enabled = False  # type: ignore[union-attr]
            db.session.commit()
        right = client.post("/login", data=typed(), headers=HTML)
        wrong = client.post("/login", data=typed(password="wrong wrong wrong"), headers=HTML)
        assert "switched off" in right.text
        assert sentence(wrong.text) == "Name or password is not right."

    def test_signing_in_again_in_a_dialog_answers_with_a_new_token(self, client: FlaskClient) -> None:
        answer = client.post("/login", data=typed(), headers=HTMX)
        assert answer.status_code == 204
        assert '"signed-in": {"token"' in answer.headers["HX-Trigger"]

    def test_a_form_without_a_token_is_refused(self, client: FlaskClient, app: Flask) -> None:
        app.config["WTF_CSRF_ENABLED"] = True
        answer = client.post("/login", data=typed(), headers=HTML)
        assert answer.status_code == 400
        assert "Reload the page" in answer.text


@pytest.mark.parametrize(
    ("wanted", "followed"),
    [
        ("/playback?t=2026-11-22T14:00:00", "/playback?t=2026-11-22T14:00:00"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\..\\evil", "/"),
        ("\t//evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("wall", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_only_a_path_on_this_host_is_followed(wanted: str | None, followed: str) -> None:
    assert auth.local_path(wanted) == followed


class TestTheDoor:
    def test_a_browser_without_a_session_is_led_to_the_sign_in_and_back(
        self, client: FlaskClient, app: Flask, owner: User
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        answer = client.get("/secret?n=1", headers=HTML)
        assert (answer.status_code, answer.location) == (303, "/login?next=%2Fsecret%3Fn%3D1")

    def test_a_fragment_gets_401_so_that_the_page_can_ask_in_place(
        self, client: FlaskClient, app: Flask, owner: User
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        answer = client.get("/secret", headers=HTMX)
        assert answer.status_code == 401
        assert "signed-out" in answer.headers["HX-Trigger"]
        assert "secret" not in answer.text

    def test_a_session_ends_when_its_time_is_over(self, signed_in: FlaskClient, app: Flask) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        assert signed_in.get("/secret", headers=HTML).text == "secret"
        with app.app_context():
            db.session.execute(update(Session).values(ends_ms=now_ms() - 1))
            db.session.commit()
        assert signed_in.get("/secret", headers=HTML).status_code == 303

    def test_a_session_that_nobody_uses_ends(self, signed_in: FlaskClient, app: Flask) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        with app.app_context():
            unused_ms = now_ms() - sessions.IDLE_SECONDS * 1000
            db.session.execute(update(Session).values(seen_ms=unused_ms + 60_000))
            db.session.commit()
        assert signed_in.get("/secret", headers=HTML).text == "secret", "and this use puts the end off"
        with app.app_context():
            assert (db.session.scalar(select(Session.seen_ms)) or 0) > now_ms() - 60_000
            db.session.execute(update(Session).values(seen_ms=unused_ms - 1000))
            db.session.commit()
        assert signed_in.get("/secret", headers=HTML).status_code == 303

    def test_signing_out_ends_the_session_for_a_stolen_cookie_too(
        self, signed_in: FlaskClient, app: Flask
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        thief = app.test_client()
        thief.set_cookie("session", signed_in.get_cookie("session").value)  # type: ignore[union-attr]
        assert thief.get("/secret", headers=HTML).text == "secret"
        assert signed_in.post("/logout", headers=HTML).location == "/login"
        assert signed_in.get("/secret", headers=HTML).status_code == 303
        assert thief.get("/secret", headers=HTML).status_code == 303

    def test_signing_in_again_ends_the_session_before(
        self, client: FlaskClient, app: Flask, owner: User
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        client.post("/login", data=typed(), headers=HTML)
        thief = app.test_client()
        thief.set_cookie("session", client.get_cookie("session").value)  # type: ignore[union-attr]
        client.post("/login", data=typed(), headers=HTML)
        assert client.get("/secret", headers=HTML).text == "secret"
        assert thief.get("/secret", headers=HTML).status_code == 303

    def test_a_raised_session_version_ends_every_session(
        self, signed_in: FlaskClient, app: Flask, owner: User
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        with app.app_context():
            db.session.get(User, owner.id).session_version += 1  # type: ignore[union-attr]
            db.session.commit()
        assert signed_in.get("/secret", headers=HTML).status_code == 303


class TestTheTheme:
    def test_it_is_kept_for_the_person_and_this_browser(
        self, signed_in: FlaskClient, app: Flask, owner: User
    ) -> None:
        answer = signed_in.post("/account/theme", data={"theme": "light", "next": "/wall"}, headers=HTML)
        assert answer.location == "/wall"
        assert "theme=light" in answer.headers["Set-Cookie"]
        with app.app_context():
            assert db.session.get(User, owner.id).theme == "light"  # type: ignore[union-attr]

    def test_an_unknown_theme_is_refused(self, signed_in: FlaskClient) -> None:
        assert signed_in.post("/account/theme", data={"theme": "<x>"}, headers=HTML).status_code == 422
