"""Invitations: an account without a password, and a link with which its person chooses one.

The link's secret goes to the page or the mail that was asked for, and is stored nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import CodePurpose, OneTimeCode, Role, User
from cctv.services.auditing import audit
from cctv.services.mailing import mail
from cctv.services.person import people, ranks, users
from cctv.services.person.ranks import Actor
from cctv.services.sign_in import codes

PATH = "/invite/"
_BY_HAND = "by hand"  # in place of the address that the link was sent to: it proves none
_NO_ADDRESS = (
    "A mail needs the address of this system for its link. Set FRONTEND_URL, or pass the link on yourself."
)
_HAS_PASSWORD = "This person has chosen a password already. Send a link for a new password instead."


@dataclass(frozen=True, slots=True)
class Invitation:
    """What was just made: the secret is to be shown once, or is in the mail."""

    person: User
    token: str = field(repr=False)
    expires_at: datetime
    is_mailed: bool


def invite_person(
    actor: Actor,
    *,
    name: str,
    email: str,
    role: str,
    by_mail: bool,
    username: str = "",
    new_cameras: str = "no",
) -> Invitation:
    """Make an account and invite its person.

    Raises:
        Invalid: keys name, email, username, role, new_cameras, way.
        NotAllowed: the actor may not give this role.
    """
    _check_way(by_mail=by_mail)
    person = people.add_person(
        actor, name=name, email=email, role=role, password=None, username=username, new_cameras=new_cameras
    )
    with ranks.all_or_nothing():
        return _invite(actor, person, by_mail=by_mail)


def renew_invitation(actor: Actor, person: User, *, by_mail: bool) -> Invitation:
    """A new link, valid from now; the one before is dead.

    Raises:
        Conflict: the person has chosen a password already, or is switched off.
        Invalid: key way.
        LimitReached: several were made within minutes.
    """
    _check_way(by_mail=by_mail)
    person, _ = ranks.begin_with(actor, person.id)
    with ranks.all_or_nothing():
        if person.password_hash:
            raise Conflict(_HAS_PASSWORD)
        if not person.is_enabled:
            raise Conflict("This account is switched off. Switch it on first.")
        return _invite(actor, person, by_mail=by_mail)


def revoke_invitation(actor: Actor, person: User) -> None:
    """Let the link die; the account stays, without a way in."""
    person, _ = ranks.begin_with(actor, person.id)
    codes.forget(person, CodePurpose.INVITE)
    audit.add("user.invite", target=person.name, target_id=person.id, after={"invitation": "withdrawn"})
    db.session.commit()


def find_invited(token: str) -> User:
    """Whose link this is; looking uses nothing up.

    Raises:
        NotFound: forged, used, withdrawn, too old.
    """
    row = codes.find_link(CodePurpose.INVITE, token)
    if row is None or not _is_open(row):
        raise NotFound(codes.DEAD_LINK)
    return row.user


def accept(token: str, password: str) -> User:
    """Use the link: its person has a password from now on; a link that was mailed proves the address as well.

    Raises:
        NotFound: forged, used, withdrawn, too old.
        Invalid: key password; the link still works.
    """
    person = find_invited(token)
    if problem := users.password_problem(password, name=person.name, email=person.email):
        raise Invalid({"password": problem})
    password_hash = users.hash_password(password)  # slow: before anybody waits for us
    begin_writing()
    try:
        row = codes.take_link(CodePurpose.INVITE, token)
    except Invalid as error:
        raise NotFound(str(error)) from None
    person = row.user
    db.session.refresh(person, with_for_update=True)
    if not person.is_enabled or person.password_hash:
        db.session.rollback()
        raise NotFound(codes.DEAD_LINK)
    person.password_hash = password_hash
    person.password_changed_at = utcnow()
    if row.email == person.email:
        person.email_verified_at = utcnow()
    codes.forget(person)
    audit.add("password.change", target=person.name, target_id=person.id, user=person, by="invitation")
    db.session.commit()
    return person


def _invite(actor: Actor, person: User, *, by_mail: bool) -> Invitation:
    made = codes.make(person, CodePurpose.INVITE, email=None if by_mail else _BY_HAND)
    if by_mail:
        values = {
            "inviter": actor.name if isinstance(actor, User) else "The administrator",
            "role": Role(person.role).label,
            "link": mail.link(f"{PATH}{made.link_token}"),
        }
        sender = db.session.get(User, actor.id) if isinstance(actor, User) else None
        mail.add("invitation", person, values, expires_at=made.expires_at, sender=sender)
    way = "by mail" if by_mail else "by link"
    audit.add("user.invite", target=person.name, target_id=person.id, after={"invitation": way})
    db.session.commit()
    if by_mail:
        mail.dispatch()
    return Invitation(person, made.link_token, made.expires_at, by_mail)


def _check_way(*, by_mail: bool) -> None:
    if by_mail and not mail.link(PATH):
        raise Invalid({"way": _NO_ADDRESS})


def _is_open(row: OneTimeCode) -> bool:
    return row.user.is_enabled and not row.user.password_hash
