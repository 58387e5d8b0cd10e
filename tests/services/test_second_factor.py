"""The second factor: confirmed before it counts, each code once, recovery codes once, off on request."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pyotp
import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from cctv import keys
from cctv.clock import now_ms
from cctv.errors import Conflict, Invalid, NotAllowed
from cctv.extensions import db
from cctv.models import AuditEntry, MailMessage, RecoveryCode, Role, User
from cctv.services.person import users
from cctv.services.sign_in import second_factor

START = 1_800_000_000  # at the beginning of a step


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def person(context: Flask, owner: User) -> User:
    return db.session.get_one(User, owner.id)


def phone(person: User, *, steps: int = 0) -> str:
    """What the person's app shows, `steps` half minutes from now."""
    totp = pyotp.TOTP(keys.decrypt(person.totp_secret_encrypted or ""))
    return totp.at(now_ms() // 1000 + 30 * steps)


@pytest.fixture
def recovery(person: User, clock: time_machine.Traveller) -> list[str]:
    """It is on since a minute ago; the recovery codes."""
    second_factor.enrol(person)
    made = second_factor.confirm(person, phone(person))
    clock.shift(60)
    return made


def actions() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_it_does_not_count_before_a_first_code(person: User, clock: time_machine.Traveller) -> None:
    enrolment = second_factor.enrol(person)
    assert not second_factor.is_on(person)
    assert not second_factor.accept(person, phone(person))
    assert enrolment.key.replace(" ", "") == keys.decrypt(person.totp_secret_encrypted or "")
    assert enrolment.qr_picture.startswith("data:image/svg+xml")
    assert second_factor.enrol(person).key == enrolment.key, "asking again shows the same"
    with pytest.raises(Invalid, match="clock"):
        second_factor.confirm(person, "000000")
    made = second_factor.confirm(person, phone(person))
    assert second_factor.is_on(person)
    assert len(set(made)) == 10
    assert all(re.fullmatch(r"[a-z2-9]{5}-[a-z2-9]{5}", code) for code in made)
    assert actions()[-1] == "second_factor.on"
    assert db.session.scalar(select(MailMessage.subject)) == "Your second factor is on"


def test_neither_key_nor_recovery_codes_are_stored_or_printed(person: User, recovery: list[str]) -> None:
    secret = keys.decrypt(person.totp_secret_encrypted or "")
    assert secret not in str(person.totp_secret_encrypted)
    stored = " ".join(db.session.scalars(select(RecoveryCode.code_hash)))
    assert not [code for code in recovery if code.replace("-", "") in stored]


@pytest.mark.each_database
def test_a_code_is_accepted_once(person: User, recovery: list[str]) -> None:
    code = phone(person)
    assert second_factor.accept(person, f" {code[:3]} {code[3:]} ")
    assert not second_factor.accept(person, code)


def test_the_code_that_confirmed_it_opens_nothing(person: User, clock: time_machine.Traveller) -> None:
    second_factor.enrol(person)
    code = phone(person)
    second_factor.confirm(person, code)
    assert not second_factor.accept(person, code)


@pytest.mark.parametrize(
    ("steps", "is_accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_phone_may_be_half_a_minute_off(
    person: User, recovery: list[str], steps: int, is_accepted: bool
) -> None:
    assert second_factor.accept(person, phone(person, steps=steps)) == is_accepted


def test_after_a_code_no_earlier_one_counts(person: User, recovery: list[str]) -> None:
    assert second_factor.accept(person, phone(person, steps=1))
    assert not second_factor.accept(person, phone(person))


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "x" * 10_000, "aaaaa-aaaaa"])
def test_nonsense_is_refused(person: User, recovery: list[str], typed: str) -> None:
    assert not second_factor.accept(person, typed)


@pytest.mark.each_database
def test_a_recovery_code_works_once_however_it_is_typed(person: User, recovery: list[str]) -> None:
    assert second_factor.accept(person, recovery[0].upper().replace("-", " "))
    assert not second_factor.accept(person, recovery[0])
    assert second_factor.recovery_codes_left(person) == 9
    assert actions()[-1] == "second_factor.recovery_code"


def test_new_recovery_codes_kill_the_old_ones(person: User, recovery: list[str]) -> None:
    newer = second_factor.renew_recovery_codes(person)
    assert not second_factor.accept(person, recovery[0])
    assert second_factor.accept(person, newer[0])


@pytest.mark.each_database
def test_of_two_at_once_with_the_same_code_one_gets_in(person: User, recovery: list[str], app: Flask) -> None:
    code, person_id, won = phone(person), person.id, []

    def try_it() -> None:
        with app.app_context():
            won.append(second_factor.accept(db.session.get_one(User, person_id), code))

    db.session.commit()
    several = [threading.Thread(target=try_it) for _ in range(4)]
    for each in several:
        each.start()
    for each in several:
        each.join(20)
    assert sorted(won) == [False, False, False, True]


def test_it_is_turned_off_with_all_that_belongs_to_it(person: User, recovery: list[str]) -> None:
    second_factor.turn_off(person)
    assert not second_factor.is_on(person)
    assert second_factor.recovery_codes_left(person) == 0
    assert not second_factor.accept(person, recovery[0])
    assert actions()[-1] == "second_factor.off"
    with pytest.raises(Conflict):
        second_factor.renew_recovery_codes(person)


def make(role: Role) -> User:
    return users.create_user(role.label, f"{role}@example.org", password="long enough for it", role=role)


@pytest.mark.parametrize(
    ("actor", "person", "is_allowed"),
    [
        (Role.SUPER_ADMIN, Role.ADMIN, True),
        (Role.SUPER_ADMIN, Role.VISITOR, True),
        (Role.ADMIN, Role.VISITOR, True),
        (Role.ADMIN, Role.DEVELOPER, False),
        (Role.ADMIN, Role.SUPER_ADMIN, False),
        (Role.DEVELOPER, Role.VISITOR, False),
        (Role.VISITOR, Role.ADMIN, False),
    ],
)
def test_only_somebody_above_resets_it(context: Flask, actor: Role, person: Role, is_allowed: bool) -> None:
    above, below = make(actor), make(person)
    second_factor.enrol(below)
    second_factor.confirm(below, phone(below))
    if is_allowed:
        second_factor.reset(above, below)
        last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last and last.target_id == below.id and last.details == {"is_reset": True}
    else:
        with pytest.raises(NotAllowed):
            second_factor.reset(above, below)
    assert second_factor.is_on(below) != is_allowed


def test_nobody_resets_their_own_that_way(person: User, recovery: list[str]) -> None:
    with pytest.raises(NotAllowed):
        second_factor.reset(person, person)
