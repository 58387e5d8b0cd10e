"""The figures of the administrators' dashboard: one card for each part, only what the person may see.

A part that does not answer costs its own card and no other; the card says since when there are no figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from flask import current_app
from redis.exceptions import RedisError
from rq import Worker
from rq.registry import FailedJobRegistry, StartedJobRegistry
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from cctv import queue
from cctv.clock import now_ms, utcnow
from cctv.extensions import db
from cctv.models import MailMessage, MailState, Role, Session, TrappedAddress, User
from cctv.services.auditing import audit_check
from cctv.services.camera import cameras, status
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.sign_in import trap_rows
from cctv.services.site import health, nodes

_WEEK_MS = 7 * 86_400_000
_IN_USE_MS = 15 * 60_000  # a session that was seen so lately belongs to somebody who is here


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a card. `level`: "", ok, warn or bad."""

    label: str
    value: str
    level: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One part of the system at a glance; without figures `problem` says why, and `since_ms` since when."""

    key: str
    title: str
    figures: list[Figure]
    problem: str = ""
    since_ms: int | None = None


def cards(user: User) -> list[Card]:
    """Every card that this person may see."""
    return [_card(key, title, read) for key, title, action, read in _PARTS if access.may(user, action)]


def _card(key: str, title: str, read: Callable[[], list[Figure]]) -> Card:
    known: dict[str, int] = current_app.extensions.setdefault("cctv.dashboard", {})
    try:
        card = Card(key, title, read())
    except (RedisError, OSError):
        return Card(key, title, [], "Redis does not answer", known.get(key))
    except SQLAlchemyError:
        db.session.rollback()
        return Card(key, title, [], "the database does not answer", known.get(key))
    known[key] = now_ms()
    return card


def _health() -> list[Figure]:
    names = {"web": "Web", "database": "Database", "redis": "Redis", "capture": "Capture"}
    found = {"web": True, "database": True, "redis": health.is_redis_up(), "capture": nodes.is_capturing()}
    return [
        Figure(names[name], "Answers" if is_up else "Does not answer", "ok" if is_up else "bad")
        for name, is_up in found.items()
    ]


def _cameras() -> list[Figure]:
    states = Counter(one.state for one in status.of_cameras(cameras.list_cameras()).values())
    off = states.pop("off", 0)
    live, trouble = states.pop("live", 0), states.total() - states["connecting"]
    wanted = live + states.total()
    if not wanted:
        return [Figure("Live", "All are turned off" if off else "No camera yet")]
    lines = [Figure("Live", f"{live} of {wanted}", "ok" if live == wanted else "")]
    lines += [Figure("In trouble", str(trouble), "bad")] if trouble else []
    lines += [Figure("Turned off", str(off))] if off else []
    return lines


def _users() -> list[Figure]:
    rows = db.session.execute(
        select(User.role, User.is_enabled, func.count()).group_by(User.role, User.is_enabled)
    )
    enabled: Counter[str] = Counter()
    disabled = 0
    for role, is_enabled, count in rows:
        enabled[role] += count if is_enabled else 0
        disabled += 0 if is_enabled else count
    here = select(func.count(Session.user_id.distinct())).where(
        Session.ended_ms.is_(None), Session.seen_ms > now_ms() - _IN_USE_MS
    )
    lines = [Figure(f"{role.label}s", str(enabled[role])) for role in Role if enabled[role]]
    lines += [Figure("Switched off", str(disabled))] if disabled else []
    return [Figure("Here now", str(db.session.scalar(here) or 0)), *lines]


def _jobs() -> list[Figure]:
    connection = queue.redis_connection()
    queues = queue.known(connection)
    waiting = sum(one.count for one in queues)
    failed = sum(FailedJobRegistry(queue=one).get_job_count(cleanup=False) for one in queues)
    running = sum(StartedJobRegistry(queue=one).get_job_count(cleanup=False) for one in queues)
    workers = Worker.count(connection=connection)
    return [
        Figure("Waiting", str(waiting), "warn" if waiting > 100 else ""),
        Figure("Running", str(running)),
        Figure("Failed", str(failed), "warn" if failed else ""),
        Figure("Workers", str(workers), "" if workers else "bad"),
    ]


def _mail() -> list[Figure]:
    day_ago = utcnow() - timedelta(days=1)
    query = select(MailMessage.state, func.count()).where(MailMessage.created_at > day_ago)
    counts = dict(db.session.execute(query.group_by(MailMessage.state)).tuples().all())
    waiting = counts.get(MailState.QUEUED, 0) + counts.get(MailState.SENDING, 0)
    failed = counts.get(MailState.FAILED, 0)
    return [
        Figure("Sent in 24 hours", str(counts.get(MailState.SENT, 0))),
        Figure("Waiting", str(waiting)),
        Figure("Failed in 24 hours", str(failed), "warn" if failed else ""),
    ]


def _honeypot() -> list[Figure]:
    came = select(func.count(TrappedAddress.id)).where(
        TrappedAddress.last_ms > now_ms() - _WEEK_MS, TrappedAddress.is_ours.is_(False)
    )
    return [
        Figure("Addresses in 7 days", str(db.session.scalar(came) or 0)),
        Figure("Blocked now", str(trap_rows.count_blocked())),
    ]


def _audit() -> list[Figure]:
    found = audit_check.verify_news()
    head = audit_check.newest_head()
    if not found.is_whole:
        return [Figure("Chain", found.sentence, "bad"), Figure("Entries", str(head.id))]
    state = "Intact" if found.is_complete else f"Intact up to entry {found.checked}"
    return [Figure("Chain", state, "ok"), Figure("Entries", f"{head.id:,}".replace(",", " "))]


_PARTS: tuple[tuple[str, str, Action, Callable[[], list[Figure]]], ...] = (
    ("health", "Health", Action.HEALTH, _health),
    ("cameras", "Cameras", Action.CAMERA_LIST, _cameras),
    ("users", "Users", Action.USERS, _users),
    ("jobs", "Jobs", Action.HEALTH, _jobs),
    ("mail", "Mail", Action.MAIL_SEND, _mail),
    ("honeypot", "Honeypot", Action.HONEYPOT, _honeypot),
    ("audit", "Audit log", Action.AUDIT, _audit),
)
