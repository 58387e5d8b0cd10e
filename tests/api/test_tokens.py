"""API tokens: made on a page and shown once, limited to scopes and cameras, dead when revoked or expired."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cctv.clock import utcnow
from cctv.errors import Invalid
from cctv.extensions import db
from cctv.models import ApiToken, AuditEntry, Camera, Role, User
from cctv.services.sign_in import sessions, tokens
from tests.api.apps import CAMERAS, LOGOUT, PROFILE, RECORDINGS, USERS, Phone, answer, phone_of, problem
from tests.api.test_cameras import grant
from tests.blueprints.camera_rows import add_camera, add_person
from tests.fixtures.application import sign_in

PAGE = "/developer/tokens"
HTML = {"Accept": "text/html"}


class Program:
    """Something that has a token."""

    def __init__(self, app: Flask, secret: str) -> None:
        self._client, self.secret = app.test_client(use_cookies=False), secret

    def ask(self, path: str, verb: str = "GET", **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.secret}", **options.pop("headers", {})}
        return self._client.open(path, method=verb, headers=headers, **options)


def make(app: Flask, user: User, *scopes: str, cameras: list[int] | None = None) -> Program:
    with app.app_context():
        person = db.session.get_one(User, user.id)
        made = tokens.create(person, name="Screen", scopes=scopes, camera_ids=cameras, days=30)
        return Program(app, made.secret)


class TestThePage:
    @pytest.fixture
    def browser(self, app: Flask, owner: User) -> FlaskClient:
        """Whose password was typed again a moment ago."""
        client = sign_in(app, owner)
        with app.app_context():
            user = sessions.find_user(owner.session_id)
            assert user
            sessions.begin_sudo(user)
        return client

    @pytest.mark.each_database
    def test_a_token_is_shown_once_with_a_line_to_try_it(self, app: Flask, browser: FlaskClient) -> None:
        add_camera(app)
        assert "No tokens" in browser.get(PAGE, headers=HTML).text
        form = {"name": "Lobby screen", "scopes": ["live", "snapshot"], "which": "all", "days": "30"}
        shown = browser.post(PAGE, data=form, headers=HTML)
        found = re.search(r"cctv_[\w-]{43}", shown.text)
        assert found
        assert f"Authorization: Bearer {found[0]}" in shown.text.replace("&#39;", "'")
        assert shown.headers["Cache-Control"] == "private, no-store"
        listed = browser.get(PAGE, headers=HTML).text
        assert found[0] not in listed
        assert found[0][:12] in listed
        assert "Watch, Snapshots on all of your cameras." in listed
        assert "Never used" in listed
        assert answer(Program(app, found[0]).ask(CAMERAS))["total"] == 1
        assert "Last used" in browser.get(PAGE, headers=HTML).text
        with app.app_context():
            row = db.session.scalars(db.select(ApiToken)).one()
            assert found[0] not in repr(vars(row))
            told = [
                (entry.action, repr(entry.details)) for entry in db.session.scalars(db.select(AuditEntry))
            ]
            assert "api_token.create" in [action for action, _ in told]
            assert not any(found[0] in details for _, details in told)

    def test_revoking_ends_it(self, app: Flask, owner: User, browser: FlaskClient) -> None:
        program = make(app, owner, "live")
        assert program.ask(CAMERAS).status_code == 200
        assert browser.post(f"{PAGE}/1/revoke").status_code == 303
        problem(program.ask(CAMERAS), 401)
        assert "No tokens" in browser.get(PAGE, headers=HTML).text
        assert browser.post(f"{PAGE}/1/revoke", headers=HTML).status_code == 404

    def test_it_asks_for_the_password_first(self, app: Flask, owner: User) -> None:
        stranger = sign_in(app, owner)
        response = stranger.post(PAGE, data={"name": "x", "scopes": "live", "days": "30"}, headers=HTML)
        assert response.status_code == 403
        assert "Password" in response.text
        with app.app_context():
            assert db.session.scalars(db.select(ApiToken)).all() == []

    def test_nobody_revokes_anothers(self, app: Flask, owner: User, browser: FlaskClient) -> None:
        other = make(app, add_person(app, Role.ADMIN), "live")
        assert browser.post(f"{PAGE}/1/revoke", headers=HTML).status_code == 404
        assert other.ask(CAMERAS).status_code == 200

    def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
        self, app: Flask, browser: FlaskClient
    ) -> None:
        add_camera(app)
        response = browser.post(PAGE, data={"name": "Kept", "which": "some", "days": "90"}, headers=HTML)
        assert response.status_code == 422
        assert "Choose at least one thing that it may do." in response.text
        assert "Choose at least one camera, or all of them." in response.text
        assert 'value="Kept"' in response.text

    def test_how_to_use_it_names_this_server(self, browser: FlaskClient) -> None:
        text = browser.get("/developer/api", headers=HTML).text
        assert "http://localhost/v0/api/cctv/cameras/" in text
        for path in ("/api/docs/swagger/", "/api/docs/redoc/", "/api/docs/schema/"):
            assert f'href="{path}"' in text


class TestScopes:
    def test_a_token_does_what_it_is_for_and_nothing_else(self, app: Flask, owner: User) -> None:
        camera_id = add_camera(app)
        program = make(app, owner, "live")
        camera = answer(program.ask(f"{CAMERAS}{camera_id}/"))
        assert {name for name, may in camera["can"].items() if may} == {"watch"}
        assert camera["address"] is None
        answer(program.ask(f"{CAMERAS}{camera_id}/stream/"))
        problem(program.ask(f"{CAMERAS}{camera_id}/snapshot/"), 403)
        problem(program.ask(RECORDINGS), 403)
        problem(program.ask(USERS), 403)
        problem(program.ask(f"{CAMERAS}{camera_id}/start_recording/", "POST"), 403)
        problem(program.ask(f"{CAMERAS}{camera_id}/", "DELETE"), 403)

    def test_other_cameras_do_not_exist_for_it(self, app: Flask, owner: User) -> None:
        gate, yard = add_camera(app, "Gate"), add_camera(app, "Yard")
        program = make(app, owner, "live", "record", cameras=[gate])
        assert [one["id"] for one in answer(program.ask(CAMERAS))["items"]] == [gate]
        problem(program.ask(f"{CAMERAS}{yard}/"), 404)
        problem(program.ask(f"{CAMERAS}{yard}/stream/"), 404)
        problem(program.ask(f"{CAMERAS}{yard}/start_recording/", "POST"), 404)
        answer(program.ask(f"{CAMERAS}{gate}/start_recording/", "POST"), 201)

    def test_a_visitor_reads_only_and_what_is_shared_only(self, app: Flask, owner: User) -> None:
        gate, yard = add_camera(app, "Gate"), add_camera(app, "Yard")
        visitor = phone_of(app, Role.VISITOR)
        grant(app, visitor, gate, "live", "record")
        with app.app_context():
            person = db.session.get_one(User, visitor.tokens["user"]["id"])
            refused = (["record"], None), (["users"], None), (["live"], [yard]), (["what"], None)
            for scopes, cameras in refused:
                with pytest.raises(Invalid):
                    tokens.create(person, name="x", scopes=scopes, camera_ids=cameras, days=30)
            program = Program(
                app, tokens.create(person, name="x", scopes=["live"], camera_ids=None, days=7).secret
            )
        assert [one["id"] for one in answer(program.ask(CAMERAS))["items"]] == [gate]
        problem(program.ask(f"{CAMERAS}{gate}/start_recording/", "POST"), 403)

    def test_it_never_may_more_than_its_person_does_now(self, app: Flask, owner: User) -> None:
        admin = add_person(app, Role.ADMIN)
        program = make(app, admin, "users", "live")
        answer(program.ask(USERS))
        with app.app_context():
            db.session.get_one(User, admin.id).role = Role.DEVELOPER
            db.session.commit()
        problem(program.ask(USERS), 403)
        with app.app_context():
            db.session.get_one(User, admin.id).is_enabled = False
            db.session.commit()
        problem(program.ask(CAMERAS), 401)

    def test_it_neither_signs_out_nor_changes_the_account(self, app: Flask, owner: User) -> None:
        program = make(app, owner, "live")
        problem(program.ask(LOGOUT, "POST"), 409)
        problem(program.ask(PROFILE, "PATCH", json={"name": "x"}), 403)
        assert answer(program.ask(PROFILE))["email"] == "owner@example.org"


class TestTheEnd:
    def test_it_expires(self, app: Flask, owner: User) -> None:
        program = make(app, owner, "live")
        for days, status in ((29, 200), (31, 401)):
            with time_machine.travel(utcnow() + timedelta(days=days), tick=True):
                assert program.ask(CAMERAS).status_code == status

    def test_a_live_address_dies_with_it(self, app: Flask, owner: User) -> None:
        camera_id = add_camera(app, state="off")
        with app.app_context():
            db.session.get_one(Camera, camera_id).is_enabled = True
            db.session.commit()
        program = make(app, owner, "live")
        url = answer(program.ask(f"{CAMERAS}{camera_id}/stream/"))["qualities"][0]["hls_url"]
        path = url.removeprefix("http://localhost")
        client = app.test_client(use_cookies=False)
        assert client.get(path).status_code == 503, "let in; there is no picture"
        with app.app_context():
            tokens.revoke(db.session.get_one(User, owner.id), 1)
            app.extensions["cctv.verdicts"]._until.clear()  # remembered for four seconds
        assert client.get(path).status_code == 404

    @pytest.mark.parametrize("secret", ["cctv_", "cctv_" + "x" * 43, "cctv_\u00e4", "cctv_' OR 1=1 --"])
    def test_what_is_no_token_is_refused(self, app: Flask, owner: User, secret: str) -> None:
        make(app, owner, "live")
        problem(Program(app, secret).ask(CAMERAS), 401)

    def test_keys_of_requests_are_not_shared_with_the_person(
        self, app: Flask, phone: Phone, owner: User
    ) -> None:
        camera_id, key = add_camera(app), {"Idempotency-Key": "k"}
        path = f"{CAMERAS}{camera_id}/start_recording/"
        answer(phone.ask("POST", path, headers=key), 201)
        again = make(app, owner, "record").ask(path, "POST", headers=key)
        assert "Idempotent-Replayed" not in again.headers
