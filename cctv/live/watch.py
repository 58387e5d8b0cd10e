"""Who watches what in this process: viewers are counted, and signs that somebody watches are kept rare.

The sign itself (`cctv:watch:<stream_id>`, 15 s) is set by the service of captures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from cctv.errors import Unavailable

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
    """A limit of viewers that hold a thread each, so that they never take the last one from the pages."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._lock = Lock()

    @contextmanager
    def one(self, sentence: str) -> Iterator[None]:
        """Take a seat while inside.

        Raises:
            Unavailable: all are taken; `sentence` is what the person reads.
        """
        with self._lock:
            if self.taken >= self.limit:
                raise Unavailable(sentence)
            self.taken += 1
        try:
            yield
        finally:
            with self._lock:
                self.taken -= 1
