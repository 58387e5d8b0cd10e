"""Guessing passwords becomes slow and learns nothing; strangers keep nobody out."""

from __future__ import annotations

import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from cctv.extensions import db
from cctv.models import Role, User
from cctv.services.person import users
from cctv.services.sign_in import tries
from cctv.services.sign_in.tries import Limit
from tests.blueprints.test_sign_in import HTML, sentence, typed
from tests.fixtures.application import OWNER_PASSWORD
from tests.servers import RedisServer

NAME = "owner@example.org"  # as `typed` has it


def wrong(client: FlaskClient, name: str, **environment: str) -> TestResponse:
    """One guess from a browser that keeps no cookies."""
    stranger = client.application.test_client()
    return stranger.post(
        "/login", data=typed(name=name, password="not this one"), headers=HTML, environ_base=environment
    )


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize("has_redis", [True, False])
class TestGuessing:
    @pytest.fixture(autouse=True)
    def _redis(self, app: Flask, has_redis: bool) -> None:
        if not has_redis:
            app.config["REDIS_URL"] = "unix:///nowhere/redis.sock"

    @pytest.mark.parametrize("name", ["owner@example.org", "nobody@example.org"])
    def test_it_becomes_slow_for_a_known_and_an_unknown_name_alike(
        self, client: FlaskClient, name: str
    ) -> None:
        answers = [wrong(client, name) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [422] * 5 + [429] * 2
        assert re.fullmatch(r"Too many tries\. Try again at [0-9:]{8}\.", sentence(answers[-1].text))
        assert 0 < int(answers[-1].headers["Retry-After"]) <= tries.FIRST_WAIT_SECONDS

    def test_every_spelling_of_a_name_is_one(self, client: FlaskClient) -> None:
        for name in ("owner", "Owner", " OWNER ", "owner", "oWner "):
            wrong(client, name)
        assert wrong(client, "owner").status_code == 429

    @pytest.mark.parametrize("name", ["owner", "nobody"])
    def test_a_wait_does_not_tell_which_user_name_belongs_to_an_address(
        self, client: FlaskClient, name: str
    ) -> None:
        for _ in range(6):
            wrong(client, f"{name}@example.org")
        assert wrong(client, name).status_code == 422

    def test_the_right_password_waits_too_so_that_a_wait_tells_nothing(self, client: FlaskClient) -> None:
        for _ in range(5):
            wrong(client, NAME)
        assert client.post("/login", data=typed(), headers=HTML).status_code == 429

    def test_a_browser_that_signed_in_before_is_not_kept_out_by_strangers(self, client: FlaskClient) -> None:
        client.post("/login", data=typed(), headers=HTML)
        client.post("/logout", headers=HTML)
        for _ in range(6):
            wrong(client, NAME)
        assert client.post("/login", data=typed(), headers=HTML).status_code == 303

    def test_strangers_never_keep_a_person_out_for_longer_than_a_minute(
        self, client: FlaskClient, app: Flask
    ) -> None:
        for number in range(60):  # from everywhere, and they knock on during the wait
            wrong(client, NAME, REMOTE_ADDR=f"203.0.113.{number}")
        unknown_browser = app.test_client().post("/login", data=typed(), headers=HTML)
        assert int(unknown_browser.headers["Retry-After"]) <= tries.LONGEST_WAIT_SECONDS

    def test_who_is_signed_in_stays_so_whatever_strangers_do(
        self, signed_in: FlaskClient, client: FlaskClient
    ) -> None:
        for _ in range(8):
            wrong(client, "owner")
        assert signed_in.get("/account/sudo", headers=HTML).status_code == 200

    def test_a_known_browser_may_not_guess_on_for_ever(self, client: FlaskClient) -> None:
        client.post("/login", data=typed(), headers=HTML)
        client.post("/logout", headers=HTML)
        guesses = [client.post("/login", data=typed(password="no no no"), headers=HTML) for _ in range(6)]
        assert guesses[-1].status_code == 429

    def test_one_password_for_many_names_becomes_slow_by_address(self, client: FlaskClient) -> None:
        answers = [wrong(client, f"person{n}", REMOTE_ADDR="198.51.100.7") for n in range(31)]
        assert [answer.status_code for answer in answers] == [422] * 30 + [429]
        assert wrong(client, "person", REMOTE_ADDR="198.51.100.8").status_code == 422
        six = [wrong(client, f"six{n}", REMOTE_ADDR=f"2001:db8::{n:x}") for n in range(31)]
        assert six[-1].status_code == 429

    def test_signing_in_forgets_the_wrong_ones(self, client: FlaskClient) -> None:
        for _ in range(4):
            wrong(client, NAME)
        assert client.post("/login", data=typed(), headers=HTML).status_code == 303
        assert [wrong(client, NAME).status_code for _ in range(5)] == [422] * 5

    def test_an_office_that_signs_in_often_is_not_slowed(self, client: FlaskClient, app: Flask) -> None:
        for _ in range(35):
            answer = app.test_client().post("/login", data=typed(), headers=HTML)
            assert answer.status_code == 303

    def test_many_at_once_are_counted_one_by_one(self, app: Flask) -> None:
        def guess(_: int) -> float:
            with app.app_context():
                return tries.take(Limit("account", "x", 5))

        with ThreadPoolExecutor(20) as people:
            allowed = [wait for wait in people.map(guess, range(100)) if not wait]
        assert len(allowed) == 5

    def test_the_wait_grows_and_ends_at_a_minute(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tries, "FIRST_WAIT_SECONDS", 0.2)
        monkeypatch.setattr(tries, "LONGEST_WAIT_SECONDS", 0.5)
        limit, waits = Limit("account", "x", 1), []
        with app.app_context():
            for _ in range(5):
                assert tries.take(limit) == 0
                waits.append(tries.take(limit))
                time.sleep(0.6)
        assert 0 < waits[0] <= 0.21 < waits[1] <= 0.41 < waits[2]
        assert waits[4] <= 0.51


class TestWhatTheAnswerTells:
    """Nothing about which accounts exist: neither by its text, nor its status, nor the work that it takes."""

    NAMES = ("owner", "nobody", "off", "invited")

    @pytest.fixture
    def names(self, app: Flask, owner: User, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
        """A known account, an unknown one, one that is switched off and one that has no password yet."""
        monkeypatch.setattr(users, "_ROUNDS", 9)
        users._nobody_hash.cache_clear()
        with app.app_context():
            for name in ("off", "invited"):
                users.create_user(name, f"{name}@example.org", password="long enough 1", role=Role.VISITOR)
            known = users.hash_password(OWNER_PASSWORD)
            db.session.execute(update(User).values(password_hash=known))
            db.session.execute(update(User).where(User.username == "off").values(is_enabled=False))
            db.session.execute(update(User).where(User.username == "invited").values(password_hash=""))
            db.session.commit()
        return self.NAMES

    def test_text_and_status_are_the_same_for_every_name(
        self, client: FlaskClient, names: tuple[str, ...]
    ) -> None:
        told = {
            (answer.status_code, re.sub(r"(value|content|hx-headers)=(\"[^\"]*\"|'[^']*')", "", answer.text))
            for answer in (wrong(client, name) for name in names)
        }
        assert len(told) == 1

    def test_no_password_opens_an_account_that_has_none(
        self, client: FlaskClient, names: tuple[str, ...]
    ) -> None:
        for password in ("", "the password that nobody has"):
            answer = client.post("/login", data=typed("invited", password), headers=HTML)
            assert answer.status_code == 422

    def test_the_work_is_the_same_for_every_name(
        self, client: FlaskClient, names: tuple[str, ...], redis_server: RedisServer
    ) -> None:
        # By the processor's time, which other programs do not stretch; by the clock: scripts/bench people.
        spent: dict[str, list[float]] = {name: [] for name in names}
        for number in range(25 * len(names)):
            name = names[(number + number // len(names)) % len(names)]
            redis_server.empty()
            began = time.thread_time()
            assert wrong(client, name).status_code == 422
            spent[name].append(time.thread_time() - began)
        medians = {name: statistics.median(times[1:]) for name, times in spent.items()}
        assert max(medians.values()) < 1.05 * min(medians.values()), medians
