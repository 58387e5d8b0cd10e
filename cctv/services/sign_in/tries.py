"""Limits of guessing: some tries are free, each further one waits longer, and a right one forgets them.

Counts are shared through Redis; without it each process counts for itself. A refused try is not counted, so
that nobody can keep another person out by knocking on: the wait never grows beyond a minute, and for the
second factor, which only somebody who knows the password can try, beyond a quarter of an hour.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
import time
from dataclasses import dataclass

from flask import current_app
from redis import Redis
from redis.exceptions import RedisError

from cctv import queue

FIRST_WAIT_SECONDS = 15
LONGEST_WAIT_SECONDS = 60
FORGOTTEN_AFTER_SECONDS = 15 * 60  # without a counted try
_LONGEST_MEMORY = 10_000

# One step in Redis, so that parallel guesses do not all see the same count.
# KEYS: tries, wait. ARGV: free, first wait, longest wait, seconds until forgotten. The wait in ms, or 0.
_TAKE = """
local left = redis.call('PTTL', KEYS[2])
if left > 0 then return left end
local tries = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
local over = tries - tonumber(ARGV[1])
if over >= 0 then
  local wait = math.min(tonumber(ARGV[3]), tonumber(ARGV[2]) * 2 ^ math.min(over, 20))
  redis.call('SET', KEYS[2], '1', 'PX', math.floor(wait * 1000))
end
return 0
"""
_GIVE_BACK = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECR', KEYS[1]) end"


@dataclass(frozen=True, slots=True)
class Limit:
    """What is guessed, by whom; `free` tries come before the first wait. `who` is stored as a hash."""

    what: str
    who: str
    free: int
    longest_seconds: float | None = None  # of a wait; None: a minute
    forgotten_seconds: float | None = None  # None: a quarter of an hour

    @property
    def longest(self) -> float:
        """The wait that is never exceeded."""
        return LONGEST_WAIT_SECONDS if self.longest_seconds is None else self.longest_seconds

    @property
    def forgotten(self) -> float:
        """How long the tries are remembered without another one."""
        return FORGOTTEN_AFTER_SECONDS if self.forgotten_seconds is None else self.forgotten_seconds

    @property
    def key(self) -> str:
        """The same for every spelling's hash; no address or name stands in Redis."""
        return f"cctv:tries:{self.what}:{hashlib.sha256(self.who.encode()).hexdigest()[:32]}"


def take(*limits: Limit) -> float:
    """Count a try; 0 when it may be made, else the seconds to wait. Ask first; the widest limit first."""
    for limit in limits:
        if wait := _counted(limit):
            return wait
    return 0.0


def forgive(limit: Limit) -> None:
    """The try was right: those before it are forgotten."""
    _memory().forgive(limit.key)
    with contextlib.suppress(RedisError, OSError):
        queue.redis_connection().delete(limit.key, f"{limit.key}:wait")


def give_back(limit: Limit) -> None:
    """The try was right, but says nothing about those before it: only itself is not counted."""
    _memory().give_back(limit.key)
    with contextlib.suppress(RedisError, OSError):
        queue.redis_connection().eval(_GIVE_BACK, 1, limit.key)


def _counted(limit: Limit) -> float:
    connection: Redis = queue.redis_connection()
    arguments = (limit.free, FIRST_WAIT_SECONDS, limit.longest, math.ceil(limit.forgotten))
    try:
        left_ms = connection.eval(_TAKE, 2, limit.key, f"{limit.key}:wait", *map(str, arguments))
        return int(left_ms) / 1000
    except (RedisError, OSError):
        return _memory().take(limit)


class _Memory:
    """The same in this process."""

    def __init__(self) -> None:
        self._tries: dict[str, tuple[int, float, float]] = {}  # count, waits until, forgotten at
        self._lock = threading.Lock()

    def take(self, limit: Limit) -> float:
        now = time.monotonic()
        with self._lock:
            count, until, forgotten = self._tries.get(limit.key, (0, 0.0, 0.0))
            if until > now:
                return until - now
            count = count + 1 if forgotten > now else 1
            if over := max(0, count - limit.free + 1):
                wait = min(limit.longest, FIRST_WAIT_SECONDS * 2 ** min(over - 1, 20))
                until = now + wait
            if len(self._tries) >= _LONGEST_MEMORY:
                self._tries = {key: kept for key, kept in self._tries.items() if kept[1] > now}
            self._tries[limit.key] = (count, until, now + limit.forgotten)
        return 0.0

    def forgive(self, key: str) -> None:
        with self._lock:
            self._tries.pop(key, None)

    def give_back(self, key: str) -> None:
        with self._lock:
            if key in self._tries:
                count, until, forgotten = self._tries[key]
                self._tries[key] = (count - 1, until, forgotten)


def _memory() -> _Memory:
    memory: _Memory = current_app.extensions.setdefault("cctv.tries", _Memory())
    return memory
