"""Mails that a person writes to one or to many: who may get them, how far they are, and stopping the rest.

Each recipient has a row of their own and sees nobody else's address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, and_, func, or_, select

from cctv.clock import utcnow
from cctv.errors import Invalid, LimitReached, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import MailBatch, MailMessage, MailState, Role, User
from cctv.services.auditing import audit
from cctv.services.mailing import mail, mail_words
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.site import paging
from cctv.services.site.paging import Page

MOST_RECIPIENTS = 500
MOST_ADDRESSES = 50  # of people without an account
MOST_AN_HOUR = 2000  # recipients of one person
LONGEST_SUBJECT = 150
LONGEST_BODY = 10_000
# What a list may be narrowed to; "all" is not narrowed.
FILTERS: dict[str, tuple[MailState, ...]] = {
    "waiting": (MailState.QUEUED, MailState.SENDING),
    "sent": (MailState.SENT,),
    "failed": (MailState.FAILED, MailState.EXPIRED),
    "cancelled": (MailState.CANCELLED,),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a mail to many is."""

    total: int
    sent: int
    failed: int  # or expired
    cancelled: int
    waiting: int

    @property
    def is_over(self) -> bool:
        """Whether nothing will change by itself any more."""
        return self.waiting == 0

    @property
    def done(self) -> int:
        """How many are over, however they ended."""
        return self.total - self.waiting


def send(
    actor: User,
    *,
    subject: str,
    body: str,
    user_ids: Iterable[int] = (),
    roles: Sequence[str] = (),
    addresses: Sequence[str] = (),
) -> MailBatch:
    """Write a mail to people, to everybody of some roles, and to addresses; each gets it once.

    Raises:
        NotAllowed: the actor may not send mails.
        Invalid: keys subject, body, recipients, addresses.
        LimitReached: the actor has sent enough within an hour.
    """
    access.authorise(actor, None, Action.MAIL_SEND)
    subject, body = mail_words.one_line(subject), body.strip()
    errors = _problems(subject, body)
    to: dict[str, User | str] = {person.email.lower(): person for person in _people(user_ids, roles)}
    try:
        for typed in addresses[: MOST_ADDRESSES + 1]:
            to.setdefault(mail.checked_address(typed).lower(), typed)
    except Invalid as refusal:
        errors["addresses"] = refusal.errors["email"]
    if len(addresses) > MOST_ADDRESSES:
        errors["addresses"] = f"Type at most {MOST_ADDRESSES} addresses."
    if not to and not errors.get("addresses"):
        errors["recipients"] = "Choose somebody who gets it."
    if len(to) > MOST_RECIPIENTS:
        errors["recipients"] = f"These are {len(to)}; one mail goes to at most {MOST_RECIPIENTS}."
    if errors:
        raise Invalid(errors)
    batch = _write(actor, subject, body, list(to.values()))
    mail.dispatch()
    return batch


