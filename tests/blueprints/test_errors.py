"""Errors in the shape that the asking side understands, and never with their insides."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError, OperationalError

from cctv.errors import Gone, LimitReached, NotAllowed, Unavailable
from cctv.extensions import db
from cctv.models import Setting, User
from tests.api.apps import Phone

HTML = {"Accept": "text/html"}
HTMX = {**HTML, "HX-Request": "true"}
SECRET = "rtsp://guard:hunter2@192.168.1.4/stream"


def fail_with(app: Flask, error: Exception, path: str = "/fails") -> None:
    def view() -> str:
        raise error

    app.config["TESTING"] = False
    app.add_url_rule(path, path, view)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (NotAllowed("Only an Admin can add cameras. Ask the owner."), 403, "Only an Admin can add cameras"),
        (Gone("Deleted on 12 Nov by the 14-day rule."), 410, "Deleted on 12 Nov"),
        (LimitReached("Too many tries. Try again at 15:04."), 429, "Try again at 15:04"),
        (Unavailable("The media server is starting."), 503, "media server is starting"),
        (RuntimeError(SECRET), 500, "Recording goes on"),
        (OperationalError("SELECT secret", {}, Exception(SECRET)), 503, "database does not answer"),
    ],
)
def test_a_person_gets_a_page_with_the_sentence_and_a_way_back(
    signed_in: FlaskClient, app: Flask, error: Exception, status: int, words: str
) -> None:
    fail_with(app, error)
    answer = signed_in.get("/fails", headers=HTML)
    assert answer.status_code == status
    assert words in answer.text
    assert 'href="/"' in answer.text
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_an_unknown_address_is_404_with_a_way_back(client: FlaskClient) -> None:
    answer = client.get("/nothing", headers=HTML)
    assert answer.status_code == 404
    assert "does not exist" in answer.text
    assert 'href="/"' in answer.text


def test_a_body_that_is_too_large_is_413(client: FlaskClient, app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 100
    assert client.post("/login", data={"name": "x" * 200}, headers=HTML).status_code == 413


def test_a_failure_has_a_number_that_is_in_the_log(
    signed_in: FlaskClient, app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    fail_with(app, RuntimeError("inside"))
    answer = signed_in.get("/fails", headers=HTML)
    number = answer.headers["X-Incident"]
    assert number in answer.text
    assert f"incident {number}" in caplog.text


def test_a_page_that_is_not_ready_loads_itself_again(signed_in: FlaskClient, app: Flask) -> None:
    fail_with(app, Unavailable("Starting."))
    answer = signed_in.get("/fails", headers=HTML)
    assert '<meta http-equiv="refresh" content="5">' in answer.text
    assert answer.headers["Retry-After"] == "5"


def test_a_signed_in_person_is_told_when_the_database_is_away(signed_in: FlaskClient, app: Flask) -> None:
    with app.app_context():
        db.session.execute(text("ALTER TABLE user RENAME TO away"))
        db.session.commit()
    answer = signed_in.get("/cameras", headers=HTML)
    assert answer.status_code == 503
    assert "The database does not answer" in answer.text


def test_htmx_gets_a_toast_and_nothing_to_swap(signed_in: FlaskClient, app: Flask) -> None:
    fail_with(app, NotAllowed("Only an Admin can add cameras."))
    answer = signed_in.get("/fails", headers=HTMX)
    assert (answer.status_code, answer.text) == (403, "")
    assert "Only an Admin can add cameras." in answer.headers["HX-Trigger"]
    assert "HX-Request" in answer.headers["Vary"]


def test_the_api_gets_problem_json(app: Flask, owner: User) -> None:
    fail_with(app, RuntimeError(SECRET), "/v0/api/fails")
    answer = Phone(app).get("/v0/api/fails", headers=HTML)
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["status"] == 500
    assert answer.json["instance"] == f"urn:incident:{answer.headers['X-Incident']}"
    assert "hunter2" not in answer.text


def test_a_player_gets_plain_text(client: FlaskClient, app: Flask) -> None:
    fail_with(app, Unavailable("No picture yet."), "/stream/x")
    answer = client.get("/stream/x")
    assert (answer.status_code, answer.content_type) == (503, "text/plain; charset=utf-8")


def test_a_method_that_does_not_exist_says_which_do(client: FlaskClient) -> None:
    answer = client.delete("/login", headers=HTML)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_the_pages_load_only_their_own_small_files(client: FlaskClient) -> None:
    body = client.get("/nothing", headers=HTML).text
    assert "<script" not in body
    assert "tabler" not in body


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), OperationalError("SELECT", {}, Exception("x")), OverflowError()]
)
@pytest.mark.parametrize("path", ["/invite/{}", "/stream/{}/1/main/live.m3u8"])
def test_no_log_keeps_the_token_of_an_address_that_failed(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture, error: Exception, path: str
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail() -> None:
        raise error

    app.before_request(fail)
    assert client.get(path.format("canary-of-a-token")).status_code >= 422
    assert path.format("***") in caplog.text
    assert "canary" not in caplog.text


def test_a_traceback_of_the_database_holds_no_value_of_a_row(context: Flask) -> None:
    with pytest.raises(IntegrityError) as refused:
        db.session.execute(insert(Setting), [{"key": "canary-value", "value": 1}] * 2)
    assert "canary-value" not in str(refused.value)
