"""Accounts of other people: make, change, switch off and delete them, as far as the actor may.

Who may whom is in ranks.py, the list in roster.py, cameras in grants.py; a password only passes through.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import IntegrityError

from cctv.clock import utcnow
from cctv.errors import Conflict, Invalid
from cctv.extensions import db
from cctv.models import Role, User
from cctv.services.auditing import audit
from cctv.services.person import grants, ranks, users
from cctv.services.person.grants import set_grant
from cctv.services.person.ranks import COMMAND_LINE, Actor, get_person, is_self, may_manage, roles_of
from cctv.services.person.roster import SORTS, STATES, find_people, state_of
from cctv.services.sign_in import codes, sessions

__all__ = [
    "COMMAND_LINE",
    "SORTS",
    "STATES",
    "Actor",
    "change_person",
    "create_person",
    "delete_person",
    "disable_person",
    "enable_person",
    "find_people",
    "get_person",
    "is_self",
    "may_manage",
    "roles_of",
    "set_grant",
    "state_of",
]

NEW_CAMERAS = ("no", "give")
_IDENTITY = ("name", "email", "username")
_CHANGEABLE = (*_IDENTITY, "role", "new_cameras")
_CHANGED = "Somebody else changed this account in the meantime. Reload it, then change it again."


def create_person(
    actor: Actor,
    *,
    name: str,
    email: str,
    role: str,
    password: str | None = None,
    username: str = "",
    new_cameras: str = "no",
) -> User:
    """Make an account; without a password nobody can sign in to it until its invitation is followed.

    Raises:
        Invalid: keys name, email, username, role, password, new_cameras.
        NotAllowed: the actor may not give this role.
    """
    person = add_person(
        actor,
        name=name,
        email=email,
        role=role,
        password=password,
        username=username,
        new_cameras=new_cameras,
    )
    _commit(person.email, person.username)
    return person


def add_person(
    actor: Actor,
    *,
    name: str,
    email: str,
    role: str,
    password: str | None,
    username: str = "",
    new_cameras: str = "no",
) -> User:
    """`create_person` in a transaction that the caller commits."""
    ranks.demand(actor)
    is_chosen = bool(username.strip())
    name, email, username, errors = users.check_identity(name, email, username)
    errors |= _choice_errors({"role": role, "new_cameras": new_cameras})
    if password is not None and (problem := users.password_problem(password, name=name, email=email)):
        errors["password"] = problem
    if errors:
        raise Invalid(errors)
    ranks.demand_role(actor, role)
    if new_cameras == "give":
        ranks.demand_all_cameras(actor)
    password_hash = users.hash_password(password) if password is not None else ""
    ranks.begin(actor)
    with ranks.all_or_nothing():
        if not is_chosen:
            username = _free_username(username)
        _refuse_taken(email, username)
    person = User(
        name=name,
        email=email,
        username=username,
        role=role,
        password_hash=password_hash,
        new_cameras=new_cameras,
    )
    db.session.add(person)
    _flush(email, username)
    audit.add("user.create", target=name, target_id=person.id, after=_facts(person))
    return person


def change_person(actor: Actor, person: User, changes: dict[str, Any], *, version: int | None = None) -> User:
    """Change name, email, username, role or new_cameras; a changed role signs the person out everywhere.

    Raises:
        Invalid: keys are those of `changes`.
        Conflict: somebody else changed the account since `version`, or nobody would be left in charge.
        NotAllowed, NotFound: as in ranks.py.
    """
    if unknown := set(changes) - set(_CHANGEABLE):
        raise Invalid(dict.fromkeys(sorted(unknown), "This cannot be changed here."))
    person, is_last = ranks.begin_with(actor, person.id)
    with ranks.all_or_nothing():
        if version is not None and person.version != version:
            raise Conflict(_CHANGED)
        before = _facts(person)
        wanted = before | changes
        name, email, username, errors = users.check_identity(*(wanted[field] for field in _IDENTITY))
        if errors := errors | _choice_errors(wanted):
            raise Invalid(errors)
        if wanted["role"] != person.role:
            if is_last:
                raise ranks.refuse_last()
            ranks.demand_role(actor, wanted["role"])
        if wanted["new_cameras"] == "give" != person.new_cameras:
            ranks.demand_all_cameras(actor)
        _refuse_taken(email, username, except_id=person.id)
        _apply(person, {**wanted, "name": name, "email": email, "username": username})
        if before != (after := _facts(person)):
            person.version += 1
            audit.add("user.change", target=person.name, target_id=person.id, before=before, after=after)
    _commit(email, username)
    return person


def disable_person(actor: Actor, person: User) -> None:
    """Switch an account off: its sessions, tokens and stream addresses end at once; nothing is forgotten.

    Raises:
        Conflict: it is the actor's own, or nobody would be left in charge.
    """
    person, is_last = ranks.begin_with(actor, person.id)
    if person.is_enabled:
        with ranks.all_or_nothing():
            _refuse_self_and_last(actor, person, is_last=is_last)
        person.is_enabled = False
        person.disabled_by, person.disabled_at = actor.name, utcnow()
        sessions.revoke_all(person)
        person.version += 1
        audit.add("user.disable", target=person.name, target_id=person.id)
    db.session.commit()


def enable_person(actor: Actor, person: User) -> None:
    """Switch an account on again; the person signs in anew."""
    person, _ = ranks.begin_with(actor, person.id)
    if not person.is_enabled:
        person.is_enabled, person.disabled_by, person.disabled_at = True, None, None
        person.version += 1
        audit.add("user.enable", target=person.name, target_id=person.id)
    db.session.commit()


def delete_person(actor: Actor, person: User) -> None:
    """Remove an account with its sessions, tokens, codes and grants; the audit log keeps what it did.

    Raises:
        Conflict: it is the actor's own, or nobody would be left in charge.
    """
    person, is_last = ranks.begin_with(actor, person.id)
    with ranks.all_or_nothing():
        _refuse_self_and_last(actor, person, is_last=is_last)
    audit.add("user.delete", target=person.name, target_id=person.id, before=_facts(person))
    # By the database: what hangs on the account goes with it (ON DELETE), also rows of other rooms.
    db.session.execute(delete(User).where(User.id == person.id).execution_options(synchronize_session=False))
    db.session.expunge(person)
    db.session.commit()


def _apply(person: User, wanted: dict[str, Any]) -> None:
    has_new_role, has_new_address = wanted["role"] != person.role, wanted["email"] != person.email
    for field in _CHANGEABLE:
        setattr(person, field, wanted[field])
    if has_new_role:
        sessions.revoke_all(person)
        grants.keep_what_role_can_have(person)
    if has_new_address:
        person.email_verified_at = None
    if has_new_role or has_new_address:
        # What went to the old address opens nothing any more; nor does an invitation to another role, whose
        # link is known to whoever made it.
        codes.forget(person)


def _refuse_self_and_last(actor: Actor, person: User, *, is_last: bool) -> None:
    if is_self(actor, person):
        raise Conflict("This is your own account. Ask another Super Admin.")
    if is_last:
        raise ranks.refuse_last()


def _choice_errors(wanted: dict[str, Any]) -> dict[str, str]:
    errors = {}
    if wanted.get("role") not in set(Role):
        errors["role"] = f"Choose one of {', '.join(role.value for role in Role)}."
    if wanted.get("new_cameras", "no") not in NEW_CAMERAS:
        errors["new_cameras"] = "Choose give or no."
    return errors


def _facts(person: User) -> dict[str, Any]:
    """What the audit log keeps of an account."""
    return {field: getattr(person, field) for field in _CHANGEABLE}


def _taken(email: str, username: str, *, except_id: int | None = None) -> dict[str, str]:
    query = select(User.email, User.username).where(
        or_(User.email == email, User.username == username), User.id != (except_id or 0)
    )
    errors = {}
    for row in db.session.execute(query):
        if row.email == email:
            errors["email"] = "Another account has this e-mail address."
        if row.username == username:
            errors["username"] = "Another account has this user name."
    return errors


def _refuse_taken(email: str, username: str, *, except_id: int | None = None) -> None:
    if errors := _taken(email, username, except_id=except_id):
        raise Invalid(errors)


def _free_username(wanted: str) -> str:
    """`wanted`, or with the first number behind it that nobody has."""
    taken = set(
        db.session.scalars(select(User.username).where(User.username.startswith(wanted, autoescape=True)))
    )
    numbered = (f"{wanted[:60]}{number}" for number in range(2, 10_000))
    return wanted if wanted not in taken else next(name for name in numbered if name not in taken)


def _flush(email: str, username: str) -> None:
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        raise _lost_race(email, username) from None


def _commit(email: str, username: str) -> None:
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise _lost_race(email, username) from None


def _lost_race(email: str, username: str) -> Invalid:
    """Somebody else took the address or name between the check and the writing."""
    return Invalid(_taken(email, username) or {"email": "Another account has this e-mail address."})
