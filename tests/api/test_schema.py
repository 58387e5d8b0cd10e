"""The API does what its own description says, for everybody: thousands of made-up requests find no exception.

`--api-examples 200` makes up more of them than the few that there is time for in each run.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate
from werkzeug.serving import make_server

from cctv.models import Role, User
from cctv.services.camera import probe_waits
from cctv.services.person.access import Action
from tests.api.apps import Phone, answer, phone_of, problem
from tests.api.test_cameras import grant
from tests.blueprints.camera_rows import add_camera, tell_node_figures
from tests.fixtures.application import sign_in
from tests.servers import free_port

SCHEMA = "/api/docs/schema/"
LOGOUT = "/v0/api/users/auth/logout/"
# The product's table of addresses, as far as they exist; the others come with their own issues.
ROWS = {
    "/v0/api/users/auth/login/": {"post"},
    "/v0/api/users/auth/refresh/": {"post"},
    LOGOUT: {"post"},
    "/v0/api/users/users/": {"get", "post"},
    "/v0/api/users/users/{user_id}/": {"get", "patch", "delete"},
    "/v0/api/users/profile/": {"get", "patch"},
    "/v0/api/cctv/cameras/": {"get"},
    "/v0/api/cctv/cameras/{camera_id}/": {"get", "patch", "delete"},
    "/v0/api/cctv/cameras/register/": {"post"},
    "/v0/api/cctv/cameras/{camera_id}/stream/": {"get"},
    "/v0/api/cctv/cameras/{camera_id}/snapshot/": {"get"},
    "/v0/api/cctv/cameras/{camera_id}/ptz/": {"post"},
    "/v0/api/cctv/cameras/{camera_id}/start_recording/": {"post"},
    "/v0/api/cctv/cameras/{camera_id}/stop_recording/": {"post"},
    "/v0/api/cctv/cameras/{camera_id}/timeline/": {"get"},
    "/v0/api/cctv/recordings/": {"get"},
    "/v0/api/cctv/recordings/{recording_id}/": {"get", "delete"},
    "/v0/api/cctv/recordings/{recording_id}/lock/": {"post"},
    "/v0/api/cctv/recordings/{recording_id}/unlock/": {"post"},
    "/v0/api/cctv/schedules/": {"get", "post"},
    "/v0/api/cctv/schedules/{schedule_id}/": {"get", "patch", "delete"},
    "/v0/api/cctv/schedules/{schedule_id}/activate/": {"post"},
    "/v0/api/cctv/schedules/{schedule_id}/deactivate/": {"post"},
    "/v0/api/mail/request-password-reset": {"post"},
    "/v0/api/mail/reset-password": {"post"},
    "/v0/api/mail/verify-email": {"post"},
    "/v0/api/mail/resend-otp": {"post"},
    "/v0/api/mail/auth/send-email": {"post"},
    "/v0/api/mail/auth/send-bulk-email": {"post"},
    "/v0/api/system/health/": {"get"},
}
# No worker checks cameras here: 503, as documented. What no schema can say (a password that is too simple,
# a version that is old) is refused; a list that is too long may be too large as well (413).
_CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
missing_required_header.expected-statuses = [401, 403, 404, 428]
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412, 422, 429, 503]
negative_data_rejection.expected-statuses = ["4xx", 503]
"""


def verbs(path: dict[str, Any]) -> set[str]:
    return path.keys() & {"get", "post", "patch", "put", "delete"}


@pytest.fixture
def schema(phone: Phone) -> dict[str, Any]:
    found: dict[str, Any] = answer(phone.get(SCHEMA))
    return found


