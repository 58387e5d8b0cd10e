"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for a lost phone.

A code is accepted once. Secrets are sealed in the database, recovery codes are stored as keyed hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import pyotp
import segno
from sqlalchemy import delete, func, or_, select, update

from cctv import keys
from cctv.clock import now_ms, utcnow
from cctv.errors import Conflict, Invalid, NotAllowed
from cctv.extensions import begin_writing, db
from cctv.models import RecoveryCode, User
from cctv.services.auditing import audit
from cctv.services.mailing import mail
from cctv.services.person import matrix, ranks
from cctv.services.person.access import Action
from cctv.services.site import settings

STEP_SECONDS = 30
_WINDOW = 1  # steps before and after: phones' clocks are a little off
RECOVERY_CODES = 10
# Without letters and digits that are mistaken for one another; 10 of 31 are 49 bits.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_RECOVERY = re.compile(rf"[{_ALPHABET}]{{10}}")

WRONG = "That code is not right. Check that the phone's clock is set to automatic."


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs: the picture to scan, or the key to type."""

    key: str = field(repr=False)  # in groups of four
    qr_picture: str = field(repr=False)  # an SVG, as a data: address


def is_on(user: User) -> bool:
    """Whether signing in asks this person for a code."""
    return user.totp_confirmed_at is not None


def enrol(user: User) -> Enrolment:
    """A key for the person's app. It stays the same, and does not count, until it is confirmed.

    Raises:
        Conflict: the second factor is on.
    """
    _demand_off(user)
    if user.totp_secret_encrypted is None:
        begin_writing()
        user.totp_secret_encrypted = keys.encrypt(pyotp.random_base32())
        db.session.commit()
    secret = _secret(user)
    issuer = settings.get("organisation_name") or "Cameras"
    address = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer)
    # Black on white in both themes: some apps do not read the reverse. Four modules of rim (ISO 18004).
    picture = segno.make(address, error="m").svg_data_uri(scale=5, border=4, light="#fff", dark="#000")
    key = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return Enrolment(key=key, qr_picture=picture)


def confirm(user: User, typed: str) -> list[str]:
    """Turn it on with a first code from the app; the recovery codes, which exist nowhere else.

    Raises:
        Invalid: key code.
        Conflict: it is on.
    """
    _demand_off(user)
    step = _step_of(user, typed) if user.totp_secret_encrypted else None
    if step is None:
        raise Invalid({"code": WRONG})
    begin_writing()
    user.totp_confirmed_at = utcnow()
    user.totp_last_step = step
    made = _make_recovery_codes(user)
    audit.add("second_factor.on", target=user.name, target_id=user.id)
    _tell(
        user, "Your second factor is on", "From now on signing in asks for a code of your authenticator app."
    )
    db.session.commit()
    mail.dispatch()
    return made


def accept(user: User, typed: str) -> bool:
    """Whether this is a code of the person's app, or a recovery code; either is used up by it."""
    if not is_on(user):
        return False
    if recovery := _RECOVERY.fullmatch(re.sub(r"[\s-]", "", typed.lower())):
        return _use_recovery_code(user, recovery[0])
    step = _step_of(user, typed)
    if step is None:
        return False
    begin_writing()
    # Compare and set: of two at once with the same code one gets in.
    is_first = or_(User.totp_last_step.is_(None), User.totp_last_step < step)
    query = update(User).where(User.id == user.id, is_first).values(totp_last_step=step).returning(User.id)
    accepted = db.session.scalar(query)
    db.session.commit()
    return accepted is not None


def turn_off(user: User) -> None:
    """Ask for the password alone from now on. The page asks for password and code first."""
    _turn_off(user, "It was turned off in your account. Was it not you? Choose a new password at once.")


def may_reset(actor: User, person: User) -> bool:
    """Whether the actor may turn it off for this person, who has lost phone and recovery codes."""
    return actor.id != person.id and ranks.may_manage(actor, person)


def reset(actor: User, person: User) -> None:
    """Turn it off for somebody else, who is told by mail.

    Raises:
        NotAllowed: the actor may not manage this person.
    """
    if not may_reset(actor, person):
        raise NotAllowed(matrix.refusal(Action.USERS))
    _turn_off(
        person, f"{actor.name} turned it off for you. Turn it on again with your new phone.", is_reset=True
    )


def turn_off_on_server(user: User) -> None:
    """Turn it off by command, for whoever runs this machine: nobody above is left, or nobody is there."""
    _turn_off(user, "It was turned off on the server. Turn it on again with your new phone.")


def renew_recovery_codes(user: User) -> list[str]:
    """Ten new ones; the old ones are dead.

    Raises:
        Conflict: the second factor is off.
    """
    if not is_on(user):
        raise Conflict("The second factor is off.")
    begin_writing()
    made = _make_recovery_codes(user)
    audit.add("second_factor.recovery_codes", target=user.name, target_id=user.id)
    db.session.commit()
    return made


def recovery_codes_left(user: User) -> int:
    """How many were not used yet."""
    query = select(func.count(RecoveryCode.id)).where(
        RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None)
    )
    return db.session.scalar(query) or 0


def _turn_off(user: User, told: str, **details: Any) -> None:
    begin_writing()
    was_on = is_on(user)
    user.totp_secret_encrypted = user.totp_confirmed_at = user.totp_last_step = None
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    if was_on:
        audit.add("second_factor.off", target=user.name, target_id=user.id, **details)
        _tell(user, "Your second factor is off", told)
    db.session.commit()
    mail.dispatch()


def _tell(user: User, subject: str, body: str) -> None:
    mail.add("generic", user, {"subject": subject, "body": body, "link": mail.link("/account")})


def _demand_off(user: User) -> None:
    if is_on(user):
        raise Conflict("The second factor is already on.")


def _secret(user: User) -> str:
    return keys.decrypt(user.totp_secret_encrypted or "")


def _step_of(user: User, typed: str) -> int | None:
    """The step of time whose code was typed, if it is near now."""
    digits = re.sub(r"\s", "", typed)
    totp = pyotp.TOTP(_secret(user), interval=STEP_SECONDS)
    now = now_ms() // 1000 // STEP_SECONDS
    found = None
    for step in range(now - _WINDOW, now + _WINDOW + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), digits.encode()):
            found = step
    return found


def _make_recovery_codes(user: User) -> list[str]:
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    made = ["".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    db.session.add_all(RecoveryCode(user_id=user.id, code_hash=_recovery_hash(user, code)) for code in made)
    return [f"{code[:5]}-{code[5:]}" for code in made]


def _use_recovery_code(user: User, code: str) -> bool:
    begin_writing()
    used = db.session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.code_hash == _recovery_hash(user, code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=utcnow())
        .returning(RecoveryCode.id)
    )
    if used is not None:
        audit.add("second_factor.recovery_code", target=user.name, target_id=user.id, user=user)
    db.session.commit()
    return used is not None


def _recovery_hash(user: User, code: str) -> str:
    return hmac.new(keys.derive("recovery-codes"), f"{user.id}:{code}".encode(), hashlib.sha256).hexdigest()
