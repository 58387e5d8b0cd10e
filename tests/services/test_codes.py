"""Codes and links by mail: used once, tried five times, short-lived, and stored as hashes only."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from cctv.clock import utcnow
from cctv.errors import Invalid, LimitReached
from cctv.extensions import begin_writing, db
from cctv.models import CodePurpose, OneTimeCode, User
from cctv.services.sign_in import codes
from cctv.services.sign_in.codes import Made

RESET, VERIFY, INVITE = CodePurpose.RESET, CodePurpose.VERIFY, CodePurpose.INVITE


@pytest.fixture
def person(context: Flask, owner: User) -> User:
    return db.session.get_one(User, owner.id)


def make(person: User, purpose: CodePurpose = RESET, **more: str) -> Made:
    begin_writing()
    made = codes.make(person, purpose, **more)
    db.session.commit()
    return made


def use(person: User, code: str, purpose: CodePurpose = RESET) -> str:
    """The address that the code spoke for."""
    begin_writing()
    email = codes.use_code(person, purpose, code).email
    db.session.commit()
    return email


def is_refused(person: User, code: str, purpose: CodePurpose = RESET) -> bool:
    try:
        use(person, code, purpose)
    except Invalid as refusal:
        assert refusal.errors == {"code": codes.WRONG}
        return True
    return False


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**codes.DIGITS:0{codes.DIGITS}}"


def age(**by: float) -> None:
    moved = {"created_at": utcnow() - timedelta(**by), "expires_at": utcnow() + timedelta(days=1)}
    db.session.execute(update(OneTimeCode).values(**moved))
    db.session.commit()


@pytest.mark.each_database
def test_a_code_works_once(person: User) -> None:
    made = make(person)
    assert len(made.code) == 8 and made.code.isdigit()
    assert use(person, f" {made.code[:4]} {made.code[4:]} ") == person.email
    assert is_refused(person, made.code)


@pytest.mark.each_database
def test_a_link_works_once_and_takes_its_code_with_it(person: User) -> None:
    made = make(person)
    assert codes.find_link(RESET, made.link_token)
    begin_writing()
    assert codes.use_link(RESET, made.link_token) is person
    db.session.commit()
    assert codes.find_link(RESET, made.link_token) is None
    with pytest.raises(Invalid):
        codes.use_link(RESET, made.link_token)
    assert is_refused(person, made.code)


def test_a_link_opens_nothing_else(person: User) -> None:
    made = make(person)
    for token in (made.link_token + "x", "", made.code, "' OR 1=1 --"):
        assert codes.find_link(RESET, token) is None
    assert codes.find_link(VERIFY, made.link_token) is None
    assert is_refused(person, made.code, VERIFY)


def test_five_wrong_tries_kill_the_code_but_not_the_link(person: User) -> None:
    made = make(person)
    for _ in range(codes.MOST_TRIES):
        assert is_refused(person, other_than(made.code))
    assert is_refused(person, made.code)
    assert codes.find_link(RESET, made.link_token)


def test_the_tries_of_an_account_are_counted_over_all_its_codes(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "MOST_MADE", 100)
    for _ in range(3):
        made = make(person)
        for _ in range(codes.MOST_TRIES):
            assert is_refused(person, other_than(made.code))
    assert is_refused(person, make(person).code)


def test_a_newer_one_kills_the_older(person: User) -> None:
    older, invitation = make(person), make(person, INVITE)
    newer = make(person)
    assert is_refused(person, older.code)
    assert codes.find_link(RESET, older.link_token) is None
    assert codes.find_link(INVITE, invitation.link_token), "of another purpose"
    assert use(person, newer.code)


def test_a_letter_box_gets_three_in_a_quarter_of_an_hour(person: User) -> None:
    for purpose in (RESET, VERIFY, RESET):
        make(person, purpose)
    with pytest.raises(LimitReached, match="quarter of an hour"):
        make(person)
    db.session.rollback()
    age(minutes=16)
    make(person)


def test_a_code_is_too_old_after_ten_minutes_and_an_invitation_after_three_days(person: User) -> None:
    invitation = make(person, INVITE)
    assert invitation.expires_at - utcnow() > timedelta(days=2, hours=23)
    assert make(person).expires_at - utcnow() <= timedelta(minutes=10)
    age(minutes=11)
    assert is_refused(person, invitation.code, INVITE)
    assert codes.find_link(INVITE, invitation.link_token)
    db.session.execute(update(OneTimeCode).values(expires_at=utcnow()))
    db.session.commit()
    assert codes.find_link(INVITE, invitation.link_token) is None


def test_a_code_speaks_for_the_address_it_was_sent_to(person: User) -> None:
    made = make(person, VERIFY, email="new@example.org")
    assert use(person, made.code, VERIFY) == "new@example.org"


@pytest.mark.each_database
def test_of_two_at_once_one_wins(person: User, app: Flask) -> None:
    made, won = make(person), []

    def try_it() -> None:
        with app.app_context():
            someone = db.session.get_one(User, person_id)
            begin_writing()
            try:
                codes.use_code(someone, RESET, made.code)
            except Invalid:
                return
            db.session.commit()
            won.append(1)

    person_id = person.id
    db.session.commit()
    both = [threading.Thread(target=try_it) for _ in range(4)]
    for each in both:
        each.start()
    for each in both:
        each.join(20)
    assert won == [1]


def test_neither_is_stored_nor_printed(person: User) -> None:
    made = make(person)
    row = db.session.scalars(select(OneTimeCode)).one()
    stored = " ".join(str(getattr(row, column.key)) for column in OneTimeCode.__table__.columns)
    for secret in (made.code, made.link_token):
        assert secret not in stored
        assert secret not in repr(made)


def test_old_ones_are_forgotten(person: User) -> None:
    make(person)
    codes.forget_old()
    assert db.session.scalar(select(func.count(OneTimeCode.id))) == 1
    db.session.execute(update(OneTimeCode).values(expires_at=utcnow() - timedelta(days=8)))
    db.session.commit()
    codes.forget_old()
    assert db.session.scalar(select(func.count(OneTimeCode.id))) == 0
