"""The second step of signing in: bound to the browser, short, limited, and silent about everything else."""

from __future__ import annotations

import html
from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from cctv.blueprints import second_step
from cctv.extensions import db
from cctv.models import AuditEntry, User
from cctv.services.sign_in import second_factor
from tests.blueprints.test_sign_in import HTML, HTMX, sentence, typed
from tests.services.test_second_factor import START, phone


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def recovery(app: Flask, owner: User, clock: time_machine.Traveller) -> list[str]:
    """The owner has a second factor since a minute ago; the recovery codes."""
    with app.app_context():
        person = db.session.get_one(User, owner.id)
        second_factor.enrol(person)
        made = second_factor.confirm(person, phone(person))
    clock.shift(60)
    return made


def code(app: Flask, owner: User) -> str:
    with app.app_context():
        return phone(db.session.get_one(User, owner.id))


def first_step(client: FlaskClient, **more: str) -> None:
    answer = client.post("/login?next=/wall", data=typed(**more), headers=HTML)
    assert (answer.status_code, answer.location) == (303, "/login/code?next=/wall")


def second(client: FlaskClient, code: str, *, address: str = "/login/code?next=/wall") -> str:
    """Where it leads, or what is wrong."""
    answer = client.post(address, data={"code": code}, headers=HTML)
    return answer.location or html.unescape(sentence(answer.text))


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account/sudo", headers=HTML).status_code == 200


def test_the_field_is_made_for_phones_and_for_pasting(client: FlaskClient) -> None:
    first_step(client)
    page = client.get("/login/code?next=/wall", headers=HTML).text
    for attribute in ('inputmode="numeric"', 'autocomplete="one-time-code"', 'data-digits="6"'):
        assert attribute in page
    assert page.count("<input") == 2, "the token and one field"


def test_a_right_code_signs_in_and_leads_to_the_wanted_page(
    client: FlaskClient, app: Flask, owner: User
) -> None:
    first_step(client)
    assert not is_signed_in(client)
    assert second(client, code(app, owner)) == "/wall"
    assert is_signed_in(client)


def test_a_wrong_one_says_only_that(client: FlaskClient, app: Flask) -> None:
    first_step(client)
    assert second(client, "000000") == second_factor.WRONG
    assert not is_signed_in(client)
    with app.app_context():
        last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last and (last.action, last.details) == ("sign_in.refused", {"how": "code", "times": 1})


def test_a_code_that_was_used_opens_nothing(client: FlaskClient, app: Flask, owner: User) -> None:
    used = code(app, owner)
    first_step(client)
    second(client, used)
    thief = app.test_client()
    first_step(thief)
    assert second(thief, used) == second_factor.WRONG


def test_a_recovery_code_opens_once(client: FlaskClient, app: Flask, recovery: list[str]) -> None:
    where = "/login/code?recovery=1&next=/wall"
    first_step(client)
    assert "recovery code" in client.get(where, headers=HTML).text
    assert second(client, recovery[0], address=where) == "/wall"
    again = app.test_client()
    first_step(again)
    assert "used before" in second(again, recovery[0], address=where)


def test_the_first_step_belongs_to_its_browser(client: FlaskClient, app: Flask, owner: User) -> None:
    first_step(client)
    other = app.test_client()
    assert second(other, code(app, owner)) == "/login"
    assert not is_signed_in(other)


def test_the_first_step_is_forgotten_after_five_minutes(
    client: FlaskClient, app: Flask, owner: User, clock: time_machine.Traveller
) -> None:
    first_step(client)
    clock.shift(second_step.PENDING_SECONDS + 1)
    assert second(client, code(app, owner)) == "/login"


def test_it_is_void_once_the_password_was_changed(client: FlaskClient, app: Flask, owner: User) -> None:
    first_step(client)
    with app.app_context():
        db.session.get_one(User, owner.id).session_version += 1
        db.session.commit()
    assert second(client, code(app, owner)) == "/login"


def test_guessing_codes_becomes_slow_from_every_browser(client: FlaskClient, app: Flask, owner: User) -> None:
    for _ in range(5):
        thief = app.test_client()
        first_step(thief)
        assert second(thief, "000000") == second_factor.WRONG
    first_step(client)
    assert "Too many tries" in second(client, code(app, owner))


def test_a_known_browser_is_not_kept_out_by_that(client: FlaskClient, app: Flask, owner: User) -> None:
    first_step(client)
    second(client, code(app, owner))
    client.post("/logout", headers=HTML)
    for _ in range(6):
        thief = app.test_client()
        first_step(thief)
        second(thief, "000000")
    first_step(client)
    with app.app_context():
        later = phone(db.session.get_one(User, owner.id), steps=1)
    assert second(client, later) == "/wall"


def test_a_wrong_password_is_answered_as_ever(client: FlaskClient) -> None:
    answer = client.post("/login", data=typed(password="wrong wrong wrong"), headers=HTML)
    assert (answer.status_code, sentence(answer.text)) == (422, "Name or password is not right.")


def test_an_account_that_is_off_is_told_so_after_the_code(
    client: FlaskClient, app: Flask, owner: User
) -> None:
    with app.app_context():
        db.session.get_one(User, owner.id).is_enabled = False
        db.session.commit()
    first_step(client)
    assert "switched off" in second(client, code(app, owner))
    assert not is_signed_in(client)


def test_in_the_dialog_both_steps_stay_in_it(client: FlaskClient, app: Flask, owner: User) -> None:
    asked = client.post("/login", data=typed(), headers=HTMX)
    assert asked.status_code == 200
    assert 'hx-post="/login/code"' in asked.text and "<html" not in asked.text
    answer = client.post("/login/code", data={"code": code(app, owner)}, headers=HTMX)
    assert answer.status_code == 204 and '"signed-in"' in answer.headers["HX-Trigger"]


def test_it_leads_to_no_other_host(client: FlaskClient, app: Flask, owner: User) -> None:
    client.post("/login?next=//evil.example", data=typed(), headers=HTML)
    assert second(client, code(app, owner), address="/login/code?next=//evil.example") == "/"


@pytest.mark.parametrize("planted", [None, "x", [], [1, 2, 3]])
def test_nonsense_in_the_session_is_no_first_step(client: FlaskClient, planted: object) -> None:
    with client.session_transaction() as session:
        session["second_step"] = planted
    assert second(client, "000000") == "/login"
