"""May this person do this to this camera? One question, asked in front of every page and every byte.

Deny by default; a camera that is not theirs does not exist for them.
"""

from __future__ import annotations

import time
from enum import StrEnum
from threading import Lock

from flask import current_app

from cctv import keys
from cctv.errors import NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import Camera, Role, User
from cctv.services import sessions

TOKEN_SECONDS = 12 * 3600  # the longest life of a stream address (DECISIONS 17)
_RECHECK_SECONDS = 4.0  # a direct stream asks every second: it ends within 5 s


class Action(StrEnum):
    """What can be done; the values appear in stream tokens."""

    OVERVIEW = "overview"
    LIVE = "live"
    PLAYBACK = "playback"
    SNAPSHOT = "snapshot"
    RECORD = "record"
    CAMERA_LIST = "camera.list"
    CAMERA_ADD = "camera.add"
    CAMERA_EDIT = "camera.edit"
    CAMERA_DIAGNOSE = "camera.diagnose"
    CAMERA_DELETE = "camera.delete"
    SETTINGS = "settings"


# Which roles may, without any grant. Grants per camera join here when visitors do.
_MATRIX: dict[Action, frozenset[Role]] = {
    Action.OVERVIEW: frozenset({Role.SUPER_ADMIN, Role.ADMIN, Role.DEVELOPER}),
    Action.LIVE: frozenset({Role.SUPER_ADMIN, Role.ADMIN}),
    Action.PLAYBACK: frozenset({Role.SUPER_ADMIN, Role.ADMIN}),
    Action.SNAPSHOT: frozenset({Role.SUPER_ADMIN, Role.ADMIN}),
    Action.RECORD: frozenset({Role.SUPER_ADMIN, Role.ADMIN}),
    Action.CAMERA_LIST: frozenset({Role.SUPER_ADMIN, Role.ADMIN, Role.DEVELOPER}),
    Action.CAMERA_ADD: frozenset({Role.SUPER_ADMIN, Role.ADMIN}),
    Action.CAMERA_EDIT: frozenset({Role.SUPER_ADMIN, Role.ADMIN, Role.DEVELOPER}),
    Action.CAMERA_DIAGNOSE: frozenset({Role.SUPER_ADMIN, Role.ADMIN, Role.DEVELOPER}),
    Action.CAMERA_DELETE: frozenset({Role.SUPER_ADMIN, Role.ADMIN}),
    Action.SETTINGS: frozenset({Role.SUPER_ADMIN, Role.ADMIN}),
}


def may(user: User, action: Action) -> bool:
    """Whether the person's role has the capability, whatever the camera."""
    return bool(user.is_enabled) and Role(user.role) in _MATRIX.get(action, frozenset())


def authorise(user: User, camera_id: int | None, action: Action) -> Camera | None:
    """Let the person through, with the camera when one was named.

    Raises:
        NotAllowed: the role has no such capability; the sentence says who has.
        NotFound: there is no such camera for this person.
    """
    if not may(user, action):
        raise NotAllowed(_refusal(action))
    if camera_id is None:
        return None
    camera = db.session.get(Camera, camera_id)
    if camera is None or camera.deleted_at is not None:
        raise NotFound("This camera does not exist (any more).")
    return camera


def visible_cameras(user: User, action: Action = Action.LIVE) -> list[Camera]:
    """The cameras that the person may do this to, by number."""
    if not may(user, action):
        return []
    return list(
        db.session.scalars(db.select(Camera).where(Camera.deleted_at.is_(None)).order_by(Camera.number))
    )


def media_token(user: User, camera_id: int, action: Action) -> str:
    """A signed text that opens the bytes of one camera for one action, bound to the person's session."""
    return keys.sign("media", [user.get_id(), camera_id, str(action)])


def open_media_token(token: str, camera_id: int, action: Action) -> None:
    """Let a byte request through; the session, role and camera are checked again, at most 5 s old.

    Raises:
        NotFound: forged, expired, for another camera or action, or the right is gone.
    """
    payload = keys.unsign("media", token, max_age_seconds=TOKEN_SECONDS)
    if payload is None or payload[1:] != [camera_id, str(action)]:
        raise NotFound("This address is not valid (any more). Reload the page.")
    verdicts: _Verdicts = current_app.extensions.setdefault("cctv.verdicts", _Verdicts())
    verdicts.check(payload[0], camera_id, action)


class _Verdicts:
    """Positive answers of the last seconds: parts come at 5 a second and must not each ask the database."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, int, str], float] = {}
        self._lock = Lock()

    def check(self, session_id: str, camera_id: int, action: Action) -> None:
        key, now = (session_id, camera_id, str(action)), time.monotonic()
        if self._until.get(key, 0.0) > now:
            return
        user = sessions.find_user(session_id)
        if user is None:
            raise NotFound("This address is not valid (any more). Sign in again.")
        try:
            authorise(user, camera_id, action)
        except NotAllowed:
            raise NotFound("This address is not valid (any more).") from None
        finally:
            db.session.remove()
        with self._lock:
            if len(self._until) > 10_000:
                self._until.clear()
            self._until[key] = now + _RECHECK_SECONDS


def _refusal(action: Action) -> str:
    roles = [role.label for role in Role if role in _MATRIX.get(action, frozenset())]
    who = " or ".join([", ".join(roles[:-1]), roles[-1]] if len(roles) > 1 else roles)
    return f"You may not open this. Only {'an ' if who[:1] in 'AEIOU' else 'a '}{who} can. Ask the owner."
