"""What a person would lose by another role, in a sentence, before anybody decides.

Worked out from the same table and grants as every request; changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select

from cctv.extensions import db
from cctv.models import Camera, Role, User
from cctv.services.person import access, matrix
from cctv.services.person.matrix import GRANTABLE, Action, Scope

_NOUNS = {
    Action.LIVE: "watching",
    Action.PLAYBACK: "play back",
    Action.SNAPSHOT: "snapshots",
    Action.RECORD: "recording",
    Action.PTZ: "moving",
    Action.EXPORT: "export",
}
_MOST_NAMED = 3


def losses(person: User) -> dict[str, str]:
    """Role -> what the person loses with it; empty for the present role, and where nothing is lost."""
    there = db.session.scalar(select(func.count(Camera.id)).where(Camera.deleted_at.is_(None))) or 0
    granted = access.granted_actions(person)
    shared = {action: sum(action in given for given in granted.values()) for action in GRANTABLE}
    return {
        role.value: "" if role == person.role else _sentence(person.role, role, shared, there)
        for role in Role
    }


def _sentence(old: str, new: Role, shared: Mapping[Action, int], there: int) -> str:
    parts = _of_cameras(old, new, shared, there)
    gone = [
        matrix.WORDS[action]
        for action in matrix.WORDS
        if action not in GRANTABLE
        and matrix.scope(old, action) != Scope.NO
        and matrix.scope(new, action) == Scope.NO
    ]
    parts += [words[:1].lower() + words[1:] for words in gone[:_MOST_NAMED]]
    if len(gone) > _MOST_NAMED:
        parts.append(f"{len(gone) - _MOST_NAMED} more")
    return f"Loses: {'; '.join(parts)}." if parts else ""


def _of_cameras(old: str, new: Role, shared: Mapping[Action, int], there: int) -> list[str]:
    lost: dict[int, list[str]] = {}  # number of cameras -> what, so that equal numbers are said once
    for action in GRANTABLE:
        count = there if matrix.scope(old, action) == Scope.ALL else shared[action]
        if matrix.scope(old, action) == Scope.NO or not count:
            continue
        # What was shared one by one is kept where it can be; nobody shared what came with the role.
        is_kept = matrix.scope(new, action) == Scope.ALL or (
            matrix.scope(old, action) == matrix.scope(new, action) == Scope.PART
        )
        if not is_kept:
            lost.setdefault(count, []).append(_NOUNS[action])
    return [
        f"{'everything' if len(words) == len(GRANTABLE) else ', '.join(words)}"
        f" {'on' if len(words) == len(GRANTABLE) else 'of'} {count} camera{'' if count == 1 else 's'}"
        for count, words in lost.items()
    ]
