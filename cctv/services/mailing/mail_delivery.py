"""Sending one mail: claimed by compare-and-set, handed to the server at most once, its outcome written down.

Runs in jobs only. A worker that dies leaves a row that says how far it came.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from cctv import config
from cctv.clock import utcnow
from cctv.errors import CctvError
from cctv.extensions import begin_writing, db
from cctv.models import MailMessage, MailState, User
from cctv.services.mailing import mail, mail_files, mail_words, smtp
from cctv.services.mailing.mail_causes import Undelivered

# Longer than a delivery takes (smtp.Limits: 30 + 60 s) and than its job may (mail.dispatch).
LEASE = timedelta(seconds=180)
# Seconds until the next try of the same mail; the last one again and again until the mail expires.
_WAITS = (30, 60, 120, 300, 900, 1800)
_WAITS_OF_URGENT = (10, 20, 30)  # a code lives ten minutes
# The server itself is in trouble: one mail finds out whether it still is, the others wait.
_PAUSE = timedelta(seconds=30)
_LOST = "The job ended while the server was taking the mail. It may have arrived, so it is not sent again."
_CANNOT = "This mail could not be written: {}"

_log = logging.getLogger(__name__)


class Superseded(Exception):
    """The claim lapsed, the mail expired or was taken over: it must not be handed over by us."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that is ours to send; plain values, because the row may be somebody else's by and by."""

    message_id: int
    tries: int  # the fence
    template: str
    address: str
    expires_at: datetime
    values: dict[str, Any]
    reply_to: str  # of the person who wrote it

    @property
    def is_test(self) -> bool:
        """Whether somebody watches its steps; it is tried once."""
        return self.template == mail.TEST

    @property
    def secrets(self) -> tuple[str, ...]:
        """What a server may say back to us and nobody may read."""
        return tuple(str(self.values[key]) for key in ("code", "link") if self.values.get(key))

    @property
    def is_ours(self) -> tuple[Any, ...]:
        """The condition under which the row is still this claim's."""
        return (
            MailMessage.id == self.message_id,
            MailMessage.state == MailState.SENDING,
            MailMessage.tries == self.tries,
        )


def deliver(message_id: int, *, limits: smtp.Limits | None = None) -> None:
    """Send a mail if it is due and nobody else sends it. Safe to run twice."""
    claim = _claim(message_id)
    if claim is None:
        return
    try:
        _hand_over(claim, limits or (smtp.TEST_LIMITS if claim.is_test else smtp.Limits()))
    except Superseded:
        _log.info("mail %d is not ours to send any more", message_id)
        return
    except Undelivered as undelivered:
        outcome = undelivered
    except (KeyError, ValueError, OSError) as error:
        _log.exception("mail %d could not be written", message_id)
        outcome = _unwritten(type(error).__name__)
    else:
        _insist(lambda: _settle_sent(claim))
        return
    _log.warning("mail %d was not sent: %s", message_id, outcome.cause)
    _insist(lambda: _settle_unsent(claim, outcome))


def recover() -> None:
    """Settle the mails whose job died; part of the periodic tick."""
    begin_writing()
    lapsed = select(MailMessage).where(
        MailMessage.state == MailState.SENDING, MailMessage.next_at <= utcnow()
    )
    for message in db.session.scalars(lapsed.with_for_update(skip_locked=True)):
        if message.handed_at is not None:
            mail.end(message, MailState.FAILED, _LOST)
        else:
            message.state = MailState.QUEUED
            message.cause = "The job that was sending it ended."
    db.session.commit()


def _claim(message_id: int) -> Claim | None:
    """Of several workers one wins."""
    now = utcnow()
    begin_writing()
    changed: Any = db.session.execute(
        update(MailMessage)
        .where(
            MailMessage.id == message_id,
            MailMessage.state == MailState.QUEUED,
            MailMessage.next_at <= now,
            MailMessage.expires_at > now,
        )
        .values(state=MailState.SENDING, tries=MailMessage.tries + 1, next_at=now + LEASE, handed_at=None)
        .execution_options(synchronize_session=False)
    )
    if not changed.rowcount:
        db.session.rollback()
        return None
    message = db.session.get_one(MailMessage, message_id, populate_existing=True)
    try:
        claim = _read(message)
    except (CctvError, ValueError):  # SECRET_KEY has changed
        mail.end(message, MailState.FAILED, _CANNOT.format("what it says cannot be read any more"))
        message.values_sealed = None
        claim = None
    db.session.commit()
    return claim


def _read(message: MailMessage) -> Claim:
    is_written = message.sender_id is not None and message.batch_id is not None
    writer = db.session.get(User, message.sender_id) if is_written else None
    return Claim(
        message_id=message.id,
        tries=message.tries,
        template=message.template,
        address=message.address,
        expires_at=message.expires_at or utcnow() + mail.GIVEN_UP_AFTER,
        values=mail.open_values(message),
        reply_to=writer.email if writer else "",
    )


