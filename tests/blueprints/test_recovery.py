"""The pages of a forgotten password and of an unproven address, as strangers see them."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.models import Role, User
from cctv.services.person import users
from cctv.services.sign_in import recovery
from cctv.services.site import settings
from tests.blueprints.test_sign_in import HTML, typed
from tests.fixtures.application import OWNER_PASSWORD
from tests.services.test_recovery import NEW, mailed, token_of

CODE = "00000000"


@pytest.fixture(autouse=True)
def site(app: Flask, owner: User) -> None:
    with app.app_context():
        settings.save(site_address="https://cams.example.org", organisation_name="Site")


def letter(app: Flask) -> dict[str, str]:
    """The mail to the owner, as the job writes it."""
    with app.app_context():
        recovery.send_reset("owner")
        return mailed("reset")


@pytest.mark.parametrize("name", ["owner", "owner@example.org", "nobody@example.org"])
def test_asking_for_a_code_is_answered_alike(client: FlaskClient, name: str) -> None:
    answer = client.post("/password/forgot", data={"name": name}, headers=HTML)
    assert (answer.status_code, answer.location) == (303, "/password/reset")
    page = client.get("/password/reset", headers=HTML).text
    assert "If there is such an account" in page and f'value="{name}"' in page


def test_the_code_leads_to_a_new_password_and_to_the_sign_in(client: FlaskClient, app: Flask) -> None:
    code = letter(app)["code"]
    answer = client.post(
        "/password/reset", data={"name": "owner", "code": code, "password": NEW}, headers=HTML
    )
    assert (answer.status_code, answer.location) == (303, "/login")
    assert client.get("/account/sudo", headers=HTML).status_code == 303, "nobody is signed in by it"
    assert client.post("/login", data=typed(password=OWNER_PASSWORD), headers=HTML).status_code == 422
    assert client.post("/login", data=typed(password=NEW), headers=HTML).status_code == 303


def test_a_link_uses_nothing_until_its_form_is_sent(client: FlaskClient, app: Flask) -> None:
    with app.app_context():
        link = f"/password/reset?token={token_of(letter(app))}"
    for _ in range(3):
        page = client.get(link, headers=HTML)
        assert page.status_code == 200 and 'name="code"' not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert client.post(link, data={"password": "short"}, headers=HTML).status_code == 422
    assert client.post(link, data={"password": NEW}, headers=HTML).location == "/login"
    assert client.get(link, headers=HTML).status_code == 404
    assert client.post(link, data={"password": NEW}, headers=HTML).status_code == 404


@pytest.mark.parametrize("name", ["owner", "nobody"])
def test_a_wrong_code_is_answered_alike_and_no_password_comes_back(
    client: FlaskClient, app: Flask, name: str
) -> None:
    letter(app)
    sent = {"name": name, "code": CODE, "password": NEW}
    answer = client.post("/password/reset", data=sent, headers=HTML)
    assert answer.status_code == 422
    assert "not right or no longer valid" in answer.text and NEW not in answer.text


def test_a_new_password_ends_what_was_open_elsewhere(
    client: FlaskClient, signed_in: FlaskClient, app: Flask
) -> None:
    assert signed_in.get("/account/sudo", headers=HTML).status_code == 200
    sent = {"name": "owner", "code": letter(app)["code"], "password": NEW}
    client.post("/password/reset", data=sent, headers=HTML)
    assert signed_in.get("/account/sudo", headers=HTML).status_code == 303


def test_mails_and_codes_are_limited_by_address(client: FlaskClient) -> None:
    asked = [client.post("/password/forgot", data={"name": "x"}, headers=HTML) for _ in range(11)]
    assert [one.status_code for one in asked] == [303] * 10 + [429]
    sent = {"name": "x", "code": CODE, "password": "short"}
    tried = [client.post("/password/reset", data=sent, headers=HTML) for _ in range(31)]
    assert [one.status_code for one in tried] == [422] * 30 + [429]


def test_a_new_address_is_proven_by_whoever_reads_its_mail(client: FlaskClient, app: Flask) -> None:
    with app.app_context():
        person = users.create_user("Vic", "vic@example.org", password="long enough 1", role=Role.VISITOR)
        recovery.request_verification(person)
        link = f"/account/verify?token={token_of(mailed('verify'))}"
    page = client.get(link, headers=HTML)
    assert "vic@example.org" in page.text
    assert client.post(link, headers=HTML).location == "/login"
    assert client.get(link, headers=HTML).status_code == 404
    with app.app_context():
        proven = users.find_by_login("vic@example.org")
        assert proven and proven.email_verified_at


@pytest.mark.parametrize("name", ["owner", "nobody"])
def test_proving_with_a_wrong_code_is_answered_alike(client: FlaskClient, name: str) -> None:
    assert client.post("/account/verify/send", data={"name": name}, headers=HTML).status_code == 303
    answer = client.post("/account/verify", data={"name": name, "code": CODE}, headers=HTML)
    assert answer.status_code == 422 and "not right or no longer valid" in answer.text


def test_somebody_signed_in_types_the_code_alone(signed_in: FlaskClient, app: Flask) -> None:
    assert signed_in.post("/account/verify/send", headers=HTML).location == "/account/verify"
    assert 'name="name"' not in signed_in.get("/account/verify", headers=HTML).text
    with app.app_context():
        code = mailed("verify")["code"]
    assert signed_in.post("/account/verify", data={"code": code}, headers=HTML).location == "/account"


def test_the_forms_need_their_token(client: FlaskClient, app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    for path in ("/password/forgot", "/password/reset", "/account/verify", "/account/verify/send"):
        assert client.post(path, data={"name": "owner"}, headers=HTML).status_code == 400
