"""Who watches what in this process: viewers are counted, and signs that somebody watches are kept rare.

The sign itself (`cctv:watch:<stream_id>`, 15 s) is set by the service of captures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from cctv.errors import LimitReached, Unavailable

_FULL = "Too many people are watching through this server now. Trying again."
_OWN = "You are watching {} at once, the most for one person. Close some, then this one plays."
RENEW_SECONDS = 4.0  # well inside the 15 s that the sign lives


class Renewals:
    """When the sign of a stream was last given: players ask several times a second."""

    def __init__(self) -> None:
        self._given_at: dict[int, float] = {}
        self._lock = Lock()

    def is_due(self, stream_id: int) -> bool:
        """Whether the sign should be given now; the caller gives it."""
        now = time.monotonic()
        with self._lock:
            if now - self._given_at.get(stream_id, -RENEW_SECONDS) < RENEW_SECONDS:
                return False
            self._given_at[stream_id] = now
            return True


class Seats:
    """A limit of viewers that hold a thread each, so that they never take the last one from the pages,
    nor one person all of them from the others."""

    def __init__(self, limit: int, *, of_person: int) -> None:
        self.limit = limit
        self.of_person = of_person
        self._taken: dict[int, int] = {}
        self._lock = Lock()

    @property
    def taken(self) -> int:
        """By everybody."""
        return sum(self._taken.values())

    @contextmanager
    def one(self, person_id: int) -> Iterator[None]:
        """Take a seat while inside.

        Raises:
            Unavailable: all are taken.
            LimitReached: this person has as many as one may have.
        """
        with self._lock:
            own = self._taken.get(person_id, 0)
            if own >= self.of_person:
                raise LimitReached(_OWN.format("1 picture" if own == 1 else f"{own} pictures"))
            if self.taken >= self.limit:
                raise Unavailable(_FULL)
            self._taken[person_id] = own + 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[person_id] -= 1
                if not self._taken[person_id]:
                    del self._taken[person_id]
