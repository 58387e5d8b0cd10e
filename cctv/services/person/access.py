"""May this person do this to this camera? One question, asked in front of every page and every byte.

Deny by default; a camera that is not theirs does not exist for them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from flask import current_app
from sqlalchemy import select

from cctv import keys
from cctv.errors import NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import Camera, CameraGrant, GroupGrant, User
from cctv.models.grant import group_members
from cctv.services.auditing import audit
from cctv.services.person import matrix
from cctv.services.person.matrix import GRANTABLE, Action, Scope
from cctv.services.sign_in import sessions, token_holders

__all__ = [
    "TOKEN_SECONDS",
    "Action",
    "Opening",
    "Rights",
    "Scope",
    "authorise",
    "explain",
    "granted_actions",
    "known_cameras",
    "may",
    "media_token",
    "open_media_token",
    "visible_cameras",
]

TOKEN_SECONDS = 12 * 3600  # the longest life of a stream address (DECISIONS 17)
_RECHECK_SECONDS = 4.0  # a direct stream asks every second: it ends within 5 s


class Rights:
    """What one person may do to every camera, as of now: at most one query, however many are asked about."""

    def __init__(self, user: User) -> None:
        self._user = user

    def may(self, action: Action, camera_id: int | None = None) -> bool:
        """Whether the person may do this: to this camera, or to any when none is named."""
        if self.extent(action) == Scope.NO:
            return False
        only = None if camera_id is None else self.limited_to(action)
        return only is None or camera_id in only

    def may_somewhere(self, action: Action) -> bool:
        """Whether there is anything that the person may do this to; without a limit that is always so."""
        only = self.limited_to(action)
        return self.extent(action) != Scope.NO and (only is None or bool(only))

    def knows(self, camera_id: int) -> bool:
        """Whether the person may know that the camera exists."""
        only = self.known
        return only is None or camera_id in only

    @cached_property
    def known(self) -> frozenset[int] | None:
        """The cameras that exist for the person; None: all. A Developer knows all, and may watch few."""
        token = self._user.token_cameras
        if Scope.ALL in (self._scope(Action.LIVE), self._scope(Action.CAMERA_LIST)):
            return token
        return frozenset(self._granted) if token is None else token & self._granted.keys()

    def extent(self, action: Action) -> Scope:
        """How far the person may go with this action: role, and token if there is one."""
        user = self._user
        if not user.is_enabled or (user.token_actions is not None and action not in user.token_actions):
            return Scope.NO
        return self._scope(action)

    def limited_to(self, action: Action) -> frozenset[int] | None:
        """The cameras that this action is limited to; None: it is not."""
        token = self._user.token_cameras
        if self._scope(action) != Scope.PART or action not in GRANTABLE:
            return token
        granted = frozenset(one for one, actions in self._granted.items() if action in actions)
        return granted if token is None else granted & token

    def _scope(self, action: Action) -> Scope:
        return matrix.scope(self._user.role, action)

    @cached_property
    def _granted(self) -> dict[int, set[Action]]:
        return granted_actions(self._user)


def may(user: User, action: Action, camera_id: int | None = None) -> bool:
    """Whether the person may do this: to this camera, or to any when none is named."""
    return Rights(user).may(action, camera_id)


def authorise(user: User, camera_id: int | None, action: Action) -> Camera | None:
    """Let the person through, with the camera when one was named.

    Raises:
        NotAllowed: the role, the grant or the token has no such right; the sentence says who has.
        NotFound: there is no such camera for this person.
    """
    rights = Rights(user)
    if rights.extent(action) == Scope.NO:
        raise NotAllowed(matrix.refusal(action))
    if camera_id is None:
        return None
    camera = db.session.get(Camera, camera_id)
    if camera is None or camera.deleted_at is not None or not rights.knows(camera_id):
        raise NotFound("This camera does not exist (any more).")
    if not rights.may(action, camera_id):
        raise NotAllowed(matrix.not_granted(action))
    return camera


def visible_cameras(user: User, action: Action = Action.LIVE) -> list[Camera]:
    """The cameras that the person may do this to, by number."""
    rights = Rights(user)
    if rights.extent(action) == Scope.NO:
        return []
    query = db.select(Camera).where(Camera.deleted_at.is_(None)).order_by(Camera.number)
    only = rights.limited_to(action)
    if only is not None:
        query = query.where(Camera.id.in_(only))
    return list(db.session.scalars(query))


def known_cameras(user: User) -> list[Camera]:
    """The cameras that exist for the person, by number: more than what they may watch."""
    query = db.select(Camera).where(Camera.deleted_at.is_(None)).order_by(Camera.number)
    only = Rights(user).known
    return list(db.session.scalars(query if only is None else query.where(Camera.id.in_(only))))


@dataclass(frozen=True, slots=True)
class Opening:
    """One line of what somebody can open: what, whether, and for which cameras."""

    action: Action
    words: str
    is_open: bool
    extent: str  # "Yes", "No", "All cameras", "2 of 8 cameras", "Visitors only"
    cameras: tuple[str, ...] = ()  # the names when it is some of them


def explain(user: User) -> list[Opening]:
    """What this person can open, line by line of the matrix, the same as is asked in front of every page."""
    rights = Rights(user)
    names = {
        camera.id: camera.name
        for camera in db.session.scalars(
            select(Camera).where(Camera.deleted_at.is_(None)).order_by(Camera.number)
        )
    }
    return [_opening(rights, action, names) for action in matrix.WORDS]


def _opening(rights: Rights, action: Action, names: dict[int, str]) -> Opening:
    words, extent = matrix.WORDS[action], rights.extent(action)
    if action not in GRANTABLE or extent == Scope.NO:
        return Opening(action, words, extent != Scope.NO, matrix.extent_words(action, extent))
    only = rights.limited_to(action)
    if only is None:
        return Opening(action, words, True, "All cameras")
    some = tuple(name for camera_id, name in names.items() if camera_id in only)
    said = f"{len(some)} of {len(names)} camera{'' if len(names) == 1 else 's'}" if some else "No camera yet"
    return Opening(action, words, bool(some), said, some)


def granted_actions(user: User) -> dict[int, set[Action]]:
    """Camera id -> what was granted to the person, by itself or through a group; two roles need none."""
    is_there = Camera.deleted_at.is_(None)
    alone = (
        select(CameraGrant.camera_id, CameraGrant.action)
        .join(Camera, Camera.id == CameraGrant.camera_id)
        .where(CameraGrant.user_id == user.id, is_there)
    )
    grouped = (
        select(group_members.c.camera_id, GroupGrant.action)
        .join(GroupGrant, GroupGrant.group_id == group_members.c.group_id)
        .join(Camera, Camera.id == group_members.c.camera_id)
        .where(GroupGrant.user_id == user.id, is_there)
    )
    found: dict[int, set[Action]] = {}
    for camera_id, action in db.session.execute(alone.union(grouped)):
        if action in GRANTABLE:
            found.setdefault(camera_id, set()).add(Action(action))
    return found


def media_token(user: User, camera_id: int, action: Action) -> str:
    """A signed text that opens the bytes of one camera for one action, bound to the person's session."""
    return keys.sign("media", [user.get_id(), camera_id, str(action)])


