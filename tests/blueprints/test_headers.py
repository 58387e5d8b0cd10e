"""The headers that every answer carries, and the session cookie over http and https."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cctv import create_app
from cctv.config import Config
from cctv.models import User
from tests.fixtures.application import OWNER_PASSWORD

HTML = {"Accept": "text/html"}
SIGN_IN = {"name": "owner@example.org", "password": OWNER_PASSWORD}


@pytest.mark.parametrize("path", ["/login", "/nothing", "/alive", "/offline", "/v0/api/nothing"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, owner: User, path: str) -> None:
    headers = client.get(path, headers=HTML).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    for directive in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "script-src 'self'"):
        assert directive in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_only_what_everybody_gets_is_kept_by_caches(app: Flask, signed_in: FlaskClient) -> None:
    """Of every address that a GET finds, whatever a view says about caching."""
    values = {"camera_id": 1, "number": 0, "second": 1, "run_key": "1-1700000000-abcd", "kind": "main"}
    with app.test_request_context():
        rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
        paths = [rule.build({name: values.get(name, 1) for name in rule.arguments}) for rule in rules]
    for path in (found[1] for found in paths if found):
        answer = signed_in.get(path, buffered=False)
        kept = answer.headers["Cache-Control"]
        if path.startswith("/static/") or path in {"/sw.js", "/manifest.webmanifest", "/offline"}:
            continue
        assert kept == "private, no-store", path
        assert {"Cookie", "Authorization"} <= set(answer.vary.as_set(preserve_casing=True)), path
        answer.close()


def test_static_files_are_kept_for_ever_only_under_their_hash(client: FlaskClient) -> None:
    hashed = client.get("/static/css/app.css?v=0123456789")
    assert "immutable" in hashed.headers["Cache-Control"]
    assert client.get("/static/js/ticks.js").headers["Cache-Control"] == "no-cache"


def test_the_cookie_is_plain_over_http_so_that_a_lan_can_sign_in(client: FlaskClient, owner: User) -> None:
    answer = client.post("/login", data=SIGN_IN, headers=HTML)
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if "session=" in value)
    assert cookie.startswith("session=")
    assert "Secure" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Strict-Transport-Security" not in answer.headers


def test_the_cookie_is_bound_to_the_host_over_https(client: FlaskClient, owner: User) -> None:
    answer = client.post("/login", data=SIGN_IN, headers=HTML, base_url="https://localhost")
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if "session=" in value)
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_forms_work_over_https_without_a_referer_and_not_without_their_token(app: Flask, owner: User) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    browser = app.test_client()
    over: dict[str, Any] = {"headers": HTML, "base_url": "https://localhost"}
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', browser.get("/login", **over).text)
    assert found
    assert browser.post("/login", data=SIGN_IN, **over).status_code == 400
    answer = browser.post("/login", data=SIGN_IN | {"csrf_token": found[1]}, **over)
    assert (answer.status_code, answer.location) == (303, "/")


def test_a_public_https_address_makes_the_cookie_secure_behind_a_proxy(config: Config, owner: User) -> None:
    app: Flask = create_app(replace(config, frontend_url="https://cctv.example.org"))
    app.config["WTF_CSRF_ENABLED"] = False
    answer = app.test_client().post("/login", data=SIGN_IN, headers=HTML)
    assert any(value.startswith("__Host-session=") for value in answer.headers.getlist("Set-Cookie"))


def test_the_manifest_tells_the_organisation_and_is_installable(client: FlaskClient) -> None:
    manifest = client.get("/manifest.webmanifest").get_json(force=True)
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        assert client.get(icon["src"]).status_code == 200


def test_the_service_worker_keeps_only_the_shell(client: FlaskClient) -> None:
    answer = client.get("/sw.js")
    assert answer.content_type == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert '"/offline"' in answer.text
    assert "/wall" not in answer.text
