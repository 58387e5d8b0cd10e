"""Mails as rows and as texts: what is written, sealed, wiped, expired, and what nobody can smuggle in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from cctv import queue
from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid
from cctv.extensions import begin_writing, db
from cctv.models import MailMessage, MailState, User
from cctv.services.mailing import mail, mail_words
from cctv.services.site import settings
from tests.servers import RedisServer

CODE = "40917352"
EVIL = "Gate\r\nBcc: all@example.org\x1b[31m <b>&amp;\u202e"
VALUES: dict[str, Any] = {
    "code": CODE,
    "purpose": "sign in",
    "inviter": EVIL,
    "role": "Visitor",
    "at": "22 Nov 14:51",
    "device": EVIL,
    "address": EVIL,
    "machine": EVIL,
    "sentence": EVIL,
    "remedy": EVIL,
    "what": EVIL,
    "cause": EVIL,
    "subject": EVIL,
    "body": f"{EVIL}\n\nSecond <i>paragraph</i>",
    "asked_by": EVIL,
    "day": "Sunday 22 November",
    "percent": "99.8 %",
    "complete": 2,
    "idle": 1,
    "name": EVIL,
    "link": "https://cctv.example.org/reset?token=a&b=c",
    "cameras": [
        {
            "name": EVIL,
            "since": "14:51",
            "cause": EVIL,
            "breaks": 2,
            "length": "4 min",
            "percent": "98 %",
            "causes": [EVIL],
        },
        {
            "name": "Dock",
            "since": "14:52",
            "cause": "",
            "breaks": 1,
            "length": "5 min",
            "percent": "99 %",
            "causes": [],
        },
    ],
}


def _add(template: str = "reset", to: User | str = "bob@example.org", **options: Any) -> MailMessage:
    begin_writing()
    message = mail.add(template, to, VALUES, **options)
    db.session.commit()
    return message


@pytest.mark.parametrize("template", sorted(mail_words.TEMPLATES))
def test_every_template_keeps_strangers_text_text(context: Flask, template: str) -> None:
    settings.save(organisation_name=EVIL)
    letter = mail_words.write(template, VALUES, expires_at=utcnow())
    assert "\n" not in letter.subject and "\r" not in letter.subject
    for part in (letter.subject, letter.text, letter.html):
        assert "\x1b" not in part and "\u202e" not in part and "\r" not in part
    assert "<b>" not in letter.html and "<i>" not in letter.html
    assert "&amp;amp;" in letter.html
    assert not letter.text.startswith(("Bcc:", "Subject:"))


@pytest.mark.parametrize("template", sorted(mail_words.TEMPLATES))
def test_no_mail_loads_anything_or_says_its_secret_in_the_subject(context: Flask, template: str) -> None:
    letter = mail_words.write(template, VALUES, expires_at=utcnow())
    for loaded in ("<img", "<script", "<iframe", "<link", "url(", "@import", "src="):
        assert loaded not in letter.html
    assert CODE not in letter.subject and "token" not in letter.subject


@pytest.mark.parametrize("template", sorted(mail_words.TEMPLATES))
def test_a_mail_without_what_it_must_say_is_refused(context: Flask, template: str) -> None:
    with pytest.raises(KeyError):
        mail_words.write(template, {"name": "Bob"})


def test_links_lead_where_the_configuration_says(context: Flask) -> None:
    assert mail.link("/login") == ""
    settings.save(site_address="https://cctv.example.org/")
    with context.test_request_context("/", headers={"Host": "evil.example"}):
        assert mail.link("/login") == "https://cctv.example.org/login"


@pytest.mark.each_database
def test_what_a_mail_says_is_sealed_and_belongs_to_the_callers_transaction(context: Flask) -> None:
    begin_writing()
    mail.add("reset", "bob@example.org", VALUES)
    db.session.rollback()
    assert db.session.query(MailMessage).count() == 0
    message = _add()
    assert CODE not in (message.values_sealed or "") and CODE not in message.subject
    assert mail.open_values(message)["code"] == CODE


@pytest.mark.parametrize("typed", ["", "bob", "bob@example.org\nBcc: x@example.org", "a@b@c", "x" * 300])
def test_what_is_no_address_is_refused(context: Flask, typed: str) -> None:
    with pytest.raises(Invalid) as refusal:
        mail.add("generic", typed, VALUES)
    assert set(refusal.value.errors) == {"email"}


def test_only_ids_reach_redis_and_a_mail_waits_there_once(context: Flask, redis_server: RedisServer) -> None:
    message = _add()
    assert mail.dispatch() == 1
    assert mail.dispatch() == 0
    client = redis_server.client()
    stored = b"".join(value for key in client.keys("rq:job:*") for value in client.hgetall(key).values())
    assert str(message.id).encode() in stored
    assert CODE.encode() not in stored and b"example.org" not in stored


def test_a_mail_is_put_on_its_queue_again_after_redis_came_back_empty(
    context: Flask, redis_server: RedisServer
) -> None:
    _add()
    mail.dispatch()
    redis_server.empty()
    assert mail.dispatch() == 1
    assert len(queue.queue(queue.MAIL).get_job_ids()) == 1


def test_a_code_goes_before_what_nobody_waits_for(context: Flask) -> None:
    notice, code = _add("generic"), _add("otp")
    mail.dispatch()
    assert queue.queue(queue.MAIL).get_job_ids() == [f"mail_{code.id}_0", f"mail_{notice.id}_0"]


def test_an_expired_code_is_wiped_and_never_queued(context: Flask) -> None:
    message = _add(expires_at=utcnow() - timedelta(seconds=1))
    mail.expire()
    db.session.refresh(message)
    assert (message.state, message.values_sealed) == (MailState.EXPIRED, None)
    assert mail.dispatch() == 0


def test_a_cancelled_mail_is_wiped_and_stays_cancelled(context: Flask) -> None:
    message = _add()
    mail.cancel(message)
    assert (message.state, message.values_sealed) == (MailState.CANCELLED, None)
    with pytest.raises(Conflict):
        mail.cancel(message)
    with pytest.raises(Conflict):
        mail.try_again(message)


@pytest.mark.each_database
def test_a_newer_code_takes_the_place_of_those_that_were_not_sent(context: Flask) -> None:
    older, other, notice = _add("reset"), _add("reset", "eve@example.org"), _add("generic")
    newer = _add("reset")
    assert (older.state, older.values_sealed) == (MailState.CANCELLED, None)
    assert {message.state for message in (other, notice, newer)} == {MailState.QUEUED}


def test_a_failed_notice_can_be_tried_again_and_a_failed_code_cannot(context: Flask) -> None:
    notice, code = _add("generic"), _add("otp")
    begin_writing()
    for message in (notice, code):
        mail.end(message, MailState.FAILED, "The server refused the recipient.")
    db.session.commit()
    mail.try_again(notice)
    assert notice.state == MailState.QUEUED
    with pytest.raises(Conflict):
        mail.try_again(code)
    assert code.values_sealed is None
