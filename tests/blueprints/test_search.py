"""The camera search: by words, by number, only what the person may see."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv.extensions import db
from cctv.models import Camera, Role, User
from cctv.services.person import users
from tests.fixtures.application import OWNER_PASSWORD, sign_in

HTML = {"Accept": "text/html"}
HTMX = {**HTML, "HX-Request": "true"}


@pytest.fixture(autouse=True)
def cameras(app: Flask) -> None:
    with app.app_context():
        for number, name in enumerate(["Front gate", "Car park north", "Car park south <b>"], start=1):
            db.session.add(Camera(number=number, name=name))
        db.session.commit()


def test_a_browser_gets_a_page(signed_in: FlaskClient) -> None:
    body = signed_in.get("/search?q=park", headers=HTML).text
    assert "<html" in body
    assert "Car park north" in body
    assert "Front gate" not in body


def test_htmx_gets_the_dialog_and_then_only_the_list(signed_in: FlaskClient) -> None:
    opened = signed_in.get("/search", headers=HTMX).text
    listed = signed_in.get("/search?q=south+park", headers=HTMX).text
    assert 'id="dlg-title"' in opened
    assert "<html" not in opened
    assert listed.lstrip().startswith('<div id="found"')
    assert "Car park south &lt;b&gt;" in listed


def test_a_number_finds_its_camera(signed_in: FlaskClient) -> None:
    assert "1 · Front gate" in signed_in.get("/search?q=1", headers=HTMX).text


def test_nothing_found_says_so_without_running_what_was_typed(signed_in: FlaskClient) -> None:
    body = signed_in.get("/search?q=<script>", headers=HTMX).text
    assert "No camera is called" in body
    assert "<script>" not in body


def test_a_visitor_without_grants_finds_nothing(app: Flask, owner: User) -> None:
    with app.app_context():
        visitor = users.create_user("Vic", "vic@example.org", password=OWNER_PASSWORD, role=Role.VISITOR)
        db.session.refresh(visitor)
        db.session.expunge(visitor)
    assert "Front gate" not in sign_in(app, visitor).get("/search?q=front", headers=HTMX).text


def test_a_stranger_is_sent_to_sign_in(client: FlaskClient, owner: User) -> None:
    assert client.get("/search?q=front", headers=HTML).status_code == 303
