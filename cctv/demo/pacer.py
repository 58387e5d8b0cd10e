"""One timer for everything that is sent: a heap of feeds by the wall time at which each is due.
Wake-ups are at least 4 ms apart, so that many cameras share one; it knows nothing of what a feed sends."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol

MIN_PAUSE_SECONDS = 0.004
MAX_PAUSE_SECONDS = 1.0  # the wall clock may be set; what is due is looked at again at least this often


class Due(Protocol):
    def send_due(self, now: float) -> float | None:
        """Sends what is due at the Unix time `now`; answers when it wants the next call, None for never."""


class Pacer:
    """Calls feeds when they are due, on the running event loop."""

    def __init__(self) -> None:
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
            pause = min(max(self._heap[0][0] - time.time(), MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(pause, self._run)

    def _run(self) -> None:
        self._timer = None
        heap, now = self._heap, time.time()
        while heap and heap[0][0] <= now:
            feed = heap[0][2]
            due = feed.send_due(now)
            if due is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (due, next(self._order), feed))
        self._arm()
