"""Reading the audit log: the newest entries first, by who, what, camera and time, as far as a person may see.

Only reads; pages are cut by the number of the last entry, because the log grows at its top while one reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select

from cctv.clock import from_ms
from cctv.errors import NotAllowed
from cctv.extensions import db
from cctv.models import AuditEntry, User
from cctv.services.person import access, matrix
from cctv.services.person.access import Action, Scope

# What an integrator needs to see of others: the machine, never who watched what.
TECHNICAL = ("camera.", "settings.", "honeypot.", "queue.", "audit.")
# What is done to an account: `target_id` is the person's.
ABOUT_PEOPLE = ("user.", "grant.", "see_as", "password.", "second_factor.", "session.", "sign_in.refused")


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for. `since_ms` is within, `until_ms` is not."""

    who: str = ""
    actions: tuple[str, ...] = ()  # each an action or, with a dot at its end, the beginning of several
    camera_id: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None


def find_entries(
    actor: User | None, filters: Filters, *, before_id: int | None = None, limit: int = 50
) -> list[AuditEntry]:
    """The newest entries older than `before_id`. No actor: the command line, which sees everything."""
    query = _found(actor, filters).order_by(AuditEntry.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(AuditEntry.id < before_id)
    return list(db.session.scalars(query))


def of_person(actor: User, person_id: int, *, limit: int) -> list[AuditEntry]:
    """The newest entries of what a person did and of what was done to their account, as far as one sees."""
    seen = _seen_by(actor)
    about = [AuditEntry.target_id == person_id, or_(*map(_is, ABOUT_PEOPLE))]
    found: dict[int, AuditEntry] = {}
    for which in ([AuditEntry.user_id == person_id], about):  # one by one: each has its own index
        query = select(AuditEntry).where(*seen, *which).order_by(AuditEntry.id.desc()).limit(limit)
        found |= {entry.id: entry for entry in db.session.scalars(query)}
    return [found[number] for number in sorted(found, reverse=True)[:limit]]


def count_news(actor: User, filters: Filters, *, after_id: int, most: int = 100) -> int:
    """How many entries were added since `after_id`, counted up to `most`."""
    newer = _found(actor, filters).where(AuditEntry.id > after_id).limit(most)
    return db.session.scalar(select(func.count()).select_from(newer.subquery())) or 0


def iterate(actor: User, filters: Filters, *, batch: int = 500) -> Iterator[AuditEntry]:
    """All of them, the newest first, without holding more than `batch` in memory; rights are asked now."""
    return _in_batches(_found(actor, filters).order_by(AuditEntry.id.desc()).limit(batch))


def _in_batches(query: Select[tuple[AuditEntry]]) -> Iterator[AuditEntry]:
    rows = list(db.session.scalars(query))
    while rows:
        before_id = rows[-1].id
        yield from rows
        db.session.rollback()  # between batches nothing is held: the reader may be slow
        db.session.expunge_all()
        rows = list(db.session.scalars(query.where(AuditEntry.id < before_id)))


def as_dict(entry: AuditEntry) -> dict[str, Any]:
    """For machines."""
    return {
        "id": entry.id,
        "at": from_ms(entry.at_ms).isoformat(timespec="milliseconds"),
        "user_id": entry.user_id,
        "user_name": entry.user_name,
        "action": entry.action,
        "target": entry.target,
        "target_id": entry.target_id,
        "camera_id": entry.camera_id,
        "address": entry.address,
        "device": entry.device,
        "details": entry.details,
        "hash": entry.hash,
    }


def _found(actor: User | None, filters: Filters) -> Select[tuple[AuditEntry]]:
    query = select(AuditEntry).where(*_seen_by(actor))
    if filters.who:
        name = func.lower(AuditEntry.user_name).contains(filters.who.lower(), autoescape=True)
        query = query.where(or_(name, AuditEntry.address == filters.who))
    if filters.actions:
        query = query.where(or_(*map(_is, filters.actions)))
    if filters.camera_id is not None:
        query = query.where(AuditEntry.camera_id == filters.camera_id)
    if filters.since_ms is not None:
        query = query.where(AuditEntry.at_ms >= filters.since_ms)
    if filters.until_ms is not None:
        query = query.where(AuditEntry.at_ms < filters.until_ms)
    return query


def _seen_by(actor: User | None) -> list[Any]:
    """Everything, own and technical, or own: by role."""
    if actor is None:
        return []
    if not access.may(actor, Action.AUDIT):
        raise NotAllowed(matrix.refusal(Action.AUDIT))
    extent = matrix.scope(actor.role, Action.AUDIT)
    if extent == Scope.ALL:
        return []
    refused = and_(AuditEntry.action == "sign_in.refused", AuditEntry.target_id == actor.id)
    own = or_(AuditEntry.user_id == actor.id, refused)
    return [or_(own, *map(_is, TECHNICAL)) if extent == Scope.PART else own]


def _is(action: str) -> Any:
    if action.endswith("."):
        return AuditEntry.action.startswith(action, autoescape=True)
    return AuditEntry.action == action
