"""Whatever is put into an address or a form, the answer is a refusal, never a failure of ours."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

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


@pytest.mark.parametrize("path", ["/login", "/setup/welcome"])
def test_a_zero_byte_is_refused_before_it_reaches_the_database(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data={"name": "a\0b", "code": "a\0b", "password": "x"}, headers=HTML)
    assert answer.status_code == 400
    assert client.get(f"{path}?code=%00", headers=HTML).status_code == 400
