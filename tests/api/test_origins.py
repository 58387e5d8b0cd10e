"""Which web pages may use the API from a browser: that of FRONTEND_URL, with a token, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from cctv import create_app
from cctv.config import Config
from cctv.models import User
from tests.api.apps import CAMERAS, LOGIN, Phone

FRONTEND = "https://cctv.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def app(config: Config) -> Flask:
    app = create_app(replace(config, frontend_url=f"{FRONTEND}/start"))
    app.config["WTF_CSRF_ENABLED"] = False
    return app


def test_the_frontend_is_let_in_without_cookies(app: Flask, owner: User) -> None:
    phone = Phone(app)
    response = phone.get(CAMERAS, headers={"Origin": FRONTEND})
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]
    assert "ETag" in response.headers["Access-Control-Expose-Headers"]
    preflight = phone.client.options(LOGIN, headers={"Origin": FRONTEND, **PREFLIGHT})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Headers"].lower() == "authorization"
    assert "PUT" not in preflight.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "http://cctv.example.org",
        "https://cctv.example.org.evil.net",
        "https://cctv.example.org:444",
        "https://xcctv.example.org",
        "null",
        "file://",
    ],
)
def test_no_other_origin_is(app: Flask, owner: User, origin: str) -> None:
    phone = Phone(app)
    headers = {"Origin": origin, "Access-Control-Request-Private-Network": "true"}
    for response in (
        phone.get(CAMERAS, headers=headers),
        phone.client.options(LOGIN, headers=headers | PREFLIGHT),
        phone.client.get("/nothing", headers=headers),
    ):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


def test_pages_and_video_are_for_no_other_origin_at_all(app: Flask, owner: User) -> None:
    client = app.test_client()
    for path in ("/login", "/stream/x/1/main/live.m3u8", "/static/css/tokens.css", "/api/docs/schema/"):
        response = client.get(path, headers={"Origin": FRONTEND})
        assert "Access-Control-Allow-Origin" not in response.headers, path


def test_without_a_frontend_there_is_none(config: Config, owner: User) -> None:
    response = create_app(config).test_client().get(CAMERAS, headers={"Origin": FRONTEND})
    assert "Access-Control-Allow-Origin" not in response.headers
