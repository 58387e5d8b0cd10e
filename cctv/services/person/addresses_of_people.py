"""E-mail addresses of accounts: proving that one is the person's own, and changing it.

A new address counts once its code or link was used; until then everything goes to the old one.
"""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cctv import queue
from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid, LimitReached, Unavailable
from cctv.extensions import begin_writing, db
from cctv.models import CodePurpose, OneTimeCode, User
from cctv.services.auditing import audit
from cctv.services.auditing.audit import Origin
from cctv.services.mailing import mail
from cctv.services.person import users
from cctv.services.sign_in import codes

VERIFY_PATH = "/account/verify?token="
_AWAY = "Mail cannot be sent just now. Try again in a minute."
_TAKEN = "This address belongs to another account now."


def request_verification(user: User, *, email: str | None = None) -> None:
    """Send a code and a link to the person's address, or to the one that it shall become.

    Raises:
        LimitReached: several were sent lately.
    """
    begin_writing()
    try:
        made = codes.make(user, CodePurpose.VERIFY, email=email)
    except LimitReached:
        db.session.rollback()
        raise
    # To an address that somebody else has: not a word, and no answer that tells it.
    if email is None or not _is_taken(email):
        values = {"code": made.code, "link": mail.link(f"{VERIFY_PATH}{made.link_token}"), "name": user.name}
        mail.add("verify", email or user, values, expires_at=made.expires_at)
    if email:
        audit.add("user.change", target=user.name, target_id=user.id, user=user, wanted={"email": email})
    db.session.commit()
    mail.dispatch()


def ask_for_verification(typed: str) -> None:
    """The same for somebody who is not signed in: as recovery.request_reset, equal for every name.

    Raises:
        Unavailable: Redis is away - for every name.
    """
    origin = audit.origin()
    arguments = (typed.strip()[:254], origin.address, origin.device)
    if not queue.enqueue(queue.HIGH, "cctv.jobs.recovery.send_verification", *arguments, timeout_seconds=60):
        raise Unavailable(_AWAY)


def send_verification(typed: str, address: str = "", device: str = "") -> None:
    """The job of ask_for_verification; nothing for an address that is proven already."""
    audit.set_origin(Origin(None, "", address, device))
    user = users.find_by_login(typed)
    if user is None or not user.is_enabled or user.email_verified_at:
        return
    try:
        request_verification(user)
    except LimitReached:
        return


def change_email(user: User, typed: str) -> str:
    """Ask for proof of a new address, which then takes the place of the old one; the address as understood.

    Raises:
        Invalid: key email.
        LimitReached: several codes were sent lately.
    """
    try:
        email = validate_email(typed.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise Invalid({"email": f"This does not look like an e-mail address: {error}"}) from None
    if email == user.email:
        raise Invalid({"email": "This is your address already."})
    request_verification(user, email=email)
    return email


def waiting_email(user: User) -> str | None:
    """The new address that waits for its proof."""
    query = select(OneTimeCode.email).where(
        OneTimeCode.user_id == user.id,
        OneTimeCode.purpose == CodePurpose.VERIFY,
        OneTimeCode.used_at.is_(None),
        OneTimeCode.expires_at > utcnow(),
        OneTimeCode.email != user.email,
    )
    return db.session.scalar(query.order_by(OneTimeCode.id.desc()).limit(1))


def verify(typed: str, code: str) -> None:
    """Prove an address by the code from the mail; `typed`: the account's user name or (old) address.

    Raises:
        Invalid: key code; the same for a name that nobody has.
        Conflict: somebody else has the new address meanwhile.
    """
    user = users.find_by_login(typed)
    begin_writing()
    _prove(codes.use_code(user if user and user.is_enabled else None, CodePurpose.VERIFY, code))


def verify_by_link(token: str) -> None:
    """Prove an address by the link from the mail.

    Raises:
        Invalid: key token.
        Conflict: as verify.
    """
    begin_writing()
    _prove(codes.take_link(CodePurpose.VERIFY, token))


def find_verification(token: str) -> str | None:
    """The address that the link would prove; looking uses nothing up."""
    row = codes.find_link(CodePurpose.VERIFY, token)
    return row.email if row else None


def _prove(row: OneTimeCode) -> None:
    user, old, new = row.user, row.user.email, row.email
    try:
        user.email_verified_at = utcnow()
        if new != old:
            _move(user, new)
        after = {"email": new, "is_verified": True}
        audit.add(
            "user.change", target=user.name, target_id=user.id, user=user, before={"email": old}, after=after
        )
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise Conflict(_TAKEN) from None
    mail.dispatch()


def _move(user: User, email: str) -> None:
    told = f"Your account has another e-mail address now: {_hint(email)}. Mails go there from now on."
    body = f"{told}\n\nWas it not you? Tell your administrator at once."
    mail.add("generic", user.email, {"subject": "Your e-mail address was changed", "body": body})
    user.email = email
    user.version += 1
    codes.forget(user)  # what went to the old address opens nothing any more


def _is_taken(email: str) -> bool:
    return db.session.scalar(select(User.id).where(User.email == email)) is not None


def _hint(email: str) -> str:
    """n***@example.org: enough to recognise it, not enough to write to it."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}***@{domain}"
