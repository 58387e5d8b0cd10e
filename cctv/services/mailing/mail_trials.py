"""The test of mail: one real mail, tried once, whose steps are told as they happen, and over within 15 s.

Who asks chooses the address; what the server answers is masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from cctv import config, queue
from cctv.clock import to_ms, utcnow
from cctv.errors import LimitReached, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import MailMessage, MailState, User
from cctv.services.auditing import audit
from cctv.services.mailing import mail, mail_delivery
from cctv.services.person import access
from cctv.services.person.access import Action

LONGEST = timedelta(seconds=15)
_JOB_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Trial:
    """A test as a page shows it."""

    message: MailMessage
    steps: list[dict[str, str]]  # step, state (ok | off | warn | bad), text
    is_over: bool
    is_good: bool  # the server has taken it
    sentence: str  # what came of it; "" while it runs
    at_ms: int  # when it began


def start(actor: User, address: str) -> MailMessage:
    """Send a test mail; its job does not wait behind other mails.

    Raises:
        NotAllowed: the actor may not test.
        Invalid: key email.
        LimitReached: a test of this person is under way.
    """
    access.authorise(actor, None, Action.SETTINGS_TEST)
    begin_writing()
    if _is_under_way(actor):
        db.session.rollback()
        raise LimitReached("Your last test is still under way. It takes at most 15 seconds.")
    message = mail.add(
        mail.TEST, address, {"asked_by": actor.name}, expires_at=utcnow() + LONGEST, sender=actor
    )
    message.steps = []
    audit.add("mail.send", target=message.address, target_id=message.id, is_test=True)
    db.session.commit()
    if not queue.enqueue(
        queue.HIGH, "cctv.jobs.mail.send", message.id, timeout_seconds=_JOB_SECONDS, at_front=True
    ):
        begin_writing()
        mail.end(message, MailState.FAILED, "The queue (Redis) does not answer, so no job can send it.")
        db.session.commit()
    return message


def run_now(address: str) -> Trial:
    """Send a test mail in this process: for the command line.

    Raises:
        Invalid: key email.
    """
    begin_writing()
    message = mail.add(mail.TEST, address, {"asked_by": "The command line"}, expires_at=utcnow() + LONGEST)
    message.steps = []
    audit.add("mail.send", target=message.address, target_id=message.id, is_test=True)
    db.session.commit()
    mail_delivery.deliver(message.id)
    db.session.refresh(message)
    return read(message)


def get_trial(message_id: int) -> Trial:
    """A test by its number.

    Raises:
        NotFound: there is no such test.
    """
    message = mail.get_message(message_id)
    if message.template != mail.TEST:
        raise NotFound("This test does not exist (any more).")
    return read(message)


def last() -> Trial | None:
    """The newest test that is over."""
    query = select(MailMessage).where(
        MailMessage.template == mail.TEST, MailMessage.state.not_in(mail.UNDER_WAY)
    )
    message = db.session.scalar(query.order_by(MailMessage.id.desc()).limit(1))
    return read(message) if message else None


def read(message: MailMessage) -> Trial:
    """What a test's row says."""
    is_late = message.created_at < utcnow() - LONGEST
    is_over = message.state not in mail.UNDER_WAY or (message.state == MailState.QUEUED and is_late)
    is_good = message.state == MailState.SENT
    return Trial(
        message=message,
        steps=list(message.steps or []),
        is_over=is_over,
        is_good=is_good,
        sentence=_sentence(message) if is_over else "",
        at_ms=to_ms(message.created_at),
    )


def _sentence(message: MailMessage) -> str:
    if message.state in (MailState.QUEUED, MailState.EXPIRED) and not message.tries:
        return (
            "No job worker took it up within 15 seconds. Is ./scripts/run, or worker.py jobs high, running?"
        )
    if message.state != MailState.SENT:
        return message.cause
    if not config.current().email_host:
        return "EMAIL_HOST is not set, so this mail was written to a file and not sent."
    seconds = (message.sent_at - message.created_at).total_seconds() if message.sent_at else 0.0
    return f"Sent to {message.address} in {seconds:.1f} s."


def _is_under_way(actor: User) -> bool:
    query = select(MailMessage.id).where(
        MailMessage.template == mail.TEST,
        MailMessage.sender_id == actor.id,
        MailMessage.state.in_(mail.UNDER_WAY),
        MailMessage.created_at > utcnow() - LONGEST,
    )
    return db.session.scalar(query.limit(1)) is not None
