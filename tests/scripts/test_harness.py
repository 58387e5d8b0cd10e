"""The harness itself: both databases are real and migrated, servers come back, the web server answers."""

from __future__ import annotations

import http.client

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page
from sqlalchemy import inspect

from cctv.config import Config
from cctv.extensions import db
from cctv.models import User
from cctv.services.person import users
from tests.fixtures.processes import LiveServer
from tests.servers import PostgresServer, RedisServer


@pytest.mark.each_database
def test_each_database_has_the_tables_and_nobody_in_them(context: Flask, database_url: str) -> None:
    assert db.engine.dialect.name == database_url.split(":")[0].split("+")[0]
    assert {"camera", "stream", "segment"} <= set(inspect(db.engine).get_table_names())
    assert not users.has_owner()


@pytest.mark.each_database
def test_the_owner_of_one_test_is_gone_in_the_next(owner: User, signed_in: FlaskClient) -> None:
    assert owner.id == 1
    with signed_in.session_transaction() as session:
        assert session["_user_id"] == owner.session_id


def test_redis_comes_back_with_what_it_had(redis_server: RedisServer) -> None:
    redis_server.client().set("kept", "1")
    redis_server.kill()
    redis_server.start()
    assert redis_server.client().get("kept") == b"1"


def test_postgresql_comes_back_with_what_it_had(postgres: PostgresServer) -> None:
    name = postgres.create_database()
    postgres.kill()
    postgres.start()
    postgres.connect(name).close()
    postgres.drop_database(name)


def test_the_web_server_names_what_is_missing_without_a_capture_worker(
    live_server: LiveServer, config: Config
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", live_server.port, timeout=5)
    connection.request("GET", "/v0/api/system/health/")
    answer = connection.getresponse()
    assert (answer.status, b"capture" in answer.read()) == (503, True)


def test_the_browser_runs_scripts_and_its_errors_are_seen(page: Page, console_errors: list[str]) -> None:
    page.set_content("<script>document.title = 'ran'; console.error('seen')</script>")
    assert page.title() == "ran"
    assert [error.split(" ")[0] for error in console_errors] == ["seen"]
