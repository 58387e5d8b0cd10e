"""Sessions: one row for each browser, and every way in which one ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, update

from cctv.clock import now_ms
from cctv.errors import NotFound
from cctv.extensions import db
from cctv.models import AuditEntry, Role, Session, SessionKind, User
from cctv.services.person import users
from cctv.services.sign_in import sessions


@pytest.fixture
def person(context: Flask, owner: User) -> User:
    user = db.session.get_one(User, owner.id)
    sessions.begin(user)
    return user


def change(**values: Any) -> None:
    db.session.execute(update(Session).values(**values))
    db.session.commit()


def switch_off(person: User) -> None:
    person.is_enabled = False
    db.session.commit()


def raise_version(person: User) -> None:
    person.session_version += 1
    db.session.commit()


@pytest.mark.each_database
def test_a_session_finds_its_person_in_one_read(person: User) -> None:
    session_id, statements = person.session_id, []
    db.session.remove()
    event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    found = sessions.find_user(session_id)
    assert found and found.name == "Olive Owner"
    assert found.get_id() == session_id
    assert [text[:6] for text in statements if text != "BEGIN"] == ["SELECT"]


@pytest.mark.parametrize(
    "happens",
    [
        lambda person: sessions.end(person.session_id),
        lambda _: change(ends_ms=now_ms()),
        lambda _: change(seen_ms=now_ms() - sessions.IDLE_SECONDS * 1000 - 1),
        switch_off,
        raise_version,
    ],
    ids=["signed out", "too long", "unused", "switched off", "signed out everywhere"],
)
def test_a_session_ends(person: User, happens: Callable[[User], None]) -> None:
    session_id = person.session_id
    assert sessions.find_user(session_id) is not None
    happens(person)
    assert sessions.find_user(session_id) is None


def test_one_browser_signs_out_alone(person: User) -> None:
    first = person.session_id
    sessions.begin(person)
    sessions.end(first)
    assert sessions.find_user(first) is None
    assert sessions.find_user(person.session_id) is not None


def test_one_person_has_a_bounded_number_of_sessions(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(sessions, "_REMEMBERED_OF_PERSON", 5)
    ids = [person.session_id]
    for age in range(20):
        change(seen_ms=Session.seen_ms - 1000)  # in the order in which they begin
        sessions.begin(person)
        ids.append(person.session_id)
        assert sessions.find_user(person.session_id) is not None, age
    assert [sessions.find_user(one) is not None for one in ids[-4:]] == [False, True, True, True]
    assert db.session.scalar(select(func.count(Session.id))) == 5
    told = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "session.end")).all()
    assert told and told[-1].details["reason"] == "too many sign-ins"


def test_a_kept_session_may_rest(person: User) -> None:
    change(seen_ms=0, is_kept=True)
    assert sessions.find_user(person.session_id) is not None


def test_using_it_is_noted_rarely(person: User) -> None:
    before = now_ms() - 10 * 60_000
    change(seen_ms=before)
    found = sessions.find_user(person.session_id)
    assert found
    sessions.note_seen(found)
    noted = db.session.scalar(select(Session.seen_ms))
    assert noted and noted > before
    found = sessions.find_user(person.session_id)
    assert found and found.is_seen_lately


@pytest.mark.parametrize("guess", ["", "1", "1.1", "x" * 500, "' OR 1=1 --"])
def test_nobody_is_behind_a_guess(person: User, guess: str) -> None:
    assert sessions.find_user(guess) is None


def test_an_account_without_a_session_gets_no_addresses(context: Flask, owner: User) -> None:
    with pytest.raises(ValueError, match="session"):
        owner.get_id()


def test_a_session_knows_what_holds_it(person: User) -> None:
    sessions.begin(person, kind=SessionKind.APP, device="Phone " * 50, address="192.0.2.7")
    newest = sessions.list_of(person)[0]
    assert (newest.id, newest.kind, newest.address) == (person.session_id, "app", "192.0.2.7")
    assert newest.device.startswith("Phone") and len(newest.device) == 120


def test_only_living_sessions_are_listed_the_newest_first(person: User) -> None:
    first = person.session_id
    change(seen_ms=now_ms() - 60_000)
    sessions.begin(person)
    assert [row.id for row in sessions.list_of(person)] == [person.session_id, first]
    sessions.end(first)
    assert [row.id for row in sessions.list_of(person)] == [person.session_id]


def test_the_address_follows_the_use(person: User) -> None:
    change(seen_ms=now_ms() - 10 * 60_000)
    found = sessions.find_user(person.session_id)
    assert found
    sessions.note_seen(found, address="192.0.2.9")
    assert db.session.scalar(select(Session.address)) == "192.0.2.9"


@pytest.mark.each_database
def test_everywhere_else_can_be_signed_out(person: User) -> None:
    first = person.session_id
    sessions.begin(person)
    here = person.session_id
    sessions.end_all(person, except_id=here)
    assert sessions.find_user(first) is None
    assert sessions.find_user(here)
    sessions.end_all(person)
    assert sessions.find_user(here) is None
    assert sessions.list_of(person) == []


def test_nobody_ends_the_session_of_somebody_else(person: User) -> None:
    other = users.create_user("Vic", "vic@example.org", password="a long enough one", role=Role.VISITOR)
    with pytest.raises(NotFound):
        sessions.end_of(other, person.session_id)
    assert sessions.find_user(person.session_id)
    sessions.end_of(person, person.session_id)
    assert sessions.find_user(person.session_id) is None


def test_a_password_typed_again_counts_for_ten_minutes_in_this_session(person: User) -> None:
    here = person.session_id
    assert not sessions.has_sudo(person)
    sessions.begin_sudo(person)
    found = sessions.find_user(here)
    assert found and sessions.has_sudo(found)
    assert found.sudo_until_ms <= now_ms() + 10 * 60_000
    sessions.begin(person)
    other = sessions.find_user(person.session_id)
    assert other and not sessions.has_sudo(other)
    change(sudo_until_ms=now_ms())
    found = sessions.find_user(here)
    assert found and not sessions.has_sudo(found)


def test_staying_puts_the_end_off_but_never_beyond_a_day(person: User) -> None:
    hour = 3_600_000
    change(created_ms=now_ms() - 12 * hour, ends_ms=now_ms() + 60_000)
    sessions.stay(person)
    ends = db.session.scalar(select(Session.ends_ms)) or 0
    assert 11.9 < (ends - now_ms()) / hour < 12.1
    change(created_ms=now_ms() - 23 * hour, ends_ms=now_ms() + 60_000)
    sessions.stay(person)
    ends = db.session.scalar(select(Session.ends_ms)) or 0
    assert 0.9 < (ends - now_ms()) / hour < 1.1


def test_a_request_knows_when_its_session_ends(person: User) -> None:
    found = sessions.find_user(person.session_id)
    assert found
    assert abs(found.session_ends_ms - now_ms() - sessions.IDLE_SECONDS * 1000) < 5000
    change(seen_ms=now_ms() - 3 * 3_600_000)
    found = sessions.find_user(person.session_id)
    assert found
    assert found.session_ends_ms < now_ms() + 3_700_000
    sessions.note_seen(found)
    assert abs(found.session_ends_ms - now_ms() - sessions.IDLE_SECONDS * 1000) < 5000, "this use counts"
    change(is_kept=True, seen_ms=0)
    found = sessions.find_user(person.session_id)
    assert found
    assert abs(found.session_ends_ms - now_ms() - sessions.LONGEST_SECONDS * 1000) < 5000


def test_old_ones_are_forgotten(person: User) -> None:
    sessions.end(person.session_id)
    sessions.forget_old()
    assert db.session.scalar(select(Session.id))
    change(ended_ms=now_ms() - 8 * 24 * 3600 * 1000)
    sessions.forget_old()
    assert db.session.scalar(select(Session.id)) is None
