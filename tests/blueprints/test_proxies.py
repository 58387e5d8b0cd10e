"""Behind a server of somebody's own: who the client is, and that nobody can lie about it."""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from cctv import create_app
from cctv.blueprints.proxies import true_address
from cctv.config import Config
from cctv.extensions import db
from cctv.models import AuditEntry, TrappedAddress, User
from tests.fixtures.application import OWNER_PASSWORD

NGINX = "127.0.0.1"
TRUSTED = tuple(map(ipaddress.ip_network, ("127.0.0.1/32", "10.0.0.0/8", "fd00::/8")))
LOGIN = {"name": "owner@example.org", "password": OWNER_PASSWORD}


@pytest.fixture
def behind(config: Config, owner: User) -> Flask:
    """The application behind a proxy on the same machine."""
    app = create_app(replace(config, trusted_proxies=TRUSTED))
    app.config["WTF_CSRF_ENABLED"] = False
    return app


def through(told: str, *, sender: str = NGINX, **more: str) -> dict[str, Any]:
    """A request that `sender` hands on."""
    return {"headers": {"X-Forwarded-For": told, **more}, "environ_base": {"REMOTE_ADDR": sender}}


@pytest.mark.parametrize(
    ("told", "true"),
    [
        ("9.9.9.9", "9.9.9.9"),
        ("1.1.1.1, 9.9.9.9", "9.9.9.9"),  # the first was said by 9.9.9.9 itself
        ("1.1.1.1, 9.9.9.9, 10.1.2.3", "9.9.9.9"),  # through two of our own
        ("9.9.9.9:51234", "9.9.9.9"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:9.9.9.9", "9.9.9.9"),
        ("10.1.1.1, 10.1.2.3", "10.1.1.1"),  # somebody in our own network
        ("", NGINX),
        ("unknown", NGINX),
        ("9.9.9.9, garbage", NGINX),  # nobody vouches for what stands left of it
        ("9.9.9.9, garbage, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1\n9.9.9.9", NGINX),
        (", ".join(["1.1.1.1"] * 5000 + ["9.9.9.9"]), "9.9.9.9"),
    ],
)
def test_the_true_address_is_the_last_that_a_proxy_of_ours_has_seen(told: str, true: str) -> None:
    assert true_address(NGINX, told, TRUSTED) == true


def trapped(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(TrappedAddress.address)))


def test_the_honeypot_shuts_out_who_knocked_and_not_the_proxy(behind: Flask) -> None:
    client = behind.test_client()
    for _ in range(10):
        client.post("/admin/", data={"username": "root", "password": "x"}, **through("8.8.8.8, 9.9.9.9"))
    assert trapped(behind) == ["9.9.9.9"]
    assert client.get("/login", **through("9.9.9.9")).status_code == 429
    assert client.get("/login", **through("8.8.8.8, 9.9.9.9")).status_code == 429, "he says he is another"
    assert client.get("/login", **through("8.8.8.8")).status_code == 200, "whom he pretended to be"


def test_tries_are_counted_for_each_client(behind: Flask) -> None:
    for number in range(35):
        wrong = {"name": f"nobody{number}@example.org", "password": "not this one"}
        last = behind.test_client().post("/login", data=wrong, **through("9.9.9.9"))
    assert last.status_code == 429
    other = behind.test_client().post("/login", data=LOGIN, **through("9.9.9.10"))
    assert other.status_code == 303


def test_the_audit_log_names_the_client(behind: Flask) -> None:
    behind.test_client().post("/login", data=LOGIN, **through("9.9.9.9"))
    with behind.app_context():
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "sign_in")).one()
        assert entry.address == "9.9.9.9"


def test_https_is_believed_from_the_proxy_alone(behind: Flask) -> None:
    told = {"X-Forwarded-Proto": "https"}
    for sender, is_secure in ((NGINX, True), ("10.1.2.3", True), ("9.9.9.9", False), ("192.168.1.9", False)):
        answer = behind.test_client().post("/login", data=LOGIN, **through("8.8.8.8", sender=sender, **told))
        cookies = answer.headers.getlist("Set-Cookie")
        assert any(cookie.startswith("__Host-session=") for cookie in cookies) == is_secure, sender
        assert ("Strict-Transport-Security" in answer.headers) == is_secure
    for odd in ("https, http", "ftp", "", "https\x00"):
        answer = behind.test_client().get("/login", headers={"X-Forwarded-Proto": odd})
        assert "Strict-Transport-Security" not in answer.headers


def test_a_name_is_never_taken_from_a_proxy(behind: Flask) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil", "X-Forwarded-Port": "1"}
    answer = behind.test_client().get("/", headers={**headers, "X-Forwarded-For": "9.9.9.9"})
    assert "evil" not in answer.headers.get("Location", "") + answer.text


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Proto"])
def test_without_a_trusted_proxy_no_such_header_reaches_anything(app: Flask, header: str) -> None:
    seen: dict[str, Any] = {}

    @app.before_request
    def look() -> None:
        from flask import request

        seen.update({name: request.headers.get(name) for name in (header,)}, address=request.remote_addr)

    app.test_client().get("/login", headers={header: "9.9.9.9"})
    assert seen == {header: None, "address": "127.0.0.1"}


def test_a_proxy_that_nobody_named_is_told_once(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "cctv.blueprints.proxies"):
        client.get("/login", **through("1.2.3.4", sender="9.9.9.9"))
        assert not caplog.records, "a stranger may send what he likes"
        for _ in range(3):
            client.get("/login", **through("1.2.3.4"))
    assert [record.getMessage() for record in caplog.records] == [
        "127.0.0.1 sends X-Forwarded-For and is not in TRUSTED_PROXIES: all of its clients count as one"
    ]
