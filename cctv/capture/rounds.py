"""The one thread in which all keepers of a process live: it looks at each when it is due and hears exits.

One thread for all cameras costs a tenth of one for each; it never waits for a disk, a name or a database.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from cctv.capture.attempt import Attempt
from cctv.capture.keeper import Keeper

_log = logging.getLogger(__name__)

_GRID = 4  # wake at most so many times a second for what is due: cameras share a waking


class Rounds(threading.Thread):
    """The thread. Everything but `order`, `is_stuck` and `step_s` belongs to it."""

    def __init__(self, *, clock_step: float, on_clock_step: Callable[[], None]) -> None:
        super().__init__(name="rounds", daemon=True)
        self.keepers: dict[int, Keeper] = {}
        self._orders: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.epoll()
        self._poll.register(self._wake, select.EPOLLIN)
        self._followed: dict[int, Keeper] = {}
        self._is_stopping = False
        self._round_began: float | None = None
        self._clock_step = clock_step
        self._on_clock_step = on_clock_step
        self._clock = time.time() - time.monotonic()

    def order(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run something in this thread, soon; from any thread."""
        self._orders.append((function, arguments))
        os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """End the thread after the orders given so far; keepers are left as they are."""
        self.order(self._end)

    def _end(self) -> None:
        self._is_stopping = True

    def stuck_s(self) -> float:
        """Seconds since a look began that has not ended: more than a moment means that the disk hangs."""
        began = self._round_began
        return 0.0 if began is None else time.monotonic() - began

    def follow(self, keeper: Keeper, attempt: Attempt) -> None:
        """Hear the end of a process."""
        self._followed[attempt.pidfd] = keeper
        self._poll.register(attempt.pidfd, select.EPOLLIN)

    def run(self) -> None:
        """Until stopped."""
        while not self._is_stopping:
            events = self._poll.poll(self._sleep_s())
            self._round_began = time.monotonic()
            for descriptor, _ in events:
                self._hear(descriptor)
            while self._orders:
                function, arguments = self._orders.popleft()
                self._safely(function, *arguments)
            self._check_clock()
            now = time.monotonic()
            for keeper in list(self.keepers.values()):
                if keeper.due <= now and not self._safely(keeper.tick, now):
                    keeper.due = now + 1.0  # it could not say when to look again
            self._round_began = None

    def _sleep_s(self) -> float:
        now = time.monotonic()
        due = min((keeper.due for keeper in self.keepers.values()), default=now + 1.0)
        due = min(max(due, now), now + 1.0)
        return max(0.001, -(-due * _GRID // 1) / _GRID - now)

    def _hear(self, descriptor: int) -> None:
        if descriptor == self._wake:
            os.eventfd_read(self._wake)
            return
        keeper = self._followed.pop(descriptor, None)
        self._poll.unregister(descriptor)
        if keeper is not None:
            self._safely(keeper.ended, time.monotonic())

    def _check_clock(self) -> None:
        clock = time.time() - time.monotonic()
        if abs(clock - self._clock) > self._clock_step:
            self._clock = clock
            self._safely(self._on_clock_step)

    def _safely(self, function: Callable[..., Any], *arguments: Any) -> bool:
        try:
            function(*arguments)
        except Exception:  # one camera's trouble must never end the others
            _log.exception("a keeper failed")
            return False
        return True