def _hand_over(claim: Claim, limits: smtp.Limits) -> None:
    """Write the mail and give it away: to the server, or without one to a file."""
    letter = mail_words.write(claim.template, claim.values, expires_at=claim.expires_at)
    envelope = smtp.Envelope(
        to=claim.address,
        sender=mail_words.sender_address(),
        sender_name=mail_words.organisation(),
        message_id=mail_words.message_id(claim.message_id),
    )
    envelope.subject, envelope.body, envelope.html = letter.subject, letter.text, letter.html
    if claim.reply_to:
        envelope.is_automatic, envelope.reply_to = False, claim.reply_to
    db.session.rollback()  # no transaction is open while a server is waited for
    if not config.current().email_host:
        content = envelope.as_bytes()
        _before_handing_over(claim)
        path = mail_files.write(claim.message_id, claim.template, content, until=claim.expires_at)
        _tell(claim, [], {"step": "accepted", "state": "warn", "text": f"EMAIL_HOST is not set. {path}"})
        return
    steps: list[dict[str, str]] = []
    smtp.deliver(
        current_app.extensions["mail"],
        envelope,
        limits=limits,
        tell=lambda step, state, text: _tell(claim, steps, {"step": step, "state": state, "text": text}),
        before_handing_over=lambda: _before_handing_over(claim),
        secrets=claim.secrets,
    )


def _before_handing_over(claim: Claim) -> None:
    """The last moment at which it may be left undone. What is committed here outlives a kill -9."""
    now = utcnow()
    begin_writing()
    if claim.expires_at <= now:
        message = db.session.scalar(select(MailMessage).where(*claim.is_ours).with_for_update())
        if message is not None:
            mail.end(message, MailState.EXPIRED, "The server was too slow: it was not sent in time.")
        is_ours = False
    else:
        changed: Any = db.session.execute(
            update(MailMessage)
            .where(*claim.is_ours)
            .values(handed_at=now)
            .execution_options(synchronize_session=False)
        )
        is_ours = bool(changed.rowcount)
    db.session.commit()
    if not is_ours:
        raise Superseded


def _tell(claim: Claim, steps: list[dict[str, str]], step: dict[str, str]) -> None:
    """Steps of a test are read by the page while it runs."""
    if not claim.is_test:
        return
    steps.append(step)
    begin_writing()
    db.session.execute(
        update(MailMessage)
        .where(*claim.is_ours)
        .values(steps=list(steps))
        .execution_options(synchronize_session=False)
    )
    db.session.commit()


def _settle_sent(claim: Claim) -> None:
    begin_writing()
    message = _find_ours(claim)
    if message is not None:
        is_file = not config.current().email_host
        where = mail_files.path_of(claim.message_id, claim.template)
        mail.end(message, MailState.SENT, answer=f"Written to {where}" if is_file else "")
        if claim.is_test and not is_file:
            _wake_the_others()
    db.session.commit()


def _settle_unsent(claim: Claim, undelivered: Undelivered) -> None:
    begin_writing()
    message = _find_ours(claim)
    if message is not None:
        _put_back(message, undelivered)
        if undelivered.is_of_server:
            _pause_the_others(message, undelivered.cause)
    db.session.commit()


def _find_ours(claim: Claim) -> MailMessage | None:
    query = select(MailMessage).where(*claim.is_ours).with_for_update()
    found: MailMessage | None = db.session.scalar(query.execution_options(populate_existing=True))
    return found


def _put_back(message: MailMessage, undelivered: Undelivered) -> None:
    next_at = utcnow() + timedelta(seconds=_wait_of(message))
    if message.template == mail.TEST or undelivered.is_for_good:
        mail.end(message, MailState.FAILED, undelivered.cause, answer=undelivered.answer)
    elif message.expires_at and next_at >= message.expires_at:
        mail.end(message, MailState.EXPIRED, undelivered.cause, answer=undelivered.answer)
    else:
        message.state = MailState.QUEUED
        message.next_at = next_at
        message.handed_at = None
        message.cause, message.answer = undelivered.cause[:300], undelivered.answer[:500]


def _pause_the_others(message: MailMessage, cause: str) -> None:
    """Fifty mails must not each wait for a silent server, nor try a wrong password fifty times."""
    until = utcnow() + _PAUSE
    db.session.execute(
        update(MailMessage)
        .where(
            MailMessage.state == MailState.QUEUED,
            MailMessage.next_at < until,
            MailMessage.id != message.id,
            MailMessage.template != mail.TEST,
        )
        .values(next_at=until, cause=cause[:300])
        .execution_options(synchronize_session=False)
    )


def _wake_the_others() -> None:
    """A test went through, so somebody has put the server right: what waits for its next try goes now."""
    db.session.execute(
        update(MailMessage)
        .where(MailMessage.state == MailState.QUEUED, MailMessage.cause != "")
        .values(next_at=utcnow())
        .execution_options(synchronize_session=False)
    )


def _wait_of(message: MailMessage) -> int:
    is_urgent = mail_words.TEMPLATES[message.template].is_urgent
    waits = _WAITS_OF_URGENT if is_urgent else _WAITS
    return waits[min(message.tries, len(waits)) - 1]


def _unwritten(reason: str) -> Undelivered:
    return Undelivered(_CANNOT.format(reason), is_for_good=True)


def _insist(settle: Callable[[], None]) -> None:
    """What the server answered must be known: a database that is away for a moment is asked again."""
    for seconds in (1, 3, 10):
        try:
            settle()
        except SQLAlchemyError:
            db.session.rollback()
            time.sleep(seconds)
        else:
            return
    settle()
