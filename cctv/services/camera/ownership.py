"""Who owns a stream: won by compare-and-set, renewed, lapsed, handed over (DECISIONS 3).

One row says it, and a fence that only ever rises; a queue is never asked. Every lease is measured by the
database's clock (lease.py), never by that of a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Integer, bindparam, or_, select, update

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Node, StateChange, Stream, StreamKind, StreamState
from cctv.services.camera import lease
from cctv.services.camera.lease import LEASE_MS
from cctv.services.camera.stream_states import end_open_changes

RESERVE_MS = 30_000  # how long a planned hand-over keeps a row for its node


class Wanted(NamedTuple):
    """A stream that should be captured, and who does it now."""

    stream_id: int
    camera_id: int
    kind: str
    revision: int
    is_on_demand: bool
    pinned_node_id: int | None
    owner_node_id: int | None
    owner_worker: str | None
    fence: int
    renewed_ms: int
    reserved_until_ms: int
    asked_ms: int  # the database's time of this answer

    def is_free(self, *, node_id: int | None = None) -> bool:
        """Whether a worker of `node_id` may claim it without knowing whether its owner lives."""
        if self.owner_node_id is None:
            return True
        is_lapsed = self.renewed_ms < self.asked_ms - LEASE_MS
        is_reserved = self.reserved_until_ms > self.asked_ms and self.owner_node_id != node_id
        return is_lapsed and not is_reserved


class Claim(NamedTuple):
    """A stream won. `ordinal` is that of its last run."""

    stream_id: int
    fence: int
    ordinal: int
    run_key: str | None


# Made once: each worker asks every two seconds, and making it costs as much as running it (measured).
_WANTED = (
    select(
        Stream.id,
        Stream.camera_id,
        Stream.kind,
        Stream.revision,
        Stream.is_on_demand,
        Camera.node_id,
        Stream.owner_node_id,
        Stream.owner_worker,
        Stream.fence,
        Stream.renewed_ms,
        Stream.reserved_until_ms,
        lease.clock(),
    )
    .join(Camera, Camera.id == Stream.camera_id)
    .where(
        Camera.is_enabled.is_(True),
        Camera.deleted_at.is_(None),
        or_(Stream.is_on_demand.is_(False), Stream.owner_node_id.is_not(None)),
        or_(
            bindparam("node_id", type_=Integer).is_(None),
            Camera.node_id.is_(None),
            Camera.node_id == bindparam("node_id", type_=Integer),
        ),
    )
)


def wanted_streams(node_id: int | None = None) -> list[Wanted]:
    """Streams of cameras that are switched on and may be captured by the node (None: by any).

    On-demand streams are among them only while somebody captures them; whether one is still watched is
    asked with `watched`, and a new one begins with `start_on_demand`.
    """
    return [Wanted(*row) for row in db.session.execute(_WANTED, {"node_id": node_id})]


def claim(
    stream_id: int,
    *,
    node_id: int,
    worker: str,
    is_alive: Callable[[str], bool] | None = None,
    at_ms: int | None = None,
) -> Claim | None:
    """Win the stream for `worker` of the node, or None when somebody else has it.

    `is_alive` tells whether a worker of this node ("<pid>:<start time>") lives: a dead one's rows are free
    at once; without it only the lease counts. Winning raises the fence, which ends every older owner.
    `at_ms` stands for all clocks, in tests.
    """
    begin_writing()
    row = db.session.execute(
        select(Stream, Camera, lease.clock().label("asked_ms"))
        .join(Camera, Camera.id == Stream.camera_id)
        .where(Stream.id == stream_id)
    ).one_or_none()
    if row is None or not row.Camera.is_enabled or row.Camera.deleted_at is not None:
        db.session.rollback()
        return None
    stream, now = row.Stream, at_ms or row.asked_ms
    if stream.owner_node_id == node_id and stream.owner_worker == worker:
        won = Claim(stream.id, stream.fence, stream.run_ordinal, stream.run_key)
        db.session.rollback()
        return won
    if not _may_claim(stream, row.Camera, node_id, is_alive, now):
        db.session.rollback()
        return None
    if not _win(stream, now, owner_node_id=node_id, owner_worker=worker):
        db.session.rollback()
        return None
    if stream.owner_node_id is not None and stream.renewed_ms < now - LEASE_MS:
        _explain_silence(stream, now, at_ms or now_ms())
    won = Claim(stream.id, stream.fence + 1, stream.run_ordinal, stream.run_key)
    db.session.commit()
    return won


def _win(stream: Stream, now: int, **owner: object) -> bool:
    """Whether the row was still as it was read: nobody else has won or renewed it meanwhile."""
    changed: Any = db.session.execute(
        update(Stream)
        .where(Stream.id == stream.id, Stream.fence == stream.fence, Stream.renewed_ms == stream.renewed_ms)
        .values(fence=Stream.fence + 1, renewed_ms=now, reserved_until_ms=0, **owner)
        .execution_options(synchronize_session=False)
    )
    return bool(changed.rowcount)


def _may_claim(
    stream: Stream, camera: Camera, node_id: int, is_alive: Callable[[str], bool] | None, now: int
) -> bool:
    if camera.node_id not in (None, node_id):
        return False
    if stream.owner_node_id is None:
        return True
    if stream.owner_node_id == node_id and is_alive is not None and not is_alive(stream.owner_worker or ""):
        return True
    if stream.renewed_ms >= now - LEASE_MS:
        return False
    return stream.owner_node_id == node_id or stream.reserved_until_ms <= now


def _explain_silence(stream: Stream, asked_ms: int, now: int) -> None:
    """Nobody told what happened since the last sign of life: the history must not go on saying live."""
    silent_from = lease.own_ms(stream.renewed_ms, asked_ms, at_ms=now)
    end_open_changes(stream.id, silent_from)
    db.session.add(
        StateChange(
            stream_id=stream.id,
            state=StreamState.OFFLINE,
            cause="worker_down",
            detail=None,
            started_ms=silent_from,
            ended_ms=now,
        )
    )
    db.session.add(
        StateChange(
            stream_id=stream.id, state=StreamState.CONNECTING, cause=None, detail=None, started_ms=now
        )
    )
    db.session.execute(
        update(Stream)
        .where(Stream.id == stream.id)
        .values(state=StreamState.CONNECTING, cause=None, detail=None, state_since_ms=now)
        .execution_options(synchronize_session=False)
    )


def renew(
    held: dict[int, int],
    *,
    node_id: int,
    worker: str,
    storage: Mapping[str, Any] | None = None,
    at_ms: int | None = None,
) -> set[int]:
    """The worker's sign of life: renews all of its rows by one UPDATE, and the row of its node.

    Returns the streams of `held` (id -> fence) that are lost. `storage` are columns of Node.
    """
    now = at_ms or lease.clock()
    begin_writing()
    mine = (Stream.owner_node_id == node_id, Stream.owner_worker == worker)
    without_reading = {"synchronize_session": False}
    db.session.execute(update(Stream).where(*mine).values(renewed_ms=now), execution_options=without_reading)
    beat = update(Node).where(Node.id == node_id).values(seen_ms=now, **(storage or {}))
    db.session.execute(beat, execution_options=without_reading)
    still = {row.id: row.fence for row in db.session.execute(select(Stream.id, Stream.fence).where(*mine))}
    db.session.commit()
    return {stream_id for stream_id, fence in held.items() if still.get(stream_id) != fence}


def beat(node_id: int, **columns: object) -> None:
    """Write columns of the node's row: `seen_ms=0` when its worker has left."""
    begin_writing()
    db.session.execute(
        update(Node).where(Node.id == node_id).values(columns),
        execution_options={"synchronize_session": False},
    )
    db.session.commit()


