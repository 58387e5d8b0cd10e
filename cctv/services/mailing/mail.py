"""Mail that waits to be sent: one row a recipient, written in the transaction of what it tells.

Sending is a job's work (mail_delivery.py); what a mail says is in mail_words.py and never in Redis.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from email_validator import EmailNotValidError, validate_email
from redis.exceptions import RedisError
from sqlalchemy import delete, exists, select, update

from cctv import keys, queue
from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import MailBatch, MailMessage, MailState, User
from cctv.services.auditing import audit
from cctv.services.mailing import mail_words
from cctv.services.mailing.mail_words import TEMPLATES
from cctv.services.mailing.mail_words import link as link

UNDER_WAY = (MailState.QUEUED, MailState.SENDING)
TEST = "test"  # the template of a test: tried once, in a queue where it does not wait behind others
GIVEN_UP_AFTER = timedelta(hours=24)  # of a mail that has no end of its own
_WIPED_AFTER = timedelta(days=7)
_FORGOTTEN_AFTER = timedelta(days=30)
_MOST_AT_ONCE = 200  # put on the queue by one dispatch; the next tick goes on
_JOB_SECONDS = 150  # more than a delivery may take (smtp.py)


def add(
    template: str,
    to: User | str,
    values: dict[str, Any],
    *,
    expires_at: datetime | None = None,
    sender: User | None = None,
) -> MailMessage:
    """Write a mail down, in the caller's transaction; `dispatch()` after the commit sends it.

    One with a code takes the place of those of its kind to the same address that still wait.
    `expires_at`: from then on it would not be true, and is not sent. `sender`: the person who wrote it.

    Raises:
        Invalid: key email: this is not an address that mail can be sent to.
        KeyError: there is no such template, or it needs another value.
    """
    message = prepare(template, to, values, expires_at=expires_at, sender=sender)
    if TEMPLATES[template].is_secret:
        _supersede(template, message.address)
    db.session.add(message)
    db.session.flush()
    return message


def prepare(
    template: str,
    to: User | str,
    values: dict[str, Any],
    *,
    expires_at: datetime | None = None,
    sender: User | None = None,
) -> MailMessage:
    """As `add`, without adding it: for many mails, so that no transaction waits while they are written."""
    address = to.email if isinstance(to, User) else checked_address(to)
    name = to.name if isinstance(to, User) else ""
    values = mail_words.clean({"name": name, **values})
    letter = mail_words.write(template, values, expires_at=expires_at)
    return MailMessage(
        sender_id=sender.id if sender else None,
        user_id=to.id if isinstance(to, User) else None,
        address=address,
        template=template,
        subject=letter.subject,
        values_sealed=keys.encrypt(json.dumps(values)),
        state=MailState.QUEUED,
        next_at=utcnow(),
        expires_at=expires_at or utcnow() + GIVEN_UP_AFTER,
    )


def checked_address(typed: str) -> str:
    """The address in its normal form.

    Raises:
        Invalid: key email.
    """
    try:
        return validate_email(typed.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise Invalid({"email": f"This does not look like an e-mail address: {error}"}) from None


def dispatch() -> int | None:
    """Put every mail that is due on the queue, unless it waits there; how many. None: Redis is away.

    Called after a commit and by the periodic tick: also a Redis that came back empty loses no mail.
    """
    now = utcnow()
    query = (
        select(MailMessage.id, MailMessage.tries, MailMessage.template)
        .where(
            MailMessage.state == MailState.QUEUED, MailMessage.next_at <= now, MailMessage.template != TEST
        )
        .order_by(MailMessage.next_at, MailMessage.id)
        .limit(_MOST_AT_ONCE)
    )
    due = list(db.session.execute(query))
    db.session.commit()
    if not due:
        return 0
    try:
        waiting = set(queue.queue(queue.MAIL).get_job_ids())
    except (RedisError, OSError):
        return None
    put = 0
    for message_id, tries, template in due:
        job_id = f"mail_{message_id}_{tries}"  # each try has a job of its own
        if job_id in waiting:
            continue
        is_urgent = TEMPLATES[template].is_urgent if template in TEMPLATES else False
        if not queue.enqueue(
            queue.MAIL,
            "cctv.jobs.mail.send",
            message_id,
            job_id=job_id,
            timeout_seconds=_JOB_SECONDS,
            at_front=is_urgent,
        ):
            return None
        put += 1
    return put


def get_message(message_id: int) -> MailMessage:
    """One mail.

    Raises:
        NotFound: there is none with this id.
    """
    message = db.session.get(MailMessage, message_id)
    if message is None:
        raise NotFound("This mail does not exist (any more).")
    return message


def open_values(message: MailMessage) -> dict[str, Any]:
    """What the template is filled with; only for the job that sends it.

    Raises:
        Unavailable: SECRET_KEY is not the one that it was sealed with.
    """
    values: dict[str, Any] = json.loads(keys.decrypt(message.values_sealed or ""))
    return values


def end(message: MailMessage, state: MailState, cause: str = "", *, answer: str = "") -> None:
    """The mail is over; part of the caller's transaction. What it said is wiped.

    A failed one may be tried again, so its values stay for a while - never when they open something.
    """
    message.state = state
    message.cause = cause[:300]
    message.answer = answer[:500]
    message.next_at = None
    if state == MailState.SENT:
        message.sent_at = utcnow()
    if state != MailState.FAILED or TEMPLATES[message.template].is_secret:
        message.values_sealed = None


def cancel(message: MailMessage) -> None:
    """Do not send what has not been sent.

    Raises:
        Conflict: it is on its way or over.
    """
    begin_writing()
    if not _take(message.id, MailState.QUEUED, MailState.CANCELLED):
        db.session.rollback()
        raise Conflict("This mail is on its way or over; it cannot be cancelled.")
    db.session.refresh(message)
    end(message, MailState.CANCELLED, message.cause)
    audit.add("mail.cancel", target=message.address, target_id=message.id, subject=message.subject)
    db.session.commit()


def try_again(message: MailMessage) -> None:
    """Send a mail that failed, or one that waits for its next try, now.

    Raises:
        Conflict: it was sent, or what it said has been wiped.
    """
    begin_writing()
    db.session.refresh(message, with_for_update=True)
    if message.state not in (MailState.FAILED, MailState.QUEUED) or message.values_sealed is None:
        db.session.rollback()
        raise Conflict("This mail is over and what it said was wiped. Ask for a new one.")
    if message.state == MailState.FAILED:
        message.expires_at = utcnow() + GIVEN_UP_AFTER
    message.state = MailState.QUEUED
    message.next_at = utcnow()
    audit.add("mail.again", target=message.address, target_id=message.id, subject=message.subject)
    db.session.commit()
    dispatch()


def expire() -> None:
    """Give up what would no longer be true; part of the periodic tick."""
    begin_writing()
    query = select(MailMessage).where(
        MailMessage.state == MailState.QUEUED, MailMessage.expires_at <= utcnow()
    )
    for message in db.session.scalars(query.with_for_update(skip_locked=True)):
        end(message, MailState.EXPIRED, message.cause or "It was not sent in time.")
    db.session.commit()


def forget_old() -> None:
    """Remove mails that were over a month ago, and wipe what failed ones said after a week."""
    now = utcnow()
    begin_writing()
    over = MailMessage.state.not_in(UNDER_WAY)
    db.session.execute(
        update(MailMessage)
        .where(over, MailMessage.created_at < now - _WIPED_AFTER, MailMessage.values_sealed.is_not(None))
        .values(values_sealed=None)
        .execution_options(synchronize_session=False)
    )
    db.session.execute(delete(MailMessage).where(over, MailMessage.created_at < now - _FORGOTTEN_AFTER))
    has_mails = exists().where(MailMessage.batch_id == MailBatch.id)
    db.session.execute(delete(MailBatch).where(~has_mails, MailBatch.created_at < now - _FORGOTTEN_AFTER))
    db.session.commit()


def _supersede(template: str, address: str) -> None:
    """A newer code kills the older ones; those that were not sent yet would only puzzle."""
    older = select(MailMessage).where(
        MailMessage.template == template,
        MailMessage.address == address,
        MailMessage.state == MailState.QUEUED,
    )
    for message in db.session.scalars(older.with_for_update(skip_locked=True)):
        end(message, MailState.CANCELLED, "A newer one took its place.")


def _take(message_id: int, before: MailState, after: MailState) -> bool:
    """Compare and set of the state: of two who try, one wins."""
    done: Any = db.session.execute(
        update(MailMessage)
        .where(MailMessage.id == message_id, MailMessage.state == before)
        .values(state=after)
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount == 1)
