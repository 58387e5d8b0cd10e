"""How long an owner's sign of life counts, and the one clock that all machines measure it by.

Signs of life (`renewed_ms`, `reserved_until_ms`, `seen_ms`) are times of the database's clock, because those
of two machines may differ by minutes; they must never meet times of footage without `own_ms`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from cctv.clock import now_ms
from cctv.extensions import db

LEASE_MS = 15_000  # DECISIONS 3: who gave no sign for so long is gone, and what was theirs is free
_AGREEING_MS = 1_000  # clocks so close are taken for one: their difference is mostly the way of the question


class clock(FunctionElement[int]):
    """Epoch milliseconds now by the database's clock, inside a statement: costs no question of its own.

    SQLite is part of its one machine, whose clock it uses.
    """

    name = "lease_clock"
    type = BigInteger()
    inherit_cache = True


@compiles(clock, "postgresql")
def _of_the_server(_element: clock, _compiler: Any, **_options: Any) -> str:
    # Not now(): that stands still during a transaction, which may have waited for a lock.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(clock, "sqlite")
def _of_this_machine(_element: clock, _compiler: Any, **_options: Any) -> str:
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


def now() -> int:
    """Epoch milliseconds by the database's clock; on SQLite without asking it."""
    if db.session.get_bind().dialect.name == "sqlite":
        return now_ms()
    return int(db.session.scalars(select(clock())).one())


def own_ms(lease_ms: int, asked_ms: int, *, at_ms: int | None = None) -> int:
    """A sign of life as a time of this machine's clock, on which its footage and the history lie.

    0 (there was none) stays 0. `asked_ms` is the database's time of the question, `at_ms` this machine's
    (default: now).
    """
    if not lease_ms:
        return 0  # there was none
    ahead_ms = asked_ms - (now_ms() if at_ms is None else at_ms)
    return lease_ms if abs(ahead_ms) < _AGREEING_MS else lease_ms - ahead_ms
