"""What the pages about people share: whose page it is, words for the matrix, and where somebody is signed in.

Shapes for templates; nothing is decided here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from flask import Flask
from flask_login import current_user

from cctv.blueprints._words import site_zone
from cctv.errors import NotFound
from cctv.models import Session, User
from cctv.services.person import matrix, people
from cctv.services.person.access import Action, Scope
from cctv.services.sign_in import sessions

# The columns of the matrix, as short as they must be.
COLUMNS = {
    Action.LIVE: "View",
    Action.PLAYBACK: "Play back",
    Action.SNAPSHOT: "Snapshot",
    Action.RECORD: "Record",
    Action.PTZ: "Move",
    Action.EXPORT: "Export",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One browser or app in which somebody is signed in."""

    key: str  # of the address: the session's own id is a secret
    device: str
    address: str
    seen_ms: int
    is_app: bool
    is_here: bool  # the browser that asks


def get_person(user_id: int) -> User:
    """The person of this page; 404 for whoever is not the asking person's to manage."""
    return people.get_person(current_user, user_id)


def places_of(person: User) -> list[Place]:
    """Where the person is signed in, the one used last first."""
    return [
        Place(
            _key(row),
            row.device or "Unknown device",
            row.address,
            row.seen_ms,
            row.kind == "app",
            row.id == current_user.session_id,
        )
        for row in sessions.list_of(person)
    ]


def sees_tokens() -> bool:
    """Whether the asking person sees the API tokens of others: "all", not "own"."""
    return matrix.scope(current_user.role, Action.API_TOKENS) == Scope.ALL


def session_id_of(person: User, key: str) -> str:
    """The session behind a key of `places_of`.

    Raises:
        NotFound: it has ended, or never was.
    """
    for row in sessions.list_of(person):
        if _key(row) == key:
            return row.id
    raise NotFound("This session does not exist (any more).")


def register_people_words(app: Flask) -> None:
    """Make the column names and dates known to all templates."""
    app.jinja_env.globals["grant_columns"] = COLUMNS
    app.jinja_env.filters["date_of"] = date_of
    app.jinja_env.filters["day_of"] = day_of


def date_of(at: datetime) -> str:
    """25 Nov 2026, 14:05 at the site."""
    return f"{at.astimezone(site_zone()):%-d %b %Y, %H:%M}"


def day_of(at: datetime) -> str:
    """25 Nov at the site."""
    return f"{at.astimezone(site_zone()):%-d %b}"


def _key(row: Session) -> str:
    return hashlib.sha256(row.id.encode()).hexdigest()[:16]
