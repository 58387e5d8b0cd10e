"""A repeated request gets its first answer; another one with its key, or one still at work, is refused."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid
from cctv.extensions import db
from cctv.models import IdempotencyKey, User
from cctv.services.site import idempotency
from cctv.services.site.idempotency import Kept

pytestmark = pytest.mark.each_database
REQUEST, OTHER = b'POST /x\n{"a": 1}', b'POST /x\n{"a": 2}'


@pytest.fixture
def person(context: Flask, owner: User) -> User:
    return db.session.get_one(User, owner.id)


def test_the_first_answer_is_given_again_for_a_day(person: User) -> None:
    assert idempotency.claim(person, "k", REQUEST) is None
    idempotency.keep(person, "k", Kept(201, "{}"))
    assert idempotency.claim(person, "k", REQUEST) == Kept(201, "{}")
    with pytest.raises(Invalid):
        idempotency.claim(person, "k", OTHER)
    with time_machine.travel(utcnow() + timedelta(hours=25), tick=True):
        idempotency.forget_old()
    assert db.session.scalars(db.select(IdempotencyKey)).all() == []


def test_nobody_can_try_words_against_what_is_kept_of_a_request(person: User) -> None:
    idempotency.claim(person, "k", REQUEST)
    [row] = db.session.scalars(db.select(IdempotencyKey))
    for algorithm in hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}:
        assert row.request_hash != hashlib.new(algorithm, REQUEST).hexdigest()


def test_one_that_is_at_work_is_not_done_a_second_time(person: User) -> None:
    assert idempotency.claim(person, "k", REQUEST) is None
    with pytest.raises(Conflict, match="still at work"):
        idempotency.claim(person, "k", REQUEST)


def test_one_whose_process_died_may_be_done_again(person: User) -> None:
    idempotency.claim(person, "k", REQUEST)
    with time_machine.travel(utcnow() + timedelta(minutes=3), tick=True):
        assert idempotency.claim(person, "k", REQUEST) is None
        with pytest.raises(Conflict):
            idempotency.claim(person, "k", REQUEST)


def test_a_failed_one_leaves_its_key_free_and_a_kept_one_does_not(person: User) -> None:
    idempotency.claim(person, "k", REQUEST)
    idempotency.give_up(person.id, "k")
    assert idempotency.claim(person, "k", OTHER) is None
    idempotency.keep(person, "k", Kept(200, "1"))
    idempotency.give_up(person.id, "k")
    assert idempotency.claim(person, "k", OTHER) == Kept(200, "1")


def test_a_token_does_not_share_the_keys_of_its_person(person: User) -> None:
    idempotency.claim(person, "k", REQUEST)
    person.token_actions, person.session_id = frozenset(), "token:7"
    assert idempotency.claim(person, "k", OTHER) is None
