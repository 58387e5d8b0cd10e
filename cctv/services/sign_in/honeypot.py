"""The honeypot: who knocked at the decoy, what they typed as text, and what follows for their address.

No password is kept, only its length and kind. Whom it may shut out is said by blocked_addresses.py.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from cctv.clock import now_ms
from cctv.errors import Conflict, NotFound
from cctv.extensions import begin_writing, db
from cctv.models import TrapAttempt, TrappedAddress, User
from cctv.services.auditing import audit
from cctv.services.sign_in import blocked_addresses
from cctv.services.site import counts

TRIES_TO_A_BLOCK = 10
_FIRST_BLOCK_MS = 15 * 60_000  # and twice as long each further time
_LONGEST_BLOCK_MS = 7 * 24 * 3_600_000
FOR_GOOD_MS = 253_402_300_799_000  # the end of the calendar
_MOST_ADDRESSES = 2000
_MOST_ATTEMPTS = 5000
_MOST_OF_ADDRESS = 50
# What is written in ten minutes; beyond it every hundredth counts for a hundred: nobody fills the disk.
_WINDOW_SECONDS = 600
_WRITTEN_OF_ADDRESS = 20
_WRITTEN_OF_ALL = 600
_STEP = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to the decoy, as it came."""

    address: str
    method: str
    path: str
    name: str = ""
    password: str = ""
    device: str = ""
    is_sent_by_a_page: bool = False  # of somebody else, through the browser of whoever opened it

    @property
    def is_try(self) -> bool:
        """Whether a password was tried, by whoever is at this address."""
        return self.method == "POST" and not self.is_sent_by_a_page


def kind_of(password: str) -> str:
    """What may be kept of a password: "12 characters: letters, digits"."""
    if not password:
        return ""
    kinds = {
        "letters": any(character.isalpha() for character in password),
        "digits": any(character.isdigit() for character in password),
        "others": any(not character.isalnum() for character in password),
    }
    length = f"{min(len(password), 999)} character{'' if len(password) == 1 else 's'}"
    return f"{length}: {', '.join(kind for kind, is_there in kinds.items() if is_there)}"[:40]


def note(attempt: Attempt) -> None:
    """Write an attempt down, as far as the limits allow, and shut its address out when it was the tenth.

    Never raises: the decoy answers all the same.
    """
    place = blocked_addresses.place_of(attempt.address)
    weight = _weight(place) if place else 0
    if not weight:
        return
    try:
        audit.set_origin(audit.Origin(None, "system", place))
        begin_writing()
        row = _row(place)
        _write(row, attempt, weight)
        db.session.commit()
    except SQLAlchemyError as error:
        db.session.rollback()
        _log.warning("an attempt at the honeypot could not be noted: %s", type(error).__name__)


def block_for_good(actor: User, row: TrappedAddress) -> None:
    """Shut an address out until somebody lets it in again.

    Raises:
        Conflict: it is one of ours, or somebody signs in from there.
    """
    if reason := blocked_addresses.protection(row.address):
        raise Conflict(f"{row.address} is not blocked: {reason}")
    begin_writing()
    row.blocked_until_ms, row.is_ours = FOR_GOOD_MS, False
    audit.add("honeypot.block", target=row.address, target_id=row.id, user=actor, is_for_good=True)
    db.session.commit()
    blocked_addresses.forget()


def unblock(actor: User, row: TrappedAddress) -> None:
    """Let an address in again."""
    begin_writing()
    row.blocked_until_ms = None
    audit.add("honeypot.unblock", target=row.address, target_id=row.id, user=actor)
    db.session.commit()
    blocked_addresses.forget()


def mark(actor: User, row: TrappedAddress, *, is_ours: bool) -> None:
    """Say whether it is a scanner of our own: then it is never shut out, and can be left out of the list."""
    begin_writing()
    row.is_ours = is_ours
    if is_ours:
        row.blocked_until_ms = None
    action = "honeypot.ours" if is_ours else "honeypot.not_ours"
    audit.add(action, target=row.address, target_id=row.id, user=actor)
    db.session.commit()
    blocked_addresses.forget()


