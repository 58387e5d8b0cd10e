"""Accounts: creating them, finding them by what was typed, and checking passwords at an even pace.

A password never leaves this module.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re

import bcrypt
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError

from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid
from cctv.extensions import begin_writing, db
from cctv.models import Role, Setting, User
from cctv.services.auditing import audit

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024
_ROUNDS = 12
_LONGEST_NAME = 120
_OWNER = "setup_owner_id"  # of the settings
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
# Sites without a public domain use .local; email-validator refuses it by default.
if "local" in SPECIAL_USE_DOMAIN_NAMES:
    SPECIAL_USE_DOMAIN_NAMES.remove("local")


def hash_password(password: str) -> str:
    """A bcrypt hash; pre-hashed, because bcrypt raises above 72 bytes."""
    return bcrypt.hashpw(_prehash(password), bcrypt.gensalt(_ROUNDS)).decode()


def check_password(user: User | None, password: str) -> bool:
    """Whether the password is the user's.

    Takes the same time for an unknown user, and for one who was invited and has none yet.
    """
    nobody = _nobody_hash()  # made by the first try after a start, whoever's it is
    stored = user.password_hash.encode() if user and user.password_hash else nobody
    is_right = bcrypt.checkpw(_prehash(password[:LONGEST_PASSWORD]), stored)
    return is_right and user is not None and bool(user.password_hash)


def find_by_login(name: str) -> User | None:
    """The account with that e-mail address or user name, in any case."""
    typed = name.strip().lower()
    return db.session.scalar(select(User).where(or_(User.email == typed, User.username == typed)))


def create_user(
    name: str, email: str, *, password: str, role: Role, username: str = "", is_owner: bool = False
) -> User:
    """Make an account. `is_owner`: the first one, of the person who sets the installation up.

    Raises:
        Invalid: a field cannot be accepted; keys are name, email, username, password.
        Conflict: the address or user name is taken, or somebody else became the owner meanwhile.
    """
    name, email, username, errors = check_identity(name, email, username)
    if problem := password_problem(password, name=name, email=email):
        errors["password"] = problem
    if errors:
        raise Invalid(errors)
    password_hash = hash_password(password)  # 250 ms: nobody else's writing waits for it
    begin_writing()
    if is_owner:
        _claim_ownership()
    user = User(name=name, email=email, username=username, role=role, password_hash=password_hash)
    db.session.add(user)
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        raise Conflict("An account with this e-mail address or user name exists.") from None
    if is_owner:
        db.session.get_one(Setting, _OWNER).value = user.id
        facts = {"name": name, "email": email, "username": username, "role": str(role)}
        audit.add("user.owner", target=name, target_id=user.id, user=user, after=facts)
    db.session.commit()
    return user


def check_identity(name: str, email: str, username: str = "") -> tuple[str, str, str, dict[str, str]]:
    """(name, e-mail, user name) as they are stored, and a sentence for each that cannot be accepted.

    Without a user name it is the part of the address before the @.
    """
    errors: dict[str, str] = {}
    name, email = " ".join(name.split()), email.strip().lower()
    username = (username.strip() or _username_from(email)).lower()
    if not name or len(name) > _LONGEST_NAME:
        errors["name"] = "Enter a name." if not name else f"Use at most {_LONGEST_NAME} characters."
    try:
        email = validate_email(email, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        errors["email"] = f"This does not look like an e-mail address: {error}"
    if not errors.get("email") and not _USERNAME.fullmatch(username):
        errors["username"] = "Use 2 to 64 letters, digits, dots, dashes or underscores."
    return name, email, username, errors


def password_problem(password: str, *, name: str = "", email: str = "") -> str | None:
    """Why a password cannot be accepted, as a sentence; None when it can."""
    if len(password) < SHORTEST_PASSWORD:
        missing = SHORTEST_PASSWORD - len(password)
        return f"Use at least {SHORTEST_PASSWORD} characters: {missing} more."
    if len(password) > LONGEST_PASSWORD:
        return f"Use at most {LONGEST_PASSWORD} characters."
    if len(set(password)) < 5:
        return "Use more different characters."
    known = [part for part in re.split(r"[\s@.]+", f"{name} {email}".lower()) if len(part) > 3]
    if password.lower() in known or (email and password.lower() == email):
        return "Do not use your own name or address."
    return None


def has_owner() -> bool:
    """Whether an enabled Super Admin exists."""
    query = select(func.count(User.id)).where(User.role == Role.SUPER_ADMIN, User.is_enabled)
    return bool(db.session.scalar(query))


def note_sign_in(user: User) -> None:
    """Remember when, so that the person sees the time of the sign-in before."""
    begin_writing()
    user.previous_sign_in_at = user.last_sign_in_at
    user.last_sign_in_at = utcnow()
    db.session.commit()


def set_theme(user: User, theme: str) -> None:
    """Choose dark, light or auto for every page of this person."""
    if theme not in {"dark", "light", "auto"}:
        raise Invalid({"theme": "Choose dark, light or automatic."})
    begin_writing()
    user.theme = theme
    db.session.commit()


def _claim_ownership() -> None:
    """Of several people with the set-up code one becomes the owner: the row is locked until the commit."""
    try:
        if db.session.get(Setting, _OWNER, with_for_update=True, populate_existing=True) is None:
            db.session.add(Setting(key=_OWNER, value=0))
            db.session.flush()
    except IntegrityError:
        is_taken = True  # PostgreSQL: the other one has committed its row first
    else:
        is_taken = has_owner()
    if is_taken:
        db.session.rollback()
        raise Conflict("Somebody else has just become the owner. Ask them for an account.")


def _prehash(password: str) -> bytes:
    return base64.b64encode(hashlib.sha256(password.encode()).digest())


@functools.cache
def _nobody_hash() -> bytes:
    return hash_password("the password that nobody has").encode()


def _username_from(email: str) -> str:
    name, _, domain = (re.sub(r"[^a-z0-9@._-]", "", email)).partition("@")
    return (name if len(name) > 1 else f"{name}.{domain.partition('.')[0]}")[:64]
