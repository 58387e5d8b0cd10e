"""One thing done to many recordings: each for itself, so that those that refuse stop none of the others.

What is refused, and why, is said by services/recording/evidence.py; here it is only gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import select

from cctv.errors import NotFound
from cctv.extensions import db
from cctv.models import Recording, Transfer, TransferState, User
from cctv.services.bucket import transfer_requests
from cctv.services.person import access
from cctv.services.person.access import Action
from cctv.services.recording import evidence, recording_facts, recording_list

MOST = 500  # at a time: each is a transaction of its own, about 10 ms


@dataclass(slots=True)
class Outcome:
    """What became of each; ids in the order in which they were asked for."""

    done: list[int] = field(default_factory=list)
    locked: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    not_locked: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)  # or not this person's

    @property
    def kept(self) -> list[int]:
        """Those that are still there and to which it was not done."""
        return [*self.locked, *self.running, *self.not_locked]

    @property
    def asked(self) -> int:
        """How many it was to be done to."""
        return len(self.done) + len(self.kept) + len(self.gone)


@dataclass(frozen=True, slots=True)
class Preview:
    """What deleting would do: what goes, and what stays because it is locked or goes on."""

    going: list[Recording]
    locked: list[Recording]
    running: list[Recording]
    footage_ms: int
    size_bytes: int
    copies: int  # files with a copy in the cloud


def lock(user: User, ids: Iterable[int], *, reason: str) -> Outcome:
    """Lock them all for one reason.

    Raises:
        Invalid: key reason; nothing was done.
    """
    reason = evidence.checked_reason(reason)
    return _each(user, ids, Action.LOCK, lambda one: evidence.lock(one, user, reason=reason))


def unlock(user: User, ids: Iterable[int]) -> Outcome:
    """Unlock them all."""
    return _each(user, ids, Action.LOCK, lambda one: evidence.unlock(one, user))


def delete(user: User, ids: Iterable[int], *, with_copies: bool) -> Outcome:
    """Delete those that are neither locked nor going on."""
    return _each(
        user,
        ids,
        Action.RECORDING_DELETE,
        lambda one: evidence.delete_recording(one, user, with_copies=with_copies),
    )


def transfer(user: User, ids: Iterable[int]) -> Outcome:
    """Have them copied to the cloud, before what rules send; failed copies are tried again.

    Raises:
        Conflict: there is no bucket.
    """
    asked = list(ids)
    done = transfer_requests.request_what_is_there(user, asked)
    return Outcome(done=done, gone=[one for one in asked if one not in done])


def preview(user: User, ids: Iterable[int]) -> Preview:
    """What `delete` would do now; those that are gone or not this person's are left out."""
    access.authorise(user, None, Action.RECORDING_DELETE)
    found = recording_list.list_some(user, ids)
    refusals = {one.id: evidence.why_not(one) for one in found}
    going = [one for one in found if refusals[one.id] is None]
    facts = recording_facts.of_recordings(going).values()
    return Preview(
        going=going,
        locked=[one for one in found if isinstance(refusals[one.id], evidence.IsLocked)],
        running=[one for one in found if isinstance(refusals[one.id], evidence.GoesOn)],
        footage_ms=sum(one.footage_ms for one in facts),
        size_bytes=sum(one.size_bytes for one in facts),
        copies=sum(one.copies.get(TransferState.VERIFIED, 0) for one in facts),
    )


def has_copies() -> bool:
    """Whether anything was ever to be copied to the cloud: else nobody need read about it."""
    return db.session.scalar(select(Transfer.id).limit(1)) is not None


def _each(user: User, ids: Iterable[int], action: Action, do: Callable[[Recording], object]) -> Outcome:
    outcome = Outcome()
    for recording_id in ids:
        try:
            do(recording_list.get_recording(user, recording_id, action))
            outcome.done.append(recording_id)
        except NotFound:
            outcome.gone.append(recording_id)
        except evidence.IsLocked:
            outcome.locked.append(recording_id)
        except evidence.NotLocked:
            outcome.not_locked.append(recording_id)
        except evidence.GoesOn:
            outcome.running.append(recording_id)
    return outcome
