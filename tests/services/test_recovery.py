"""A forgotten password and an unproven address: mailed codes, and the same answer for every name."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, current_app
from sqlalchemy import select, update

from cctv import keys, queue
from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid, LimitReached, Unavailable
from cctv.extensions import begin_writing, db
from cctv.models import ApiToken, AuditEntry, MailMessage, OneTimeCode, Role, SessionKind, User
from cctv.services.person import addresses_of_people, users
from cctv.services.sign_in import codes, recovery, second_factor, sessions
from cctv.services.site import settings
from tests.servers import RedisServer

NEW = "quite another sentence"


@pytest.fixture
def person(context: Flask, owner: User) -> User:
    settings.save(site_address="https://cams.example.org", organisation_name="Site")
    return db.session.get_one(User, owner.id)


def mailed(template: str) -> dict[str, Any]:
    """What the newest mail of this kind says, and to whom."""
    query = select(MailMessage).where(MailMessage.template == template).order_by(MailMessage.id.desc())
    message = db.session.scalars(query).first()
    assert message, f"no mail {template}"
    return {"to": message.address, **json.loads(keys.decrypt(message.values_sealed or ""))}


def mails() -> list[str]:
    return list(db.session.scalars(select(MailMessage.template).order_by(MailMessage.id)))


def token_of(values: dict[str, Any]) -> str:
    base, _, token = str(values["link"]).partition("?token=")
    assert base.startswith("https://cams.example.org/")
    return token


def refused(errors: pytest.ExceptionInfo[Invalid]) -> dict[str, str]:
    return errors.value.errors


@pytest.mark.each_database
def test_the_code_from_the_mail_opens_the_way_to_a_new_password(person: User) -> None:
    recovery.send_reset("Owner")
    values = mailed("reset")
    assert values["to"] == "owner@example.org"
    recovery.reset(" OWNER@example.org", values["code"], NEW)
    assert users.check_password(person, NEW)
    assert person.password_changed_at and person.email_verified_at
    with pytest.raises(Invalid):
        recovery.reset("owner", values["code"], NEW)


def test_so_does_its_link_once(person: User) -> None:
    recovery.send_reset("owner")
    token = token_of(mailed("reset"))
    assert recovery.find_reset(token)
    recovery.reset_by_link(token, NEW)
    assert users.check_password(person, NEW)
    assert not recovery.find_reset(token)
    with pytest.raises(Invalid) as refusal:
        recovery.reset_by_link(token, NEW)
    assert refused(refusal) == {"token": codes.DEAD_LINK}


def test_it_ends_every_session_and_token_and_tells_the_person(person: User) -> None:
    sessions.begin(person)
    browser = person.session_id
    sessions.begin(person, kind=SessionKind.APP)
    app = person.session_id
    begin_writing()
    db.session.add(ApiToken(user_id=person.id, name="x", prefix="x", secret_hash="x"))
    db.session.commit()
    recovery.send_reset("owner")
    recovery.reset("owner", mailed("reset")["code"], NEW)
    assert sessions.find_user(browser) is None
    assert sessions.find_user(app) is None
    assert db.session.scalar(select(ApiToken.revoked_at)) is not None
    assert mailed("password_changed")["to"] == "owner@example.org"
    last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert last and (last.action, last.target_id) == ("password.reset", person.id)


def test_the_second_factor_stays_on(person: User) -> None:
    person.totp_secret_encrypted, person.totp_confirmed_at = keys.encrypt("A" * 32), utcnow()
    db.session.commit()
    recovery.send_reset("owner")
    recovery.reset("owner", mailed("reset")["code"], NEW)
    assert second_factor.is_on(person)


def switch_off(person: User) -> None:
    person.is_enabled = False


def invite(person: User) -> None:
    person.password_hash = ""


@pytest.mark.parametrize("happens", [switch_off, invite])
def test_an_account_that_is_off_or_waits_for_its_invitation_gets_nothing(person: User, happens: Any) -> None:
    recovery.send_reset("owner")
    values = mailed("reset")
    happens(person)
    db.session.commit()
    recovery.send_reset("owner")
    assert mails() == ["reset"]
    with pytest.raises(Invalid):
        recovery.reset("owner", values["code"], NEW)
    assert not recovery.find_reset(token_of(values))
    with pytest.raises(Invalid):
        recovery.reset_by_link(token_of(values), NEW)


def test_nobody_gets_no_mail(person: User) -> None:
    recovery.send_reset("nobody@example.org")
    addresses_of_people.send_verification("nobody@example.org")
    assert mails() == []


def test_a_letter_box_is_not_flooded_and_nobody_is_told(person: User) -> None:
    for _ in range(6):
        recovery.send_reset("owner")
    assert mails() == ["reset"] * codes.MOST_MADE


def test_a_wrong_code_is_the_same_for_every_name(person: User) -> None:
    said = []
    recovery.send_reset("owner")
    for name in ("owner", "nobody", ""):
        with pytest.raises(Invalid) as refusal:
            recovery.reset(name, "00000000", NEW)
        said.append(refused(refusal))
    assert said == [{"code": codes.WRONG}] * 3


def test_what_a_password_must_be_is_said_before_the_name_is_looked_up(person: User) -> None:
    for name in ("owner", "nobody"):
        with pytest.raises(Invalid) as refusal:
            recovery.reset(name, "00000000", "short")
        assert list(refused(refusal)) == ["password"]


def test_a_bad_password_leaves_code_and_link_good(person: User) -> None:
    recovery.send_reset("owner")
    values = mailed("reset")
    with pytest.raises(Invalid, match="own name"):
        recovery.reset("owner", values["code"], person.email)
    with pytest.raises(Invalid, match="own name"):
        recovery.reset_by_link(token_of(values), person.email)
    recovery.reset("owner", values["code"], NEW)


def test_asking_says_nothing_and_leaves_the_work_to_a_job(person: User, redis_server: RedisServer) -> None:
    for name in ("owner", "nobody"):
        recovery.request_reset(name)
        recovery.ask_for_verification(name)
    jobs = [job.func_name for job in queue.queue(queue.HIGH).jobs]
    assert jobs == ["cctv.jobs.recovery.send_reset", "cctv.jobs.recovery.send_verification"] * 2
    assert mails() == []


@pytest.mark.parametrize("name", ["owner", "nobody"])
def test_without_redis_everybody_is_asked_to_wait(person: User, name: str) -> None:
    current_app.extensions["cctv.redis"] = queue.connect("unix:///nowhere/redis.sock")
    with pytest.raises(Unavailable):
        recovery.request_reset(name)


@pytest.mark.each_database
def test_an_address_is_proven_by_code_or_link(person: User) -> None:
    recovery.request_verification(person)
    recovery.verify("owner", mailed("verify")["code"])
    assert person.email_verified_at
    person.email_verified_at = None
    db.session.commit()
    addresses_of_people.send_verification("owner")
    token = token_of(mailed("verify"))
    assert addresses_of_people.find_verification(token) == person.email
    recovery.verify_by_link(token)
    assert person.email_verified_at
    addresses_of_people.send_verification("owner")
    assert mails() == ["verify", "verify"], "a proven address needs no proof"


@pytest.mark.each_database
def test_a_new_address_counts_once_it_is_proven(person: User) -> None:
    assert addresses_of_people.change_email(person, " New@Example.org ") == "new@example.org"
    assert person.email == "owner@example.org"
    assert addresses_of_people.waiting_email(person) == "new@example.org"
    values = mailed("verify")
    assert values["to"] == "new@example.org"
    recovery.verify_by_link(token_of(values))
    assert person.email == "new@example.org" and person.email_verified_at
    assert addresses_of_people.waiting_email(person) is None
    notice = mailed("generic")
    assert notice["to"] == "owner@example.org"
    assert "n***@example.org" in notice["body"] and "new@example.org" not in notice["body"]


def test_an_address_that_somebody_has_is_neither_told_nor_given(person: User) -> None:
    users.create_user("Vic", "vic@example.org", password="long enough for it", role=Role.VISITOR)
    assert addresses_of_people.change_email(person, "vic@example.org") == "vic@example.org"
    assert mails() == []


def test_of_two_who_want_the_same_address_the_first_to_prove_it_gets_it(person: User) -> None:
    other = users.create_user("Vic", "vic@example.org", password="long enough for it", role=Role.VISITOR)
    addresses_of_people.change_email(person, "new@example.org")
    mine = token_of(mailed("verify"))
    addresses_of_people.change_email(other, "new@example.org")
    recovery.verify_by_link(token_of(mailed("verify")))
    with pytest.raises(Conflict):
        recovery.verify_by_link(mine)
    db.session.rollback()
    assert db.session.get_one(User, person.id).email == "owner@example.org"


def test_a_change_of_address_kills_what_the_old_one_was_sent(person: User) -> None:
    recovery.send_reset("owner")
    old = mailed("reset")
    addresses_of_people.change_email(person, "new@example.org")
    recovery.verify_by_link(token_of(mailed("verify")))
    with pytest.raises(Invalid):
        recovery.reset("owner", old["code"], NEW)


@pytest.mark.parametrize("typed", ["", "no", "owner@example.org", "a@b\r\nBcc: c@d.org"])
def test_what_is_no_new_address_is_refused(person: User, typed: str) -> None:
    with pytest.raises(Invalid) as refusal:
        addresses_of_people.change_email(person, typed)
    assert list(refused(refusal)) == ["email"]


def test_somebody_signed_in_is_told_to_wait(person: User) -> None:
    for _ in range(codes.MOST_MADE):
        recovery.request_verification(person)
    with pytest.raises(LimitReached):
        recovery.request_verification(person)
    db.session.execute(update(OneTimeCode).values(created_at=utcnow() - timedelta(minutes=16)))
    db.session.commit()
    recovery.request_verification(person)


@pytest.mark.usefixtures("pages")
def test_whoever_runs_the_machine_makes_a_link_without_mail(person: User, context: Flask) -> None:
    person.totp_secret_encrypted, person.totp_confirmed_at = keys.encrypt("A" * 32), utcnow()
    db.session.commit()
    printed = context.test_cli_runner().invoke(args=["user", "recover", "owner", "--second-factor-off"])
    assert printed.exit_code == 0 and mails() == ["generic"], "told of the second factor, sent no link"
    recovery.reset_by_link(printed.output.strip().partition("?token=")[2], NEW)
    db.session.refresh(person)
    assert users.check_password(person, NEW) and not second_factor.is_on(person)
    refused = context.test_cli_runner().invoke(args=["user", "recover", "nobody"])
    assert refused.exit_code == 1 and "No account" in refused.output
