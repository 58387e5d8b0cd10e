"""Whatever is put into an address or a form, the answer is a refusal, never a failure of ours."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv import texts
from cctv.models import User
from cctv.services.sign_in import app_sessions
from tests.blueprints.camera_rows import add_camera

HTML = {"Accept": "text/html"}
HUGE = ("9" * 30, str(2**31))
NAMES = ("t", "from", "to", "near", "cam", "cams", "n", "p", "q", "z", "camera_id", "next", "page", "limit")
NAMES += ("ids",)
ODD = (HUGE[0], "9" * 16, "-1", "²" * 12, "9999-12-31T23:59:59")
FIELDS = ("name", "url", "sub_url", "username", "password", "number", "version", "probe", "theme", "next")
FIELDS += ("pre_roll_seconds", "max_seconds", "seconds", "minutes", "mode", "recording_mode", "typed_name")
# 401, 415, 428: the API knows no cookies and takes JSON. 503: a part of the system is not there in this test.
REFUSALS = {200, 204, 302, 303, 400, 401, 403, 404, 405, 409, 415, 422, 428, 429, 503}
# These change what later requests find.
_APART = ("logout", "delete", "/demo", "/setup", "/static", "<token>")


@pytest.fixture
def phone_token(app: Flask, owner: User) -> str:
    with app.app_context():
        return app_sessions.begin(owner).access_token


def addresses(app: Flask, method: str, number: str) -> list[str]:
    """Every address of the application that takes the method, with the number for each of its parts."""
    rules = [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())]
    found = [rule.rule for rule in rules if not any(word in rule.rule for word in _APART)]
    return [re.sub(r"<[^>]+>", number, rule) for rule in found]


@pytest.mark.each_database
def test_no_number_in_an_address_breaks_a_page(app: Flask, signed_in: FlaskClient) -> None:
    for number in HUGE:
        for method in ("GET", "POST"):
            for path in addresses(app, method, number):
                answer = signed_in.open(path, method=method, headers=HTML)
                assert answer.status_code in REFUSALS, f"{method} {path}"


@pytest.mark.each_database
def test_nothing_in_a_query_breaks_a_page(app: Flask, signed_in: FlaskClient) -> None:
    camera = str(add_camera(app))
    for path in addresses(app, "GET", camera):
        if "snapshot" in path:
            continue  # waits for a picture
        for text in ODD:
            answer = signed_in.get(path, query_string=dict.fromkeys(NAMES, text), headers=HTML)
            assert answer.status_code in REFUSALS, f"{path} {text!r}"


@pytest.mark.each_database
def test_nothing_in_a_form_breaks_a_page(app: Flask, signed_in: FlaskClient) -> None:
    camera = str(add_camera(app))
    names = (
        "name",
        "url",
        "sub_url",
        "username",
        "password",
        "number",
        "version",
        "probe",
        "pre_roll_seconds",
    )
    names += ("max_seconds", "seconds", "minutes", "mode", "recording_mode", "theme", "next", "typed_name")
    for path in addresses(app, "POST", camera):
        for text in ODD:
            answer = signed_in.post(path, data=dict.fromkeys(FIELDS, text), headers=HTML)
            assert answer.status_code in REFUSALS, f"{path} {text!r}"


UNFIT = ("a\0b", "\x1b[31mred", "a\x7fb", "a\x9bb", "\x08")


@pytest.mark.each_database
def test_a_control_character_is_refused_in_every_field_of_every_form(
    app: Flask, signed_in: FlaskClient
) -> None:
    camera = str(add_camera(app))
    for path in addresses(app, "POST", camera):
        if path.startswith(("/admin", "/v0/api/")):
            continue  # the decoy takes anything; JSON is next
        for text in UNFIT[:2]:
            answer = signed_in.post(path, data={"name": text}, headers=HTML)
            assert answer.status_code == 422, path
            assert "cannot be stored" in answer.text


@pytest.mark.parametrize("text", UNFIT)
def test_the_field_is_named_and_no_way_of_sending_it_is_forgotten(client: FlaskClient, text: str) -> None:
    for sent in ({"data": {"code": text}}, {"data": {"code": text}, "content_type": "multipart/form-data"}):
        assert client.post("/setup/welcome", headers=HTML, **sent).status_code == 422
    assert client.get("/setup/welcome", query_string={"code": text}, headers=HTML).status_code == 422
    assert client.get(f"/invite/{quote(text)}", headers=HTML).status_code == 404
    answer = client.post("/v0/api/users/auth/login/", json={"login": text, "password": "x"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["login"])


def test_several_lines_and_foreign_letters_are_no_control_characters() -> None:
    assert not texts.is_unfit("Tor Süd\r\n\tΠύλη 門 👮🏽 \u200d")


def test_the_decoy_looks_the_same_whatever_is_sent(client: FlaskClient) -> None:
    told = {client.post("/admin/", data={"username": name}).text for name in ("root", "a\0b")}
    assert len(told) == 1


@pytest.mark.each_database
def test_a_zero_byte_hidden_in_a_cameras_address_is_told_at_its_field(
    app: Flask, signed_in: FlaskClient, phone_token: str
) -> None:
    """Written as %00 it passes the doors, and becomes a zero byte when the login is taken out."""
    url = "rtsp://ad%00min:pw@127.0.0.1/a"
    typed = {"name": "Gate", "url": url, "recording_mode": "manual", "pre_roll_seconds": "10"}
    page = signed_in.post("/cameras/add", data=typed, headers=HTML)
    assert page.status_code == 422
    assert "control character" in page.text
    answer = app.test_client().post(
        "/v0/api/cctv/cameras/register/",
        json={"name": "Gate", "url": url, "probe": False},
        headers={"Authorization": f"Bearer {phone_token}"},
    )
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["url"])
