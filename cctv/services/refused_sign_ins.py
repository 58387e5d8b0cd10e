"""Refused sign-ins in the audit log: the first from an address, then the tenth, the hundredth and so on.

Whoever knocks five thousand times must not fill the log; what was typed is never kept, it may be a password.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time

from flask import current_app
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from cctv import queue
from cctv.extensions import begin_writing, db
from cctv.models import User
from cctv.services import audit

_WINDOW_SECONDS = 3600
_MOST_ALONE = 100  # first refusals of an hour that get an entry each; then only what repeats itself does
_LONGEST_MEMORY = 10_000

_log = logging.getLogger(__name__)


def note(user: User | None, *, address: str, typed: str = "", how: str = "password") -> None:
    """Count a refused sign-in with the name of `user`, or with a name that nobody has. Never raises.

    `how`: what was wrong: password, code, or confirm (the password again, inside). `typed`: the unknown name,
    so that it is counted, and takes as long, as a known one does.
    """
    name = str(user.id) if user else f"?{typed.strip().lower()}"
    count, of_all = _count(f"{address} {how} {name}"), _count("all")
    is_step = _is_power_of_ten(count) and of_all <= _MOST_ALONE * count
    if not is_step and not (_is_power_of_ten(of_all) and of_all > _MOST_ALONE):
        return
    told = {"times": count} if is_step else {"times_by_all": of_all}
    try:
        begin_writing()
        audit.add(
            "sign_in.refused",
            target=user.name if user else "",
            target_id=user.id if user else None,
            how=how,
            **told,  # type: ignore[arg-type]
        )
        db.session.commit()
    except SQLAlchemyError as error:
        db.session.rollback()
        _log.warning("a refused sign-in could not be noted: %s", type(error).__name__)


def _count(what: str) -> int:
    """How often within an hour of the first time; shared by all processes, or of this one without Redis."""
    key = f"cctv:refused:{hashlib.sha256(what.encode()).hexdigest()[:32]}"
    try:
        with queue.redis_connection().pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, _WINDOW_SECONDS, nx=True)
            return int(pipeline.execute()[0])
    except (RedisError, OSError):
        memory: _Memory = current_app.extensions.setdefault("cctv.refusals", _Memory())
        return memory.count(key)


def _is_power_of_ten(number: int) -> bool:
    return str(number).strip("0") == "1"


class _Memory:
    """The same in this process."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def count(self, key: str) -> int:
        now = time.monotonic()
        with self._lock:
            number, until = self._counts.get(key, (0, 0.0))
            if until < now:
                number, until = 0, now + _WINDOW_SECONDS
            if len(self._counts) >= _LONGEST_MEMORY:
                self._counts.clear()
            self._counts[key] = (number + 1, until)
            return number + 1
