"""Apps that use the API as a phone does: with tokens, without cookies."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cctv.models import Role, User
from tests.blueprints.camera_rows import add_person
from tests.fixtures.application import OWNER_PASSWORD

CAMERAS = "/v0/api/cctv/cameras/"
RECORDINGS = "/v0/api/cctv/recordings/"
LOGIN = "/v0/api/users/auth/login/"
REFRESH = "/v0/api/users/auth/refresh/"
LOGOUT = "/v0/api/users/auth/logout/"
SCHEDULES = "/v0/api/cctv/schedules/"
PROFILE = "/v0/api/users/profile/"
USERS = "/v0/api/users/users/"
HEALTH = "/v0/api/system/health/"


class Phone:
    """One app with the tokens of its sign-in."""

    def __init__(self, app: Flask, login: str = "owner@example.org", password: str = OWNER_PASSWORD) -> None:
        self.client: FlaskClient = app.test_client(use_cookies=False)
        self.tokens = answer(self.client.post(LOGIN, json={"login": login, "password": password}))
        self.headers = {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def ask(self, verb: str, path: str, **options: Any) -> TestResponse:
        """One request; `headers` come on top of the token."""
        headers = self.headers | options.pop("headers", {})
        return self.client.open(path, method=verb, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.ask("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.ask("POST", path, json=json, **options) if json is not None else self.ask("POST", path)

    def patch(self, path: str, json: Any, *, version: int | str | None = None) -> TestResponse:
        headers = {} if version is None else {"If-Match": "*" if version == "*" else f'"{version}"'}
        return self.ask("PATCH", path, json=json, headers=headers)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.ask("DELETE", path, **options)


def answer(response: TestResponse, status: int = 200) -> Any:
    """The JSON of an answer that was as expected."""
    assert response.status_code == status, response.text
    return response.get_json()


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """The body of a problem (RFC 9457)."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json", response.content_type
    body: dict[str, Any] = response.get_json()
    assert body["status"] == status
    assert body["title"] and body["detail"]
    return body


def phone_of(app: Flask, role: Role) -> Phone:
    """The app of somebody new with that role."""
    person: User = add_person(app, role)
    return Phone(app, person.email)


@pytest.fixture
def phone(app: Flask, owner: User) -> Phone:
    """The owner's app."""
    return Phone(app)
