"""Signing in and out: even answers for every name, no lost input, no way to another host."""

from __future__ import annotations

import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from cctv.blueprints import auth
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Role, Session, User
from cctv.services import sessions, tries, users
from cctv.services.tries import Limit
from tests.fixtures.application import OWNER_PASSWORD
from tests.servers import RedisServer

HTML = {"Accept": "text/html"}
HTMX = {**HTML, "HX-Request": "true"}


def typed(name: str = "owner@example.org", password: str = OWNER_PASSWORD, **more: str) -> dict[str, str]:
    return {"name": name, "password": password, **more}


def sentence(body: str) -> str:
    found = re.search(r'role="alert">.*?<div>(.*?)</div>', body, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.usefixtures("owner")
class TestSigningIn:
    def test_the_start_page_leads_a_stranger_to_it(self, client: FlaskClient) -> None:
        answer = client.get("/", headers=HTML)
        assert (answer.status_code, answer.location) == (303, "/login")

    def test_it_leads_to_the_start_page(self, client: FlaskClient) -> None:
        answer = client.post("/login", data=typed(), headers=HTML)
        assert (answer.status_code, answer.location) == (303, "/")

    def test_the_user_name_is_as_good_as_the_address(self, client: FlaskClient) -> None:
        assert client.post("/login", data=typed(name="OWNER"), headers=HTML).status_code == 303

    def test_it_leads_back_to_the_page_that_was_wanted(self, client: FlaskClient) -> None:
        answer = client.post("/login?next=/wall?n=9", data=typed(), headers=HTML)
        assert answer.location == "/wall?n=9"

    def test_a_wrong_password_keeps_the_name_and_empties_the_password(self, client: FlaskClient) -> None:
        answer = client.post("/login", data=typed(password="not this one at all"), headers=HTML)
        assert answer.status_code == 422
        assert 'value="owner@example.org"' in answer.text
        assert "not this one" not in answer.text

    def test_an_unknown_name_gets_the_same_sentence(self, client: FlaskClient) -> None:
        wrong = client.post("/login", data=typed(password="wrong wrong wrong"), headers=HTML)
        unknown = client.post("/login", data=typed(name="nobody@example.org"), headers=HTML)
        assert sentence(wrong.text) == sentence(unknown.text) == "Name or password is not right."

    def test_a_password_beyond_every_limit_is_just_wrong(self, client: FlaskClient) -> None:
        answer = client.post("/login", data=typed(password="x" * 5000), headers=HTML)
        assert sentence(answer.text) == "Name or password is not right."

    def test_the_last_sign_in_is_told_the_second_time(self, client: FlaskClient, app: Flask) -> None:
        client.post("/login", data=typed(), headers=HTML)
        second = app.test_client()
        second.post("/login", data=typed(), headers=HTML)
        with second.session_transaction() as session:
            assert "Your last sign-in was on" in str(session["_flashes"])

    def test_nothing_of_the_session_before_survives(self, client: FlaskClient) -> None:
        with client.session_transaction() as session:
            session["planted"] = "by somebody else"
        client.post("/login", data=typed(), headers=HTML)
        with client.session_transaction() as session:
            assert "planted" not in session

    def test_an_account_that_is_off_is_told_so_only_after_the_right_password(
        self, client: FlaskClient, app: Flask, owner: User
    ) -> None:
        with app.app_context():
            db.session.get(User, owner.id).is_enabled = False  # type: ignore[union-attr]
            db.session.commit()
        right = client.post("/login", data=typed(), headers=HTML)
        wrong = client.post("/login", data=typed(password="wrong wrong wrong"), headers=HTML)
        assert "switched off" in right.text
        assert sentence(wrong.text) == "Name or password is not right."

    def test_signing_in_again_in_a_dialog_answers_with_a_new_token(self, client: FlaskClient) -> None:
        answer = client.post("/login", data=typed(), headers=HTMX)
        assert answer.status_code == 204
        assert '"signed-in": {"token"' in answer.headers["HX-Trigger"]

    def test_a_form_without_a_token_is_refused(self, client: FlaskClient, app: Flask) -> None:
        app.config["WTF_CSRF_ENABLED"] = True
        answer = client.post("/login", data=typed(), headers=HTML)
        assert answer.status_code == 400
        assert "Reload the page" in answer.text


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

    def test_both_names_of_an_account_are_one(self, client: FlaskClient) -> None:
        for name in ("owner", "owner@example.org", " OWNER ", "owner", "Owner@example.org"):
            wrong(client, name)
        assert wrong(client, "owner").status_code == 429

    def test_the_right_password_waits_too_so_that_a_wait_tells_nothing(self, client: FlaskClient) -> None:
        for _ in range(5):
            wrong(client, "owner")
        assert client.post("/login", data=typed(), headers=HTML).status_code == 429

    def test_a_browser_that_signed_in_before_is_not_kept_out_by_strangers(self, client: FlaskClient) -> None:
        client.post("/login", data=typed(), headers=HTML)
        client.post("/logout", headers=HTML)
        for _ in range(6):
            wrong(client, "owner")
        assert client.post("/login", data=typed(), headers=HTML).status_code == 303

    def test_strangers_never_keep_a_person_out_for_longer_than_a_minute(
        self, client: FlaskClient, app: Flask
    ) -> None:
        for number in range(60):  # from everywhere, and they knock on during the wait
            wrong(client, "owner", REMOTE_ADDR=f"203.0.113.{number}")
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
            wrong(client, "owner")
        assert client.post("/login", data=typed(), headers=HTML).status_code == 303
        assert [wrong(client, "owner").status_code for _ in range(5)] == [422] * 5

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


@pytest.mark.parametrize(
    ("wanted", "followed"),
    [
        ("/playback?t=2026-11-22T14:00:00", "/playback?t=2026-11-22T14:00:00"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\..\\evil", "/"),
        ("\t//evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("wall", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_only_a_path_on_this_host_is_followed(wanted: str | None, followed: str) -> None:
    assert auth.local_path(wanted) == followed


class TestTheDoor:
    def test_a_browser_without_a_session_is_led_to_the_sign_in_and_back(
        self, client: FlaskClient, app: Flask, owner: User
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        answer = client.get("/secret?n=1", headers=HTML)
        assert (answer.status_code, answer.location) == (303, "/login?next=%2Fsecret%3Fn%3D1")

    def test_a_fragment_gets_401_so_that_the_page_can_ask_in_place(
        self, client: FlaskClient, app: Flask, owner: User
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        answer = client.get("/secret", headers=HTMX)
        assert answer.status_code == 401
        assert "signed-out" in answer.headers["HX-Trigger"]
        assert "secret" not in answer.text

    def test_a_session_ends_when_its_time_is_over(self, signed_in: FlaskClient, app: Flask) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        assert signed_in.get("/secret", headers=HTML).text == "secret"
        with app.app_context():
            db.session.execute(update(Session).values(ends_ms=now_ms() - 1))
            db.session.commit()
        assert signed_in.get("/secret", headers=HTML).status_code == 303

    def test_a_session_that_nobody_uses_ends(self, signed_in: FlaskClient, app: Flask) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        with app.app_context():
            unused_ms = now_ms() - sessions.IDLE_SECONDS * 1000
            db.session.execute(update(Session).values(seen_ms=unused_ms + 60_000))
            db.session.commit()
        assert signed_in.get("/secret", headers=HTML).text == "secret", "and this use puts the end off"
        with app.app_context():
            assert (db.session.scalar(select(Session.seen_ms)) or 0) > now_ms() - 60_000
            db.session.execute(update(Session).values(seen_ms=unused_ms - 1000))
            db.session.commit()
        assert signed_in.get("/secret", headers=HTML).status_code == 303

    def test_signing_out_ends_the_session_for_a_stolen_cookie_too(
        self, signed_in: FlaskClient, app: Flask
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        thief = app.test_client()
        thief.set_cookie("session", signed_in.get_cookie("session").value)  # type: ignore[union-attr]
        assert thief.get("/secret", headers=HTML).text == "secret"
        assert signed_in.post("/logout", headers=HTML).location == "/login"
        assert signed_in.get("/secret", headers=HTML).status_code == 303
        assert thief.get("/secret", headers=HTML).status_code == 303

    def test_signing_in_again_ends_the_session_before(
        self, client: FlaskClient, app: Flask, owner: User
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        client.post("/login", data=typed(), headers=HTML)
        thief = app.test_client()
        thief.set_cookie("session", client.get_cookie("session").value)  # type: ignore[union-attr]
        client.post("/login", data=typed(), headers=HTML)
        assert client.get("/secret", headers=HTML).text == "secret"
        assert thief.get("/secret", headers=HTML).status_code == 303

    def test_a_raised_session_version_ends_every_session(
        self, signed_in: FlaskClient, app: Flask, owner: User
    ) -> None:
        app.add_url_rule("/secret", "secret", lambda: "secret")
        with app.app_context():
            db.session.get(User, owner.id).session_version += 1  # type: ignore[union-attr]
            db.session.commit()
        assert signed_in.get("/secret", headers=HTML).status_code == 303


class TestTheTheme:
    def test_it_is_kept_for_the_person_and_this_browser(
        self, signed_in: FlaskClient, app: Flask, owner: User
    ) -> None:
        answer = signed_in.post("/account/theme", data={"theme": "light", "next": "/wall"}, headers=HTML)
        assert answer.location == "/wall"
        assert "theme=light" in answer.headers["Set-Cookie"]
        with app.app_context():
            assert db.session.get(User, owner.id).theme == "light"  # type: ignore[union-attr]

    def test_an_unknown_theme_is_refused(self, signed_in: FlaskClient) -> None:
        assert signed_in.post("/account/theme", data={"theme": "<x>"}, headers=HTML).status_code == 422
