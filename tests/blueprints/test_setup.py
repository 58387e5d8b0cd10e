"""The first run: the code opens it, the owner goes on, strangers get nothing, typed values stay."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from cctv.blueprints.setup import _zones
from cctv.extensions import db
from cctv.models import AuditEntry, User
from cctv.services.person import users
from cctv.services.sign_in import passwords
from cctv.services.site import settings, setup

HTML = {"Accept": "text/html"}
HTMX = {**HTML, "HX-Request": "true"}
OWNER = {"name": "Ana Martins", "email": "ana@example.org", "password": "a harbour at night"}


@pytest.fixture
def code(app: Flask, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(users, "_ROUNDS", 4)
    with app.app_context():
        code = setup.code()
    assert code
    return code


@pytest.fixture
def with_code(client: FlaskClient, code: str) -> FlaskClient:
    """A browser that opened the printed link."""
    assert client.get(f"/setup/welcome?code={code}", headers=HTML).location == "/setup/owner"
    return client


@pytest.fixture
def as_owner(with_code: FlaskClient) -> FlaskClient:
    """A browser in which the owner was made."""
    assert with_code.post("/setup/owner", data=OWNER, headers=HTML).location == "/setup/place"
    return with_code


class TestBeforeThereIsAnOwner:
    @pytest.mark.parametrize("path", ["/", "/setup", "/setup/place", "/setup/done", "/login"])
    def test_every_way_leads_to_the_code(self, client: FlaskClient, path: str) -> None:
        answer = client.get(path, headers=HTML, follow_redirects=True)
        assert answer.request.path == "/setup/welcome"
        assert "Set-up code" in answer.text

    def test_without_the_code_nobody_becomes_the_owner(self, client: FlaskClient, app: Flask) -> None:
        client.post("/setup/owner", data=OWNER, headers=HTML)
        with app.app_context():
            assert not users.has_owner()

    def test_a_wrong_code_is_told_and_kept(self, client: FlaskClient, code: str) -> None:
        answer = client.post("/setup/welcome", data={"code": "not it"}, headers=HTML)
        assert answer.status_code == 422
        assert "This is not the code" in answer.text
        assert 'value="not it"' in answer.text

    def test_an_old_link_says_so(self, client: FlaskClient, code: str) -> None:
        assert "not (any more) the right one" in client.get("/setup/welcome?code=old", headers=HTML).text

    @pytest.mark.parametrize("by_form", [True, False])
    def test_guessing_the_code_becomes_slow(self, client: FlaskClient, code: str, by_form: bool) -> None:
        def guess(typed: str) -> int:
            if by_form:
                return client.post("/setup/welcome", data={"code": typed}, headers=HTML).status_code
            return client.get(f"/setup/welcome?code={typed}", headers=HTML).status_code

        assert 429 not in [guess(f"guess {n}") for n in range(10)]
        assert guess("guess") == 429
        assert guess(code) == 429, "a wait that ends for the right one would tell it"
        assert client.get("/setup/welcome", headers=HTML).status_code == 200

    def test_a_refused_owner_keeps_everything_but_the_password(self, with_code: FlaskClient) -> None:
        typed = {**OWNER, "email": "ana@", "password": "a short one"}
        answer = with_code.post("/setup/owner", data=typed, headers=HTML)
        assert answer.status_code == 422
        assert 'value="Ana Martins"' in answer.text
        assert 'value="ana@"' in answer.text
        assert "a short one" not in answer.text
        assert 'aria-invalid="true"' in answer.text

    def test_htmx_gets_only_the_messages_so_that_the_fields_stay(self, with_code: FlaskClient) -> None:
        answer = with_code.post("/setup/owner", data={**OWNER, "password": "short"}, headers=HTMX)
        assert answer.status_code == 422
        assert "<input" not in answer.text
        assert 'id="password-error" hx-swap-oob="true"' in answer.text
        assert "7 more" in answer.text

    def test_the_password_is_judged_while_it_is_typed_and_never_sent_back(
        self, with_code: FlaskClient
    ) -> None:
        answer = with_code.post("/setup/owner/password", data=OWNER, headers=HTMX)
        assert "Strong." in answer.text
        assert OWNER["password"] not in answer.text


class TestTheOwner:
    def test_every_step_leads_to_the_next(self, as_owner: FlaskClient, app: Flask) -> None:
        place = {"organisation_name": "Harbour Storage", "time_zone": "Europe/Lisbon"}
        assert as_owner.post("/setup/place", data=place, headers=HTML).location == "/setup/storage"
        stored = as_owner.post("/setup/storage", data={"disk_limit_percent": "80"}, headers=HTML)
        assert stored.location == "/setup/camera"
        assert as_owner.get("/setup/done", headers=HTML).status_code == 200
        assert (
            as_owner.post("/setup/done", data={"next": "/cameras/add"}, headers=HTML).location
            == "/cameras/add"
        )
        with app.app_context():
            assert settings.get("organisation_name") == "Harbour Storage"
            assert settings.get("time_zone") == "Europe/Lisbon"
            assert settings.get("disk_limit_percent") == 80
            assert settings.get("setup_finished")
            told = list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
            owner = db.session.scalars(select(User)).one()
        actions = ["user.owner", "sign_in", *["settings.change"] * 3]
        assert [entry.action for entry in told] == actions
        assert {(entry.user_id, entry.user_name) for entry in told} == {(owner.id, owner.name)}
        assert told[0].details["after"]["role"] == "super_admin"
        assert told[2].details["after"]["time_zone"] == "Europe/Lisbon"

    def test_finished_means_gone_for_the_owner_too(self, as_owner: FlaskClient) -> None:
        as_owner.post("/setup/done", headers=HTML)
        assert as_owner.get("/setup/place", headers=HTML).status_code == 404

    def test_strangers_get_404_even_with_the_old_code(
        self, as_owner: FlaskClient, app: Flask, code: str
    ) -> None:
        stranger = app.test_client()
        for path in ("/setup", f"/setup/welcome?code={code}", "/setup/owner", "/setup/place", "/setup/done"):
            assert stranger.get(path, headers=HTML).status_code == 404, path
        assert stranger.post("/setup/owner", data=OWNER, headers=HTML).status_code == 404

    def test_a_refused_place_keeps_what_was_typed(self, as_owner: FlaskClient) -> None:
        typed = {"organisation_name": "Harbour", "time_zone": "Nowhere/Land"}
        answer = as_owner.post("/setup/place", data=typed, headers=HTML)
        assert answer.status_code == 422
        assert 'value="Harbour"' in answer.text

    @pytest.mark.parametrize("typed", ["5", "99", "many", ""])
    def test_a_disk_limit_outside_its_range_is_refused(self, as_owner: FlaskClient, typed: str) -> None:
        answer = as_owner.post("/setup/storage", data={"disk_limit_percent": typed}, headers=HTML)
        assert answer.status_code == 422

    def test_the_disk_is_tested_in_place(self, as_owner: FlaskClient) -> None:
        answer = as_owner.post("/setup/storage/test", headers=HTMX)
        assert answer.text.lstrip().startswith('<div id="storage-result"')
        assert "MB/s" in answer.text

    def test_without_a_demo_camera_the_reason_is_told(self, as_owner: FlaskClient) -> None:
        answer = as_owner.post("/setup/camera", headers=HTML)
        assert answer.status_code == 503
        assert "./scripts/run" in answer.text

    def test_another_person_never_sees_the_wizard(
        self, as_owner: FlaskClient, app: Flask, owner: User
    ) -> None:
        from tests.fixtures.application import sign_in

        assert sign_in(app, owner).get("/setup/place", headers=HTML).status_code == 404


def test_zones_are_offered_by_region() -> None:
    zones = _zones()
    assert ("Europe/Lisbon", "Lisbon") in zones["Europe"]
    assert zones["World"] == [("UTC", "UTC")]


@pytest.mark.parametrize(
    ("password", "level"),
    [
        ("", "bad"),
        ("short", "bad"),
        ("aaaabbbbcccc", "bad"),
        ("abcdefghijklm", "warn"),
        ("a harbour at night", "ok"),
    ],
)
def test_passwords_are_judged_in_words(password: str, level: str) -> None:
    assert passwords.strength(password).level == level