def release(stream_ids: Iterable[int] | None, *, node_id: int, worker: str) -> None:
    """Give rows (None: all of the worker) back: another worker may have them at once."""
    _hand(stream_ids, node_id, worker, owner_node_id=None, owner_worker=None, reserved_until_ms=0)


def reserve(stream_ids: Iterable[int] | None, *, node_id: int, worker: str) -> None:
    """A planned hand-over: the captures go on, and for RESERVE_MS only this node may claim their rows."""
    now = lease.clock()
    _hand(stream_ids, node_id, worker, reserved_until_ms=now + RESERVE_MS, renewed_ms=now)


def _hand(stream_ids: Iterable[int] | None, node_id: int, worker: str, **values: Any) -> None:
    begin_writing()
    statement = update(Stream).where(Stream.owner_node_id == node_id, Stream.owner_worker == worker)
    if stream_ids is not None:
        statement = statement.where(Stream.id.in_(list(stream_ids)))
    db.session.execute(statement.values(**values).execution_options(synchronize_session=False))
    db.session.commit()


def revision_of(stream_id: int) -> int:
    """The revision of the stream's address and login; 0 when there is no such stream."""
    return db.session.scalar(select(Stream.revision).where(Stream.id == stream_id)) or 0


def is_derived(stream_id: int) -> bool:
    """Whether the stream is made by us from the main one."""
    kind = db.session.scalar(select(Stream.kind).where(Stream.id == stream_id))
    return kind is not None and StreamKind(kind).is_derived
