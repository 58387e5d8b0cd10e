"""Inviting, and the page of the invited person."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.config import Config
from cctv.extensions import db
from cctv.models import MailMessage, Role, User
from tests.blueprints.camera_rows import HTML, HTMX, add_person
from tests.blueprints.test_users import with_sudo

GUARD = {"name": "Gina Guard", "email": "gina@example.org", "username": "", "role": "visitor"}
PASSWORD = "a password of her own"


@pytest.fixture
def config(config: Config) -> Config:
    return replace(config, frontend_url="https://cctv.example.org")


@pytest.fixture
def boss(app: Flask, owner: User) -> FlaskClient:
    return with_sudo(app, owner)


def gina(app: Flask) -> User:
    with app.app_context():
        user = db.session.scalars(db.select(User).where(User.email == GUARD["email"])).one()
        db.session.expunge(user)
        return user


def link_in(body: str) -> str:
    found = re.search(r'id="link-text">([^<]+)<', body)
    assert found
    return html.unescape(found[1])


def test_the_form_asks_for_the_password_before_anything_is_made(app: Flask, signed_in: FlaskClient) -> None:
    answer = signed_in.post("/users/invite", data=GUARD | {"way": "link"}, headers=HTMX)
    assert (answer.status_code, answer.headers["X-Sudo"]) == (403, "required")
    with app.app_context():
        assert db.session.scalar(db.select(db.func.count(User.id))) == 1


def test_a_link_is_shown_once_with_its_picture_and_opens_the_account(
    app: Flask, boss: FlaskClient, client: FlaskClient
) -> None:
    shown = boss.post("/users/invite", data=GUARD | {"way": "link"}, headers=HTML)
    link = link_in(shown.text)
    assert link.startswith("https://cctv.example.org/invite/") and "<svg" in shown.text
    path = link.removeprefix("https://cctv.example.org")
    assert path not in boss.get(f"/users/{gina(app).id}", headers=HTML).text
    page = client.get(path, headers=HTML)
    assert "Welcome, Gina Guard" in page.text
    short = client.post(path, data={"password": "short"}, headers=HTML)
    assert short.status_code == 422 and "7 more" in short.text
    answer = client.post(path, data={"password": PASSWORD}, headers=HTML)
    assert (answer.status_code, answer.location) == (303, "/wall")
    assert client.get("/wall", headers=HTML).status_code == 200  # signed in
    assert app.test_client().get(path, headers=HTML).status_code == 404  # used


def test_with_javascript_loading_again_leads_to_the_person(app: Flask, boss: FlaskClient) -> None:
    answer = boss.post("/users/invite", data=GUARD | {"way": "link"}, headers=HTMX)
    assert answer.headers["HX-Push-Url"] == f"/users/{gina(app).id}"
    assert "<html" not in answer.text and link_in(answer.text)


def test_by_mail_the_link_is_in_the_mail_alone(app: Flask, boss: FlaskClient) -> None:
    answer = boss.post("/users/invite", data=GUARD | {"way": "mail"}, headers=HTML)
    assert answer.location == f"/users/{gina(app).id}"
    assert "/invite/" not in boss.get(answer.location, headers=HTML).text
    with app.app_context():
        mail = db.session.scalars(db.select(MailMessage)).one()
        assert (mail.template, mail.address) == ("invitation", GUARD["email"])
        assert "invite/" not in (mail.values_sealed or "")


def test_a_password_may_be_set_at_once(app: Flask, boss: FlaskClient) -> None:
    data = GUARD | {"way": "password", "password": PASSWORD}
    assert boss.post("/users/invite", data=data, headers=HTML).status_code == 303
    assert gina(app).password_hash


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": ""}, "Enter a name."),
        ({"email": "gina"}, "does not look like an e-mail address"),
        ({"email": "owner@example.org"}, "Another account has this e-mail address."),
        ({"role": "root"}, "Choose one of"),
        ({"way": "pigeon"}, "Choose how they get in."),
        ({"way": "password", "password": "short"}, "at least 12 characters"),
    ],
)
def test_what_cannot_be_is_told_and_the_rest_is_kept(
    app: Flask, boss: FlaskClient, wrong: dict[str, str], sentence: str
) -> None:
    answer = boss.post("/users/invite", data=GUARD | {"way": "link"} | wrong, headers=HTML)
    assert answer.status_code == 422
    assert sentence in html.unescape(answer.text) and 'value="short"' not in answer.text
    if "name" not in wrong:
        assert 'value="Gina Guard"' in answer.text


def test_a_new_link_kills_the_one_before_and_withdrawing_kills_both(
    app: Flask, boss: FlaskClient, client: FlaskClient
) -> None:
    first = link_in(boss.post("/users/invite", data=GUARD | {"way": "link"}, headers=HTML).text)
    address = f"/users/{gina(app).id}/invitation"
    second = link_in(boss.post(address, data={"way": "link"}, headers=HTML).text)
    states = [client.get(link[24:], headers=HTML).status_code for link in (first, second)]
    assert states == [404, 200]
    boss.post(f"{address}/revoke", headers=HTML)
    assert client.get(second[24:], headers=HTML).status_code == 404
    assert "Not invited" in boss.get("/users", headers=HTML).text


def test_an_admin_invites_visitors_only(app: Flask, owner: User) -> None:
    admin = with_sudo(app, add_person(app, Role.ADMIN))
    refused = admin.post("/users/invite", data=GUARD | {"way": "link", "role": "admin"}, headers=HTML)
    assert refused.status_code == 403
    assert admin.post("/users/invite", data=GUARD | {"way": "link"}, headers=HTML).status_code == 200
