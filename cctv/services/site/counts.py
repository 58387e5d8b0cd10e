"""How often something happened within a while: shared by all processes through Redis, else of this one.

Only counts; what follows from a count is decided by who asks.
"""

from __future__ import annotations

import hashlib
import threading
import time

from flask import current_app
from redis.exceptions import RedisError

from cctv import queue

_LONGEST_MEMORY = 10_000


def count(what: str, *, seconds: int) -> int:
    """Count once more; how often within `seconds` of the first time. No text of `what` stands in Redis."""
    key = f"cctv:count:{hashlib.sha256(what.encode()).hexdigest()[:32]}"
    try:
        with queue.redis_connection().pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, seconds, nx=True)
            return int(pipeline.execute()[0])
    except (RedisError, OSError):
        memory: _Memory = current_app.extensions.setdefault("cctv.counts", _Memory())
        return memory.count(key, seconds)


class _Memory:
    """The same in this process."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def count(self, key: str, seconds: int) -> int:
        now = time.monotonic()
        with self._lock:
            number, until = self._counts.get(key, (0, 0.0))
            if until < now:
                number, until = 0, now + seconds
            if len(self._counts) >= _LONGEST_MEMORY:
                self._counts.clear()
            self._counts[key] = (number + 1, until)
            return number + 1