def get_address(row_id: int) -> TrappedAddress:
    """The row.

    Raises:
        NotFound: there is none (any more).
    """
    row = db.session.get(TrappedAddress, row_id)
    if row is None:
        raise NotFound("This address is not in the list (any more).")
    return row


def _weight(place: str) -> int:
    """For how many requests this one counts; 0: it is not written."""
    of_place = counts.count(f"trap {place}", seconds=_WINDOW_SECONDS)
    of_all = counts.count("trap", seconds=_WINDOW_SECONDS)
    if of_place <= _WRITTEN_OF_ADDRESS and of_all <= _WRITTEN_OF_ALL:
        return 1
    if of_place % _STEP:
        return 0
    return _STEP - _WRITTEN_OF_ADDRESS if of_place == _STEP else _STEP


def _row(place: str) -> TrappedAddress:
    query = select(TrappedAddress).where(TrappedAddress.address == place)
    row = db.session.scalar(query.with_for_update())
    if row is None:
        row = TrappedAddress(address=place, first_ms=now_ms(), last_ms=now_ms(), hits=0, tries=0)
        db.session.add(row)
        db.session.flush()
        if row.id % 50 == 0:
            _forget_addresses()
    return row


def _write(row: TrappedAddress, attempt: Attempt, weight: int) -> None:
    now = now_ms()
    row.last_ms, row.hits = now, row.hits + weight
    db.session.add(
        TrapAttempt(
            trapped_id=row.id,
            at_ms=now,
            method=_clean(attempt.method, 8),
            path=_clean(attempt.path, 200),
            name=_clean(attempt.name, 120),
            password=kind_of(attempt.password),
            device=_clean(attempt.device, 200),
        )
    )
    db.session.flush()
    _forget_attempts(row)
    before = row.tries
    row.tries += weight if attempt.is_try else 0
    if row.tries // TRIES_TO_A_BLOCK > before // TRIES_TO_A_BLOCK:
        _shut_out(row, now)


def _shut_out(row: TrappedAddress, now: int) -> None:
    if row.is_ours or blocked_addresses.protection(row.address):
        return
    times = row.tries // TRIES_TO_A_BLOCK
    lasts = min(_LONGEST_BLOCK_MS, _FIRST_BLOCK_MS * 2 ** min(times - 1, 20))
    row.blocked_until_ms = max(row.blocked_until_ms or 0, now + lasts)
    audit.add(
        "honeypot.block", target=row.address, target_id=row.id, until_ms=row.blocked_until_ms, tries=row.tries
    )
    blocked_addresses.forget()


def _forget_attempts(row: TrappedAddress) -> None:
    """Keep the newest of this address, and now and then the newest of all."""
    newest = select(TrapAttempt.id).where(TrapAttempt.trapped_id == row.id).order_by(TrapAttempt.id.desc())
    last = db.session.scalar(newest.offset(_MOST_OF_ADDRESS).limit(1))
    if last is not None:
        db.session.execute(
            delete(TrapAttempt).where(TrapAttempt.trapped_id == row.id, TrapAttempt.id <= last)
        )
    if row.hits % 50 == 0 or row.hits == 1:
        newest_id = db.session.scalar(select(func.max(TrapAttempt.id))) or 0
        db.session.execute(delete(TrapAttempt).where(TrapAttempt.id <= newest_id - _MOST_ATTEMPTS))


def _forget_addresses() -> None:
    """Of more than the list holds, those that came longest ago and are neither blocked nor marked go."""
    count = db.session.scalar(select(func.count(TrappedAddress.id))) or 0
    if count <= _MOST_ADDRESSES:
        return
    free = (TrappedAddress.is_ours.is_(False), func.coalesce(TrappedAddress.blocked_until_ms, 0) < now_ms())
    oldest = (
        select(TrappedAddress.id).where(*free).order_by(TrappedAddress.last_ms).limit(count - _MOST_ADDRESSES)
    )
    db.session.execute(delete(TrappedAddress).where(TrappedAddress.id.in_(oldest.scalar_subquery())))


def _clean(text: str, longest: int) -> str:
    return _CONTROL.sub(" ", text[:2000])[:longest]
