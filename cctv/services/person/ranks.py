"""Who may manage whom: an Admin the Visitors, a Super Admin everybody, a machine's own command line all.

Rights are read again under a row lock before anything changes; no page and no account field lives here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

from sqlalchemy import and_, or_, select

from cctv.errors import CctvError, Conflict, NotAllowed, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import Role, User
from cctv.services.person import access, matrix
from cctv.services.person.access import Action, Scope

_LAST = "This is the last Super Admin who can sign in. Make somebody else a Super Admin first."
_GONE = "This person does not exist (any more)."


class CommandLine:
    """Whoever may start commands on this machine has the database anyway."""

    name = "command line"


COMMAND_LINE = CommandLine()
Actor: TypeAlias = User | CommandLine


def roles_of(actor: Actor) -> tuple[Role, ...]:
    """The roles whose people the actor may see and manage, and which the actor may give.

    An API token that is limited to some cameras or actions never has more than an Admin: whoever it makes
    would have no such limit.
    """
    if isinstance(actor, CommandLine):
        return tuple(Role)
    if not access.may(actor, Action.USERS):
        return ()
    is_limited = actor.token_actions is not None or actor.token_cameras is not None
    has_all = matrix.scope(actor.role, Action.USERS) == Scope.ALL and not is_limited
    return tuple(Role) if has_all else (Role.VISITOR,)


def may_manage(actor: Actor, person: User) -> bool:
    """Whether the actor may see and change this account."""
    return person.role in roles_of(actor)


def demand(actor: Actor) -> None:
    """Let through whoever may manage anybody at all.

    Raises:
        NotAllowed: the sentence says who may.
    """
    if not roles_of(actor):
        raise NotAllowed(matrix.refusal(Action.USERS))


def demand_role(actor: Actor, role: str) -> None:
    """Nobody gives more than they have.

    Raises:
        NotAllowed: the role is not the actor's to give.
    """
    if role not in roles_of(actor):
        raise NotAllowed("You may make Visitors only. Ask a Super Admin for another role.")


def demand_all_cameras(actor: Actor) -> None:
    """Let through who may watch and play back every camera, also those of tomorrow.

    Raises:
        NotAllowed: a token is limited to some cameras, or to other actions.
    """
    if isinstance(actor, CommandLine):
        return
    rights = access.Rights(actor)
    for action in (Action.LIVE, Action.PLAYBACK):
        if rights.extent(action) != Scope.ALL or rights.limited_to(action) is not None:
            raise NotAllowed("You cannot give more than you have: this token is limited.")


def begin(actor: Actor) -> None:
    """Start writing, with the actor's rights as they are now."""
    _lock(actor, None)
    with all_or_nothing():
        demand(actor)


def begin_with(actor: Actor, person_id: int) -> tuple[User, bool]:
    """Start writing on one account; also whether it is the last Super Admin who can sign in.

    The rows of the actor, of the person and of every Super Admin are locked, in one order, and read again:
    of two Super Admins who demote one another at the same moment one is too late.

    Raises:
        NotFound: there is no such person for this actor.
        NotAllowed: the actor may not manage anybody (any more).
    """
    found = _lock(actor, person_id)
    with all_or_nothing():
        demand(actor)
        person = found.get(person_id)
        if person is None or not may_manage(actor, person):
            raise NotFound(_GONE)
    others = [one for one in found.values() if one is not person and _can_rule(one)]
    return person, person.role == Role.SUPER_ADMIN and person.is_enabled and not others


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """A refusal in here ends the transaction: nothing half-done stays locked."""
    try:
        yield
    except CctvError:
        db.session.rollback()
        raise


def get_person(actor: Actor, person_id: int) -> User:
    """The account.

    Raises:
        NotFound: there is no such person for this actor.
        NotAllowed: the actor may not manage anybody.
    """
    demand(actor)
    person = db.session.get(User, person_id)
    if person is None or not may_manage(actor, person):
        raise NotFound(_GONE)
    return person


def refuse_last() -> Conflict:
    """The error for whoever would leave nobody in charge."""
    return Conflict(_LAST)


def is_self(actor: Actor, person: User) -> bool:
    """Whether somebody is at work on their own account."""
    return isinstance(actor, User) and actor.id == person.id


def _can_rule(person: User) -> bool:
    """A Super Admin who is invited and has no password yet can help nobody."""
    return person.role == Role.SUPER_ADMIN and person.is_enabled and bool(person.password_hash)


def _lock(actor: Actor, person_id: int | None) -> dict[int, User]:
    actor_ids = {actor.id} if isinstance(actor, User) else set()
    ids = actor_ids | ({person_id} if person_id is not None else set())
    begin_writing()
    query = (
        select(User)
        .where(or_(User.id.in_(ids), and_(User.role == Role.SUPER_ADMIN, User.is_enabled)))
        .order_by(User.id)
        # Not FOR UPDATE: signing in inserts rows that point here, and need not wait.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = {user.id: user for user in db.session.scalars(query)}
    if not found.keys() >= actor_ids:
        db.session.rollback()
        raise NotAllowed("Your account does not exist any more.")
    return found
