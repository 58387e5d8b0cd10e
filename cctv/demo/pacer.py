"""One timer for everything that is sent: a heap of feeds by the wall time at which each is due.
Wake-ups are at least 4 ms apart, so that many cameras share one; it knows nothing of what a feed sends."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

MIN_PAUSE_SECONDS = 0.004
CLOCK_STEP_SECONDS = 0.5
MAX_PAUSE_SECONDS = 1.0  # the wall clock may be set; what is due is looked at again at least this often


class Due(Protocol):
    def send_due(self, now: float) -> float | None:
        """Sends what is due at the Unix time `now`; answers when it wants the next call, None for never."""

    def resync(self, now: float) -> None:
        """The wall clock was set: goes on with what is due after `now`."""


class Pacer:
    """Calls feeds when they are due, on the running event loop."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._clock_ahead = clock() - time.monotonic()
        self._heap: list[tuple[float, int, Due]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, feed: Due, due: float) -> None:
        heapq.heappush(self._heap, (due, next(self._order), feed))
        self._arm()

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            pause = min(max(self._heap[0][0] - self._clock(), MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(pause, self._run)

    def _run(self) -> None:
        self._timer = None
        now = self._clock()
        self._notice_a_set_clock(now)
        heap = self._heap
        while heap and heap[0][0] <= now:
            feed = heap[0][2]
            due = feed.send_due(now)
            if due is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (due, next(self._order), feed))
        self._arm()

    def _notice_a_set_clock(self, now: float) -> None:
        """Asks the feeds anew, which were due by the old clock: set back, they would wait for its time."""
        ahead = now - time.monotonic()
        if abs(ahead - self._clock_ahead) > CLOCK_STEP_SECONDS:
            for _, _, feed in self._heap:
                feed.resync(now)
            self._heap = [(now, order, feed) for _, order, feed in sorted(self._heap, key=lambda due: due[1])]
        self._clock_ahead = ahead
