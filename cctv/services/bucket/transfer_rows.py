"""Transfers as rows: what is asked for, what is taken up, what becomes of an object whose footage goes.

Only rows; nothing here speaks to the bucket.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, exists, or_, select, update

from cctv.clock import from_ms, utcnow
from cctv.extensions import begin_writing, db
from cctv.models import (
    Recording,
    Run,
    Segment,
    SegmentState,
    Stream,
    StreamKind,
    Transfer,
    TransferState,
    User,
)
from cctv.services.bucket import cloud
from cctv.services.footage.finding import LONGEST_FILE_MS
from cctv.storage import paths

ASKED, HELD, BY_RULE = 0, 2, 5  # priorities: a person waits; evidence first; the rest
_BATCH = 400  # below the number of parameters of SQLite
_NAME_BYTES = 16  # random: whoever knows one name can guess no other
LEFT = "left"  # reason of a copy that a person left in the bucket when they deleted the footage


class Claimed(NamedTuple):
    """A transfer that this process has taken up, with all that sending it needs."""

    id: int
    segment_id: int
    camera_id: int
    run_key: str
    number: int
    size_bytes: int
    sha256: str | None
    bucket: str
    object_name: str
    crc32c: str | None
    session_sealed: str | None
    tries: int


class Removal(NamedTuple):
    """An object that is to go."""

    id: int
    segment_id: int | None
    bucket: str
    object_name: str
    generation: str | None
    size_bytes: int
    session_sealed: str | None
    tries: int


def add(segment_ids: Iterable[int], *, priority: int, user: User | None = None) -> list[int]:
    """Ask for copies of kept files, in the caller's transaction; the ids of their transfers.

    What is there already is left, except that a failed or cancelled one begins anew and a waiting one moves
    forward. Files that are not kept, or gone from this disk, get none.
    """
    found: list[int] = []
    ids = list(segment_ids)
    for at in range(0, len(ids), _BATCH):
        found += _add(ids[at : at + _BATCH], priority, user)
    return found


def segments_of(recording: Recording, end_ms: int) -> list[int]:
    """Ids of the stored files of a recording."""
    query = (
        select(Segment.id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(
            Stream.camera_id == recording.camera_id,
            Stream.kind == StreamKind.MAIN,
            Segment.started_ms > recording.started_ms - LONGEST_FILE_MS,
            Segment.started_ms < end_ms,
            Segment.ended_ms > recording.started_ms,
            Segment.state.in_([SegmentState.KEPT, SegmentState.CLOUD]),
        )
        .order_by(Segment.started_ms)
    )
    return list(db.session.scalars(query))


def claim(node_id: int, *, at_ms: int) -> Claimed | None:
    """Take up the transfer of this node that is due first."""
    now = from_ms(at_ms)
    query = _due(TransferState.PENDING, node_id, now)
    if not cloud.is_open_at(at_ms):
        query = query.where(Transfer.priority == ASKED)
    query = query.where(Segment.state == SegmentState.KEPT)
    row = db.session.execute(query.order_by(Transfer.priority, Transfer.next_at, Transfer.id)).first()
    db.session.commit()
    if row is None:
        return None
    begin_writing()
    taken = _execute(
        update(Transfer)
        .where(Transfer.id == row.id, Transfer.state == TransferState.PENDING)
        .values(state=TransferState.UPLOADING)
    )
    db.session.commit()
    return Claimed(*row) if taken else None


def next_removal(node_id: int) -> Removal | None:
    """An object of this node's footage that is to go."""
    row = db.session.execute(
        select(
            Transfer.id,
            Transfer.segment_id,
            Transfer.bucket,
            Transfer.object_name,
            Transfer.generation,
            Transfer.size_bytes,
            Transfer.session_sealed,
            Transfer.tries,
        )
        .where(
            Transfer.state == TransferState.REMOVING,
            Transfer.node_id == node_id,
            or_(Transfer.next_at.is_(None), Transfer.next_at <= utcnow()),
        )
        .order_by(Transfer.id)
        .limit(1)
    ).first()
    db.session.commit()
    return Removal(*row) if row else None


