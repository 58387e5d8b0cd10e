"""How the copies get on as a whole: what waits and since when, how fast it goes, what failed, who rests.

Reads rows only; a few queries on indexes, whatever is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models import Node, Transfer, TransferState
from cctv.services.bucket import cloud

_LATELY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Problem:
    """A machine whose transfers rest. `state`: away (goes on by itself) or refused (needs a person)."""

    node: str
    state: str
    sentence: str
    since_ms: int
    next_ms: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Files and bytes by what becomes of them."""

    waiting: int
    waiting_bytes: int
    oldest_at: datetime | None  # since when the oldest of them waits
    uploading: int
    failed: int
    removing: int
    verified: int
    bytes_per_second: float  # of the last ten minutes
    problems: list[Problem]

    @property
    def waits_s(self) -> int:
        """For how long the oldest has been waiting."""
        return round((utcnow() - self.oldest_at).total_seconds()) if self.oldest_at else 0

    @property
    def clears_in_s(self) -> float | None:
        """In how many seconds nothing waits any more, at the speed of now; None: that cannot be said."""
        if not self.waiting_bytes or not self.bytes_per_second:
            return None
        return self.waiting_bytes / self.bytes_per_second


def collect(*, counts_verified: bool = True) -> Figures:
    """The figures of now; `counts_verified` False leaves out what takes longer the more is there."""
    rows = {state: _of(state) for state in TransferState if state != TransferState.VERIFIED}
    waiting, uploading = rows[TransferState.PENDING], rows[TransferState.UPLOADING]
    since = utcnow() - _LATELY
    sent = db.session.scalar(select(func.sum(Transfer.size_bytes)).where(Transfer.verified_at > since))
    verified = None
    if counts_verified:
        verified = db.session.scalar(select(func.count()).where(Transfer.state == TransferState.VERIFIED))
    return Figures(
        waiting=waiting[0],
        waiting_bytes=waiting[1] + uploading[1],
        oldest_at=min((at for at in (waiting[2], uploading[2]) if at), default=None),
        uploading=uploading[0],
        failed=rows[TransferState.FAILED][0],
        removing=rows[TransferState.REMOVING][0],
        verified=verified or 0,
        bytes_per_second=float(sent or 0) / _LATELY.total_seconds(),
        problems=problems(),
    )


def problems() -> list[Problem]:
    """Machines whose transfers rest; none while there is no bucket."""
    if cloud.access() is None:
        return []
    nodes = db.session.scalars(select(Node).where(Node.cloud_state != "ok").order_by(Node.id))
    return [
        Problem(
            node=node.name,
            state=node.cloud_state,
            sentence=node.cloud_detail,
            since_ms=node.cloud_since_ms or 0,
            next_ms=node.cloud_next_ms,
        )
        for node in nodes
    ]


def _of(state: TransferState) -> tuple[int, int, datetime | None]:
    count, size, oldest = db.session.execute(
        select(func.count(), func.sum(Transfer.size_bytes), func.min(Transfer.created_at)).where(
            Transfer.state == state
        )
    ).one()
    return count, int(size or 0), oldest