def _problems(subject: str, body: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not subject:
        errors["subject"] = "Type a subject."
    elif len(subject) > LONGEST_SUBJECT:
        errors["subject"] = f"Use at most {LONGEST_SUBJECT} characters."
    if not body:
        errors["body"] = "Type what you want to say."
    elif len(body) > LONGEST_BODY:
        errors["body"] = f"Use at most {LONGEST_BODY} characters."
    return errors


def _write(actor: User, subject: str, body: str, to: list[User | str]) -> MailBatch:
    values = {"subject": subject, "body": body, "sent_by": actor.name}
    messages = [mail.prepare("generic", one, values, sender=actor) for one in to]
    names = [one.name if isinstance(one, User) else one for one in to[:3]]
    more = f" and {len(to) - 3} more" if len(to) > 3 else ""
    begin_writing()
    since = utcnow() - timedelta(hours=1)
    written = select(func.count(MailMessage.id)).where(
        MailMessage.sender_id == actor.id, MailMessage.created_at > since
    )
    if (db.session.scalar(written) or 0) + len(to) > MOST_AN_HOUR:
        db.session.rollback()
        raise LimitReached(f"You may send {MOST_AN_HOUR} mails an hour. Wait a while.")
    batch = MailBatch(subject=subject, user_id=actor.id, messages=messages)
    db.session.add(batch)
    db.session.flush()
    audit.add("mail.send", target=", ".join(names) + more, target_id=batch.id, subject=subject, count=len(to))
    db.session.commit()
    return batch


def _people(user_ids: Iterable[int], roles: Sequence[str]) -> list[User]:
    wanted = or_(User.id.in_(list(user_ids)), User.role.in_([role for role in roles if role in set(Role)]))
    return list(db.session.scalars(select(User).where(wanted, User.is_enabled).order_by(User.name)))


def choices() -> list[User]:
    """Everybody with an account that is not switched off, by name."""
    return list(db.session.scalars(select(User).where(User.is_enabled).order_by(func.lower(User.name))))


def get_batch(batch_id: int) -> MailBatch:
    """One mail to many.

    Raises:
        NotFound: there is none with this id.
    """
    batch = db.session.get(MailBatch, batch_id)
    if batch is None:
        raise NotFound("This mail does not exist (any more).")
    return batch


def progress(batch: MailBatch) -> Progress:
    """How many of its mails stand where."""
    found = _counts(select(MailMessage.state, func.count()).where(MailMessage.batch_id == batch.id))
    return Progress(
        total=sum(found.values()),
        sent=found.get(MailState.SENT, 0),
        failed=found.get(MailState.FAILED, 0) + found.get(MailState.EXPIRED, 0),
        cancelled=found.get(MailState.CANCELLED, 0),
        waiting=sum(found.get(state, 0) for state in mail.UNDER_WAY),
    )


def cancel_rest(actor: User, batch: MailBatch) -> int:
    """Do not send what has not been sent; how many."""
    access.authorise(actor, None, Action.MAIL_SEND)
    begin_writing()
    query = select(MailMessage).where(MailMessage.batch_id == batch.id, MailMessage.state == MailState.QUEUED)
    rows = list(db.session.scalars(query.with_for_update(skip_locked=True)))
    for message in rows:
        mail.end(message, MailState.CANCELLED, message.cause)
    if rows:
        audit.add("mail.cancel", target=batch.subject, target_id=batch.id, count=len(rows))
    db.session.commit()
    return len(rows)


def find_messages(
    *, state: str = "all", search: str = "", batch_id: int | None = None, page: int = 1, page_size: int = 50
) -> Page[MailMessage]:
    """Mails, the newest first; of a batch in the order of its recipients.

    Raises:
        Invalid: keys page, page_size.
    """
    query: Select[tuple[MailMessage]] = select(MailMessage)
    if state in FILTERS:
        query = query.where(MailMessage.state.in_(FILTERS[state]))
    if search.strip():
        part = f"%{_literal(search.strip())}%"
        query = query.where(
            or_(MailMessage.address.ilike(part, escape="\\"), MailMessage.subject.ilike(part, escape="\\"))
        )
    if batch_id is not None:
        query = query.where(MailMessage.batch_id == batch_id).order_by(MailMessage.id)
    return paging.paginate(query.order_by(MailMessage.id.desc()), number=page, size=page_size)


def counts() -> dict[str, int]:
    """How many mails each filter shows."""
    found = _counts(select(MailMessage.state, func.count()))
    return {"all": sum(found.values())} | {
        name: sum(found.get(state, 0) for state in states) for name, states in FILTERS.items()
    }


def failed_lately() -> int:
    """Mails of the last 24 hours that were not sent, tests not counted."""
    lately = and_(MailMessage.created_at > utcnow() - timedelta(hours=24), MailMessage.template != mail.TEST)
    query = select(func.count(MailMessage.id)).where(lately, MailMessage.state.in_(FILTERS["failed"]))
    return db.session.scalar(query) or 0


def newest_cause() -> str:
    """Why a mail that was tried waits; "" when none does."""
    query = select(MailMessage.cause).where(MailMessage.state == MailState.QUEUED, MailMessage.cause != "")
    return db.session.scalar(query.order_by(MailMessage.id.desc()).limit(1)) or ""


def _counts(query: Select[tuple[str, int]]) -> dict[str, int]:
    return dict(db.session.execute(query.group_by(MailMessage.state)).tuples().all())


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