def give_back_stale(node_id: int) -> int:
    """Transfers that a killed process of this node left half done wait again, with what they reached."""
    begin_writing()
    count = _execute(
        update(Transfer)
        .where(Transfer.node_id == node_id, Transfer.state == TransferState.UPLOADING)
        .values(state=TransferState.PENDING, next_at=utcnow())
    )
    db.session.commit()
    return count


def change(transfer_id: int, *, only: TransferState = TransferState.UPLOADING, **values: Any) -> bool:
    """Set columns of a transfer that is (still) in a state; False when somebody else was faster."""
    begin_writing()
    count = _execute(
        update(Transfer).where(Transfer.id == transfer_id, Transfer.state == only).values(**values)
    )
    db.session.commit()
    return count > 0


def is_held(segment_id: int) -> bool:
    """Whether a lock holds the footage: then nothing of it leaves the bucket either."""
    held = exists().where(
        Recording.camera_id == Stream.camera_id,
        Recording.locked_by.is_not(None),
        Recording.started_ms < Segment.ended_ms,
        or_(Recording.ended_ms.is_(None), Recording.ended_ms > Segment.started_ms),
    )
    query = (
        select(Segment.id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Segment.id == segment_id, or_(Segment.is_locked, held))
    )
    found = db.session.scalar(query) is not None
    db.session.commit()
    return found


def forget(transfer_id: int) -> None:
    """Delete the row of an object that is gone."""
    begin_writing()
    _execute(delete(Transfer).where(Transfer.id == transfer_id, Transfer.state == TransferState.REMOVING))
    db.session.commit()


def let_go(segment_ids: Sequence[int]) -> None:
    """The files' rows are about to be deleted: so are their objects. In the caller's transaction.

    Copies that a person chose to leave in the bucket stay there, and their row tells where.
    """
    for at in range(0, len(segment_ids), _BATCH):
        of_these = Transfer.segment_id.in_(segment_ids[at : at + _BATCH])
        is_ours = Transfer.reason != LEFT
        is_touched = or_(
            Transfer.session_sealed.is_not(None),
            Transfer.generation.is_not(None),
            Transfer.state == TransferState.UPLOADING,
        )
        _execute(
            update(Transfer)
            .where(of_these, is_ours, is_touched)
            .values(state=TransferState.REMOVING, segment_id=None, is_local=False, next_at=utcnow(), tries=0)
        )
        _execute(delete(Transfer).where(of_these, is_ours))
        _execute(update(Transfer).where(of_these).values(segment_id=None, is_local=False))


def read_from_copies(segment_ids: Sequence[int]) -> set[int]:
    """Files that are gone from this machine but verified in the bucket are read there from now on; which.

    In the caller's transaction.
    """
    copied: set[int] = set()
    for at in range(0, len(segment_ids), _BATCH):
        page = segment_ids[at : at + _BATCH]
        verified = (Transfer.segment_id.in_(page), Transfer.state == TransferState.VERIFIED)
        found = set(db.session.scalars(select(Transfer.segment_id).where(*verified)))
        _execute(
            update(Segment)
            .where(Segment.id.in_(found), Segment.state == SegmentState.KEPT)
            .values(state=SegmentState.CLOUD)
        )
        _execute(update(Transfer).where(*verified).values(is_local=False))
        copied |= {segment_id for segment_id in found if segment_id is not None}
    return copied


def leave_copies(segment_ids: Sequence[int]) -> None:
    """Verified copies of these files stay in the bucket when the files go. In the caller's transaction."""
    for at in range(0, len(segment_ids), _BATCH):
        _execute(
            update(Transfer)
            .where(
                Transfer.segment_id.in_(segment_ids[at : at + _BATCH]),
                Transfer.state == TransferState.VERIFIED,
            )
            .values(reason=LEFT)
        )


