"""How fast young footage may go to make room: as fast as footage is recorded, and no faster.

So other files on the disk cannot eat it: they only ever get what is older (docs/decisions). Remembers the
last hour in this process; never removes anything.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from flask import current_app
from sqlalchemy import func, select

from cctv.extensions import db
from cctv.models import Run, Segment, SegmentState

WINDOW_MS = 10 * 60_000
HOUR_MS = 3_600_000
_A_LITTLE_MORE = 1.05  # what a restart of the worker left over heals


class Amount(NamedTuple):
    """Bytes in files."""

    size_bytes: int
    files: int


class _Taken(NamedTuple):
    at_ms: int
    all_bytes: int
    young: Amount


class Pace:
    """What went from one node's disk lately."""

    def __init__(self, node_id: int, *, began_ms: int) -> None:
        self._node_id = node_id
        self._began_ms = began_ms
        self._taken: deque[_Taken] = deque()
        self._allowed: deque[tuple[int, int]] = deque()  # (moment, bytes) that somebody asked for
        self._floor_bytes: int | None = None

    def credit(self, at_ms: int) -> Amount:
        """So much of the young footage may go now."""
        since_ms = max(self._began_ms, at_ms - WINDOW_MS)
        fresh = recorded(self._node_id, since_ms, at_ms)
        went = [one.young for one in self._taken if one.at_ms > at_ms - WINDOW_MS]
        return Amount(
            max(0, int(fresh.size_bytes * _A_LITTLE_MORE) - sum(one.size_bytes for one in went)),
            max(0, fresh.files + 1 - sum(one.files for one in went) if fresh.files else 0),
        )

    def take(self, at_ms: int, all_bytes: int, young: Amount) -> None:
        """So much went."""
        self._taken.append(_Taken(at_ms, all_bytes, young))
        while self._taken[0].at_ms <= at_ms - HOUR_MS:
            self._taken.popleft()

    def follow_floor(self, at_ms: int, floor_bytes: int) -> None:
        """A floor that was raised takes footage as well, and nobody is to blame for it."""
        if self._floor_bytes is not None and floor_bytes > self._floor_bytes:
            self._allowed.append((at_ms, floor_bytes - self._floor_bytes))
        self._floor_bytes = floor_bytes
        while self._allowed and self._allowed[0][0] <= at_ms - HOUR_MS:
            self._allowed.popleft()

    def eaten_bytes(self, at_ms: int) -> int:
        """Footage of the last hour's removals that was neither replaced by newer nor asked for."""
        went = sum(one.all_bytes for one in self._taken)
        fresh = recorded(self._node_id, at_ms - HOUR_MS, at_ms).size_bytes
        return max(0, went - fresh - sum(size for _, size in self._allowed))


def of(node_id: int, *, at_ms: int) -> Pace:
    """The one of this process."""
    known: dict[int, Pace] = current_app.extensions.setdefault("cctv.pace", {})
    return known.setdefault(node_id, Pace(node_id, began_ms=at_ms))


def recorded(
    node_id: int, since_ms: int, until_ms: int, *, states: tuple[str, ...] = (SegmentState.KEPT,)
) -> Amount:
    """The files of a node, by default the kept ones, that ended in (since_ms, until_ms]."""
    row = db.session.execute(
        select(func.coalesce(func.sum(Segment.size_bytes), 0), func.count())
        .join(Run, Run.id == Segment.run_id)
        .where(
            Segment.state.in_(states),
            Segment.ended_ms > since_ms,
            Segment.ended_ms <= until_ms,
            Run.node_id == node_id,
        )
    ).one()
    db.session.commit()
    return Amount(int(row[0]), int(row[1]))
