"""A new password, however it came about: what it must be like, and everything that happens with it.

Who may choose one is decided before; the password is hashed here and goes nowhere else.
"""

from __future__ import annotations

from sqlalchemy import update

from cctv.clock import utcnow
from cctv.errors import Invalid
from cctv.extensions import begin_writing, db
from cctv.models import ApiToken, User
from cctv.services.auditing import audit
from cctv.services.mailing import mail
from cctv.services.person import users
from cctv.services.sign_in import codes, sessions
from cctv.services.site import settings


def hashed(password: str, *, name: str = "", email: str = "") -> str:
    """The hash of a password that can be accepted. Slow: call it before writing begins.

    Raises:
        Invalid: key password.
    """
    if problem := users.password_problem(password, name=name, email=email):
        raise Invalid({"password": problem})
    return users.hash_password(password)


def change(user: User, password: str) -> None:
    """The person's own wish; every other session ends. The page asks for the old password first.

    Raises:
        Invalid: key password.
    """
    password_hash = hashed(password, name=user.name, email=user.email)
    begin_writing()
    store(user, password_hash, "password.change", except_id=user.session_id)
    db.session.commit()
    mail.dispatch()


def store(user: User, password_hash: str, action: str, *, except_id: str = "") -> None:
    """Put it in place, in the caller's transaction: sessions end, mailed codes die, the person is told."""
    user.password_hash = password_hash
    user.password_changed_at = utcnow()
    sessions.revoke_all(user, except_id=except_id)
    codes.forget(user)
    audit.add(action, target=user.name, target_id=user.id, user=user)
    origin = audit.origin()
    at = utcnow().astimezone(settings.zone())
    values = {
        "at": f"{at.day} {at:%b %Y %H:%M}",
        "device": origin.device,
        "address": origin.address,
        "link": mail.link("/login"),
    }
    mail.add("password_changed", user, values)


def revoke_api_tokens(user: User) -> None:
    """End the tokens of the person's programs, in the caller's transaction."""
    alive = update(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
    db.session.execute(alive.values(revoked_at=utcnow()))
