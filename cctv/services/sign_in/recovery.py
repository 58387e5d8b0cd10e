"""A forgotten password: a code and a link go to the account's address, and either opens the way to a new one.

Whether an account exists is told by no answer, no status and no time: a job looks for it, and a wrong code
writes as much for a name that nobody has.
"""

from __future__ import annotations

from cctv import queue
from cctv.clock import utcnow
from cctv.errors import Invalid, LimitReached, NotFound, Unavailable
from cctv.extensions import begin_writing, db
from cctv.models import CodePurpose, OneTimeCode, User
from cctv.services.auditing import audit
from cctv.services.auditing.audit import Origin
from cctv.services.mailing import mail
from cctv.services.person import users
from cctv.services.person.addresses_of_people import (
    ask_for_verification,
    request_verification,
    verify,
    verify_by_link,
)
from cctv.services.sign_in import codes, new_passwords

__all__ = [
    "ask_for_verification",
    "find_reset",
    "make_link",
    "request_reset",
    "request_verification",
    "reset",
    "reset_by_link",
    "send_reset",
    "verify",
    "verify_by_link",
]

RESET_PATH = "/password/reset?token="
_AWAY = "Mail cannot be sent just now. Try again in a minute."


def request_reset(typed: str) -> None:
    """Have a code sent to the account with this address or user name, if there is one.

    Raises:
        Unavailable: Redis is away - for every name.
    """
    origin = audit.origin()
    arguments = (typed.strip()[:254], origin.address, origin.device)
    if not queue.enqueue(queue.HIGH, "cctv.jobs.recovery.send_reset", *arguments, timeout_seconds=60):
        raise Unavailable(_AWAY)


def send_reset(typed: str, address: str = "", device: str = "") -> None:
    """The job of request_reset: nothing for a name that nobody has, or that was asked for too often."""
    audit.set_origin(Origin(None, "", address, device))
    user = users.find_by_login(typed)
    if user is None or not _may_reset(user):
        return
    begin_writing()
    try:
        made = codes.make(user, CodePurpose.RESET)
    except LimitReached:
        db.session.rollback()
        return
    values = {"code": made.code, "link": mail.link(f"{RESET_PATH}{made.link_token}")}
    mail.add("reset", user, values, expires_at=made.expires_at)
    audit.add("password.reset", target=user.name, target_id=user.id, step="asked for")
    db.session.commit()
    mail.dispatch()


def make_link(typed: str) -> str:
    """The path of a link for a new password, for whoever runs this machine; no mail is sent.

    Raises:
        NotFound: nobody has this name, or the account is off or waits for its invitation.
        LimitReached: several were made lately.
    """
    user = users.find_by_login(typed)
    if user is None or not _may_reset(user):
        raise NotFound("No account with this name can have a new password.")
    begin_writing()
    made = codes.make(user, CodePurpose.RESET, email="by hand")  # so it proves no address
    audit.add("password.reset", target=user.name, target_id=user.id, step="link made")
    db.session.commit()
    return f"{RESET_PATH}{made.link_token}"


def reset(typed: str, code: str, password: str) -> None:
    """A new password by the code from the mail. Signs nobody in, and the second factor stays on.

    Raises:
        Invalid: keys code, password; the same for a name that nobody has.
    """
    password_hash = new_passwords.hashed(password)
    user = users.find_by_login(typed)
    begin_writing()
    row = codes.use_code(user if user and _may_reset(user) else None, CodePurpose.RESET, code)
    _finish(row, password, password_hash)


def find_reset(token: str) -> bool:
    """Whether the link still works; looking uses nothing up."""
    row = codes.find_link(CodePurpose.RESET, token)
    return row is not None and _may_reset(row.user)


def reset_by_link(token: str, password: str) -> None:
    """A new password by the link from the mail.

    Raises:
        Invalid: keys token, password; with a bad password the link goes on.
    """
    password_hash = new_passwords.hashed(password)
    begin_writing()
    row = codes.take_link(CodePurpose.RESET, token)
    if not _may_reset(row.user):
        db.session.rollback()
        raise Invalid({"token": codes.DEAD_LINK})
    _finish(row, password, password_hash)


def _finish(row: OneTimeCode, password: str, password_hash: str) -> None:
    user = row.user
    if problem := users.password_problem(password, name=user.name, email=user.email):
        db.session.rollback()  # the code was right: it stays good
        raise Invalid({"password": problem})
    if row.email == user.email and user.email_verified_at is None:
        user.email_verified_at = utcnow()  # who read the mail has the address
    new_passwords.store(user, password_hash, "password.reset")
    new_passwords.revoke_api_tokens(user)
    db.session.commit()
    mail.dispatch()


def _may_reset(user: User) -> bool:
    """An account that waits for its invitation is opened by that, or by nothing once it was withdrawn."""
    return user.is_enabled and bool(user.password_hash)
