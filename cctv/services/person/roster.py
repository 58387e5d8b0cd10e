"""The list of people: search, filters and order, and what a list says about each of many in a few statements.

Only those whom the actor may manage are in it; nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, case, func, or_, select

from cctv.clock import to_ms, utcnow
from cctv.errors import Invalid
from cctv.extensions import db
from cctv.models import Camera, CameraGrant, CodePurpose, GroupGrant, OneTimeCode, Role, Session, User
from cctv.models.grant import group_members
from cctv.services.person import matrix, ranks
from cctv.services.person.matrix import Action, Scope
from cctv.services.person.ranks import Actor
from cctv.services.site import paging
from cctv.services.site.paging import Page

STATES = ("active", "invited", "off")
_STRENGTH = case({role.value: place for place, role in enumerate(Role)}, value=User.role, else_=len(Role))
# By a browser or app of theirs; sessions are forgotten a week after their end, the sign-in is not.
_SEEN = select(func.max(Session.seen_ms)).where(Session.user_id == User.id).correlate(User).scalar_subquery()
SORTS = {
    "name": (func.lower(User.name), User.id),
    "email": (User.email,),
    "username": (User.username,),
    "role": (_STRENGTH, func.lower(User.name), User.id),
    "last_sign_in_at": (User.last_sign_in_at, User.id),
    "seen": (_SEEN, User.last_sign_in_at, User.id),
    "created_at": (User.created_at, User.id),
}
_NAMED = 2  # cameras are named up to so many; more are counted


@dataclass(frozen=True, slots=True)
class Line:
    """What a list says of a person beside the account itself."""

    person: User
    state: str  # active | invited | off
    seen_ms: int | None  # when a browser or app of theirs asked for something, to a few minutes
    invited_until: datetime | None  # of an invitation that still works
    cameras: str  # "All 8", "3 of 8", "Front gate, Reception", "None"


def find_people(
    actor: Actor,
    *,
    search: str = "",
    role: str | None = None,
    state: str | None = None,
    sort: str = "name",
    page: int = 1,
    page_size: int = 50,
) -> Page[User]:
    """The accounts that the actor may manage; a minus before `sort` turns the order round.

    Raises:
        NotAllowed: the actor may not manage anybody.
        Invalid: keys role, state, sort, page, page_size.
    """
    ranks.demand(actor)
    query = select(User).where(User.role.in_(ranks.roles_of(actor)))
    if text := search.strip().lower():
        columns = (func.lower(User.name), User.email, User.username)
        query = query.where(or_(*(column.contains(text, autoescape=True) for column in columns)))
    if role:
        if role not in set(Role):
            raise Invalid({"role": f"Choose one of {', '.join(role.value for role in Role)}."})
        query = query.where(User.role == role)
    return paging.paginate(_sorted(_in_state(query, state), sort), number=page, size=page_size)


def state_of(person: User) -> str:
    """active, invited (has not chosen a password yet) or off."""
    if not person.is_enabled:
        return "off"
    return "active" if person.password_hash else "invited"


def lines(people: Sequence[User]) -> list[Line]:
    """What to say of each, in three statements however many there are."""
    ids = [person.id for person in people]
    if not ids:
        return []
    open_invitation = (
        select(func.max(OneTimeCode.expires_at))
        .where(
            OneTimeCode.user_id == User.id,
            OneTimeCode.purpose == CodePurpose.INVITE,
            OneTimeCode.used_at.is_(None),
            OneTimeCode.expires_at > utcnow(),
        )
        .scalar_subquery()
    )
    times = {
        row[0]: row
        for row in db.session.execute(select(User.id, _SEEN, open_invitation).where(User.id.in_(ids)))
    }
    names: dict[int, str] = dict(
        db.session.execute(
            select(Camera.id, Camera.name).where(Camera.deleted_at.is_(None)).order_by(Camera.number)
        )
        .tuples()
        .all()
    )
    watched = _watched(ids)
    return [
        Line(
            person,
            state_of(person),
            _seen_ms(person, times[person.id][1]),
            times[person.id][2],
            _cameras(person, names, watched.get(person.id, set())),
        )
        for person in people
    ]


def _seen_ms(person: User, by_session_ms: int | None) -> int | None:
    signed_in_ms = to_ms(person.last_sign_in_at) if person.last_sign_in_at else 0
    return max(by_session_ms or 0, signed_in_ms) or None


def _watched(ids: Sequence[int]) -> dict[int, set[int]]:
    """Person -> cameras that were given to watch, by themselves or through a group."""
    alone = select(CameraGrant.user_id, CameraGrant.camera_id).where(
        CameraGrant.user_id.in_(ids), CameraGrant.action == Action.LIVE
    )
    grouped = (
        select(GroupGrant.user_id, group_members.c.camera_id)
        .join(group_members, group_members.c.group_id == GroupGrant.group_id)
        .where(GroupGrant.user_id.in_(ids), GroupGrant.action == Action.LIVE)
    )
    found: dict[int, set[int]] = {}
    for user_id, camera_id in db.session.execute(alone.union(grouped)):
        found.setdefault(user_id, set()).add(camera_id)
    return found


def _cameras(person: User, names: dict[int, str], watched: set[int]) -> str:
    if matrix.scope(person.role, Action.LIVE) == Scope.ALL:
        return f"All {len(names)}" if names else "All"
    own = [name for camera_id, name in names.items() if camera_id in watched]
    if not own:
        return "None"
    if len(own) == len(names):
        return f"All {len(names)}"
    return ", ".join(own) if len(own) <= _NAMED else f"{len(own)} of {len(names)}"


def _in_state(query: Select[tuple[User]], state: str | None) -> Select[tuple[User]]:
    if not state:
        return query
    if state == "off":
        return query.where(~User.is_enabled)
    if state not in STATES:
        raise Invalid({"state": f"Choose one of {', '.join(STATES)}."})
    has_password = User.password_hash != ""
    return query.where(User.is_enabled, has_password if state == "active" else ~has_password)


def _sorted(query: Select[tuple[User]], sort: str) -> Select[tuple[User]]:
    columns = SORTS.get(sort.removeprefix("-"))
    if columns is None:
        raise Invalid({"sort": f"Sort by one of {', '.join(SORTS)}; a minus turns it round."})
    directed = [column.desc() if sort.startswith("-") else column.asc() for column in columns]
    return query.order_by(*(column.nulls_last() for column in directed))