def open_media_token(token: str, camera_id: int, action: Action) -> int:
    """Let a byte request through; the session, role and camera are checked again, at most 5 s old.

    Returns the id of the person.

    Raises:
        NotFound: forged, expired, for another camera or action, or the right is gone.
    """
    payload = keys.unsign("media", token, max_age_seconds=TOKEN_SECONDS)
    if payload is None or payload[1:] != [camera_id, str(action)]:
        raise NotFound("This address is not valid (any more). Reload the page.")
    verdicts: _Verdicts = current_app.extensions.setdefault("cctv.verdicts", _Verdicts())
    return verdicts.check(payload[0], camera_id, action)


class _Verdicts:
    """Positive answers of the last seconds: parts come at 5 a second and must not each ask the database."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, int, str], tuple[float, int]] = {}  # until, person
        self._lock = Lock()

    def check(self, session_id: str, camera_id: int, action: Action) -> int:
        key, now = (session_id, camera_id, str(action)), time.monotonic()
        until, known_id = self._until.get(key, (0.0, 0))
        if until > now:
            return known_id
        is_token = token_holders.is_principal(session_id)
        user = token_holders.find_by_principal(session_id) if is_token else sessions.find_user(session_id)
        if user is None:
            raise NotFound("This address is not valid (any more). Sign in again.")
        user_id = user.id
        try:
            camera = authorise(user, camera_id, action)
            audit.note(str(action), target=camera.name if camera else "", camera_id=camera_id, user=user)
        except NotAllowed:
            raise NotFound("This address is not valid (any more).") from None
        finally:
            db.session.remove()
        with self._lock:
            if len(self._until) > 10_000:
                self._until.clear()
            self._until[key] = (now + _RECHECK_SECONDS, user_id)
        return user_id
