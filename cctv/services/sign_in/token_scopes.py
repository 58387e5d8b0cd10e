"""What an API token may be limited to, in words; and the actions that each scope stands for.

A scope never gives more than the person has: services/person/access.py asks the matrix as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cctv.models import Role
from cctv.services.person import matrix
from cctv.services.person.matrix import Action, Scope


@dataclass(frozen=True, slots=True)
class TokenScope:
    """One line of the form."""

    key: str
    label: str
    says: str
    actions: tuple[Action, ...]
    is_reading: bool  # the only kind that a Visitor's token has


SCOPES = (
    TokenScope(
        "live",
        "Watch",
        "Live pictures, and the list of cameras with their state.",
        (Action.LIVE, Action.CAMERA_LIST),
        True,
    ),
    TokenScope("playback", "Play back", "Timeline, recordings and their footage.", (Action.PLAYBACK,), True),
    TokenScope("snapshot", "Snapshots", "Single pictures as JPEG.", (Action.SNAPSHOT,), True),
    TokenScope("health", "Health", "Figures about cameras, disks and queues.", (Action.HEALTH,), True),
    TokenScope("docs", "Documentation", "The description of this API.", (Action.API_DOCS,), True),
    TokenScope("record", "Record", "Start and stop recordings.", (Action.RECORD,), False),
    TokenScope("ptz", "Move cameras", "Pan, tilt, zoom and presets.", (Action.PTZ,), False),
    TokenScope("export", "Export clips", "Make files of footage and get them.", (Action.EXPORT,), False),
    TokenScope(
        "recordings",
        "Change recordings",
        "Lock, unlock, copy to the cloud and delete recordings.",
        (Action.LOCK, Action.RECORDING_DELETE, Action.TRANSFER),
        False,
    ),
    TokenScope(
        "cameras",
        "Change cameras",
        "Add, change and delete cameras.",
        (
            Action.CAMERA_ADD,
            Action.CAMERA_EDIT,
            Action.CAMERA_TECHNICS,
            Action.CAMERA_DIAGNOSE,
            Action.CAMERA_DELETE,
        ),
        False,
    ),
    TokenScope(
        "schedules",
        "Change schedules",
        "Say when cameras record.",
        (Action.SCHEDULE_READ, Action.SCHEDULE_EDIT),
        False,
    ),
    TokenScope("users", "Change users", "Read, create, change and delete accounts.", (Action.USERS,), False),
    TokenScope("mail", "Send mail", "Send mail from templates or text.", (Action.MAIL_SEND,), False),
)
_BY_KEY = {scope.key: scope for scope in SCOPES}


def offered(role: Role) -> list[TokenScope]:
    """The scopes that make sense for somebody of this role."""
    return [scope for scope in SCOPES if _is_allowed(scope, role)]


def find_scope(key: str) -> TokenScope | None:
    """The scope of that key."""
    return _BY_KEY.get(key)


def actions_of(keys: Iterable[str], role: Role) -> frozenset[Action]:
    """Everything that a token with these scopes may be used for by somebody who has this role now."""
    found = [_BY_KEY[key] for key in keys if key in _BY_KEY]
    return frozenset(action for scope in found if _is_allowed(scope, role) for action in scope.actions)


def _is_allowed(scope: TokenScope, role: Role) -> bool:
    if role == Role.VISITOR and not scope.is_reading:
        return False
    return any(matrix.scope(role, action) != Scope.NO for action in scope.actions)