def retry(transfer_ids: Iterable[int] | None = None) -> int:
    """Failed transfers, all of them or these, begin anew; how many. Waiting ones are tried at once."""
    begin_writing()
    which = [Transfer.state.in_([TransferState.FAILED, TransferState.PENDING])]
    if transfer_ids is not None:
        which.append(Transfer.id.in_(list(transfer_ids)))
    count = _execute(
        update(Transfer)
        .where(*which)
        .values(state=TransferState.PENDING, next_at=utcnow(), tries=0, cause="")
    )
    db.session.commit()
    return count


def new_name(camera_id: int, run_key: str, number: int, started_ms: int) -> str:
    """A name in the bucket: sorted by camera and day for people, ending in 128 random bits."""
    found = cloud.access()
    day = f"{from_ms(started_ms):%Y/%m/%d}"
    stem = paths.segment_name(number).removesuffix(".mp4")
    name = f"{camera_id}/{day}/{run_key}-{stem}-{secrets.token_hex(_NAME_BYTES)}.mp4"
    return f"{found.prefix}/{name}" if found and found.prefix else name


def _execute(statement: Any) -> int:
    """Run an UPDATE or DELETE in the session's transaction; how many rows."""
    count: int = db.session.execute(statement.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    return count


def _due(state: TransferState, node_id: int, now: object) -> Select:
    return (
        select(
            Transfer.id,
            Transfer.segment_id,
            Transfer.camera_id,
            Run.key,
            Segment.number,
            Transfer.size_bytes,
            Segment.sha256,
            Transfer.bucket,
            Transfer.object_name,
            Transfer.crc32c,
            Transfer.session_sealed,
            Transfer.tries,
        )
        .join(Segment, Segment.id == Transfer.segment_id)
        .join(Run, Run.id == Segment.run_id)
        .where(Transfer.state == state, Transfer.node_id == node_id, Transfer.next_at <= now)
        .limit(1)
    )


def _add(ids: list[int], priority: int, user: User | None) -> list[int]:
    there = {
        row.segment_id: row
        for row in db.session.execute(
            select(Transfer.id, Transfer.segment_id, Transfer.state, Transfer.priority).where(
                Transfer.segment_id.in_(ids)
            )
        )
    }
    again = [row.id for row in there.values() if row.state in (TransferState.FAILED, TransferState.CANCELLED)]
    forward = [
        row.id
        for row in there.values()
        if row.state == TransferState.PENDING and (row.priority > priority or priority == ASKED)
    ]
    if again or forward:
        _execute(
            update(Transfer)
            .where(Transfer.id.in_([*again, *forward]))
            .values(state=TransferState.PENDING, priority=priority, next_at=utcnow(), tries=0, cause="")
        )
    fresh = _fresh([segment_id for segment_id in ids if segment_id not in there], priority, user)
    by_segment = {segment_id: row.id for segment_id, row in there.items()} | fresh
    return [by_segment[segment_id] for segment_id in ids if segment_id in by_segment]


def _fresh(ids: list[int], priority: int, user: User | None) -> dict[int, int]:
    rows = db.session.execute(
        select(
            Segment.id,
            Stream.camera_id,
            Run.node_id,
            Run.key,
            Segment.number,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.size_bytes,
        )
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Segment.id.in_(ids), Segment.state == SegmentState.KEPT)
    ).all()
    bucket = found.bucket if (found := cloud.access()) else ""
    transfers = [
        Transfer(
            segment_id=row.id,
            camera_id=row.camera_id,
            node_id=row.node_id,
            ended_ms=row.ended_ms,
            bucket=bucket,
            object_name=new_name(row.camera_id, row.key, row.number, row.started_ms),
            size_bytes=row.size_bytes,
            priority=priority,
            reason="request" if priority == ASKED else "rule",
            user_id=user.id if user else None,
        )
        for row in rows
    ]
    db.session.add_all(transfers)
    db.session.flush()
    return {one.segment_id: one.id for one in transfers if one.segment_id}