class TestTheDescription:
    def test_it_is_openapi_3_1(self, schema: dict[str, Any]) -> None:
        assert schema["openapi"] == "3.1.0"
        validate(schema)

    def test_every_row_of_the_product_is_there_to_the_slash(self, schema: dict[str, Any]) -> None:
        there = {path: verbs(found) for path, found in schema["paths"].items()}
        assert {path: there.get(path) for path in ROWS} == ROWS

    def test_every_operation_says_what_it_does_and_what_goes_wrong(self, schema: dict[str, Any]) -> None:
        names = []
        for path, found in schema["paths"].items():
            for verb in verbs(found):
                operation = found[verb]
                names.append(operation["operationId"])
                assert operation["summary"], path
                assert {"429", "default"} <= operation["responses"].keys(), path
                assert "401" in operation["responses"] or operation["security"] == [], path
        assert len(names) == len(set(names))

    def test_every_problem_is_problem_json(self, schema: dict[str, Any]) -> None:
        for name, response in schema["components"]["responses"].items():
            assert list(response["content"]) == ["application/problem+json"], name

    def test_no_secret_is_described_as_part_of_an_answer(self, schema: dict[str, Any]) -> None:
        for name, shape in schema["components"]["schemas"].items():
            for field, facts in shape.get("properties", {}).items():
                is_secret = re.search("password|secret|hash", field)
                assert not is_secret or facts.get("writeOnly"), (name, field)


class TestThePages:
    PAGES = ("/api/docs/swagger/", "/api/docs/redoc/")

    def test_who_is_not_signed_in_is_sent_to_the_door(self, app: Flask, owner: User) -> None:
        client = app.test_client()
        for page in self.PAGES:
            assert client.get(page, headers={"Accept": "text/html"}).location.startswith("/login")
        problem(client.get(SCHEMA), 401)

    def test_a_browser_and_a_token_may_read_it(self, app: Flask, owner: User) -> None:
        for page in (*self.PAGES, SCHEMA):
            assert sign_in(app, owner).get(page).status_code == 200
        assert phone_of(app, Role.VISITOR).get(SCHEMA).status_code == 200

    def test_nothing_comes_from_another_host_or_without_the_nonce(self, app: Flask, owner: User) -> None:
        browser = sign_in(app, owner)
        for page in self.PAGES:
            answers = [browser.get(page) for _ in range(2)]
            policy = answers[0].headers["Content-Security-Policy"]
            assert policy != answers[1].headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "http" not in policy
            nonce = re.search(r"script-src 'nonce-([\w-]{20,})';", policy)
            assert nonce
            scripts = re.findall(r"<script[^>]*>", answers[0].text)
            assert len(scripts) == 3
            assert all(f'nonce="{nonce[1]}"' in script for script in scripts)
            assert not re.findall(r'(?:src|href)="(?!/)', answers[0].text)


@pytest.fixture
def site(app: Flask, owner: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application behind a socket; without limits, which thousands of requests would reach."""
    app.config["API_PER_ACCOUNT"] = app.config["API_PER_ADDRESS"] = "1000000 per minute"
    monkeypatch.setattr(probe_waits, "LONGEST_WAIT_SECONDS", 0.5)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", free_port(), app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("role", list(Role))
def test_made_up_requests_find_no_exception(
    app: Flask, site: str, role: Role, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    tell_node_figures(app)
    cameras = add_camera(app, "Gate"), add_camera(app, "Yard")
    phone = Phone(app) if role == Role.SUPER_ADMIN else phone_of(app, role)
    if role in (Role.VISITOR, Role.DEVELOPER):
        granted = [Action.LIVE] if role == Role.DEVELOPER else [Action.LIVE, Action.PLAYBACK, Action.RECORD]
        grant(app, phone, cameras[0], *granted)
    (tmp_path / "schema.json").write_text(json.dumps(answer(phone.get(SCHEMA))))
    (tmp_path / "schemathesis.toml").write_text(_CONFIG)
    # Every border of every field once; the other roles are mostly refused, and get fewer.
    phases = "examples,coverage,fuzzing" if role == Role.SUPER_ADMIN else "examples,fuzzing"
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", "schema.json", "--url", site, "--phases", phases, "--generation-database", "none"),
            *("--max-examples", str(pytestconfig.getoption("--api-examples")), "--no-color"),
            *("-H", f"Authorization: {phone.headers['Authorization']}", "--exclude-path", LOGOUT),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) generated, .*", done.stdout)
    assert counted, done.stdout
    assert int(counted[1]) > 100, "too few requests to say anything"
    assert phone.get(SCHEMA).status_code == 200, "the token still counts"
