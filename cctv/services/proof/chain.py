"""The chain of a camera's stored files: each link holds the hash of the link before and of its file's facts.

Links are made and taken out here only, in the transaction that changes the rows; files are never touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import or_, select, update

from cctv.clock import utcnow
from cctv.extensions import begin_writing, db
from cctv.models import Camera, ChainRemoval, RemovalReason, Run, Segment, SegmentState, Stream
from cctv.services.footage.finding import NOT_KEPT
from cctv.services.recording.wanted import lock_cameras

START = "0" * 64  # stands before the first link


class Facts(NamedTuple):
    """What a link says of a file, in the order in which it is hashed. Times as in the table segment."""

    camera_id: int
    link: int  # number of the link in the camera's chain, from 1
    run: str
    file: int  # number of the file in its run
    started_ms: int
    ended_ms: int
    start_ticks: int
    duration_ticks: int
    size_bytes: int
    sha256: str

    @property
    def digest(self) -> str:
        """SHA-256 over the facts as lines `name value`; the page of an evidence package does the same."""
        text = "".join(f"{name} {value}\n" for name, value in zip(self._fields, self, strict=True))
        return hashlib.sha256(text.encode()).hexdigest()


def facts_of(camera_id: int, link: int, row: Any, sha256: str) -> Facts:
    """The facts of a row with `key` (of the run) and the columns of the table segment."""
    return Facts(
        camera_id=camera_id,
        link=link,
        run=row.key,
        file=row.number,
        started_ms=row.started_ms,
        ended_ms=row.ended_ms,
        start_ticks=row.start_ticks,
        duration_ticks=row.duration_ticks,
        size_bytes=row.size_bytes,
        sha256=sha256,
    )


def link_hash(before: str, facts_digest: str) -> str:
    """The hash of a link. It needs of the file only the digest of its facts, so that links can be shown
    without telling what they are about."""
    return hashlib.sha256(f"{before}\n{facts_digest}\n".encode()).hexdigest()


class Tip(NamedTuple):
    """The newest link of a camera; number 0 before the first."""

    number: int
    hash: str


class Appended(NamedTuple):
    """What `append` did: how many links, and the newest one before and after."""

    links: int
    before: Tip
    after: Tip


class _Gone(NamedTuple):
    camera_id: int
    number: int
    hash: str
    started_ms: int
    ended_ms: int
    reason: str


def append(camera_id: int, digests: Mapping[int, tuple[str, int]]) -> Appended:
    """Give files their hash and their link, in order of time, in one transaction.

    `digests`: segment id -> (SHA-256, number of bytes it was made of). Files that changed or went meanwhile
    are passed over. One writer at a time holds the camera's row, so numbers have neither holes nor twins.
    """
    begin_writing()
    lock_cameras([camera_id])
    number, before = db.session.execute(
        select(Camera.chain_number, Camera.chain_hash).where(Camera.id == camera_id)
    ).one()
    tip = Tip(number, before)
    changes = []
    for row in _unlinked(digests):
        sha256, size = digests[row.id]
        if size != row.size_bytes or row.camera_id != camera_id:
            continue
        number += 1
        facts = facts_of(camera_id, number, row, sha256)
        before = link_hash(before, facts.digest)
        changes.append({"id": row.id, "sha256": sha256, "chain_number": number, "chain_hash": before})
    if changes:
        db.session.execute(update(Segment), changes)
        db.session.execute(
            update(Camera)
            .where(Camera.id == camera_id)
            .values(chain_number=number, chain_hash=before)
            .execution_options(synchronize_session=False)
        )
    db.session.commit()
    return Appended(len(changes), tip, Tip(number, before))


def _unlinked(segment_ids: Iterable[int]) -> list[Any]:
    query = (
        select(
            Segment.id,
            Stream.camera_id,
            Run.key,
            Segment.number,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.start_ticks,
            Segment.duration_ticks,
            Segment.size_bytes,
        )
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(
            Segment.id.in_(list(segment_ids)),
            Segment.chain_number.is_(None),
            Segment.state.not_in(NOT_KEPT),
        )
        .order_by(Segment.started_ms, Segment.id)
    )
    return list(db.session.execute(query))


def record_removals(segment_ids: Iterable[int], *, reason: RemovalReason | None = None) -> None:
    """Write down why links lose their files; part of the caller's transaction, which deletes the rows next.

    Without `reason` it is what the mark on the row says.
    """
    query = (
        select(
            Stream.camera_id,
            Segment.chain_number,
            Segment.chain_hash,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.removal,
            Camera.deleted_at,
        )
        .join(Stream, Stream.id == Segment.stream_id)
        .join(Camera, Camera.id == Stream.camera_id)
        .where(Segment.id.in_(list(segment_ids)), Segment.chain_number.is_not(None))
    )
    gone = [
        _Gone(
            row.camera_id,
            row.chain_number,
            row.chain_hash,
            row.started_ms,
            row.ended_ms,
            reason or row.removal or _usual_reason(row.deleted_at),
        )
        for row in db.session.execute(query)
    ]
    if gone:
        lock_cameras({one.camera_id for one in gone})
        _enter(gone)


def unlink_grown(run_ids: Mapping[str, int], sizes: Mapping[tuple[str, int], int]) -> None:
    """Take the link from files that were linked before they were whole; part of the caller's transaction,
    which holds the cameras and lets the rows learn the rest. The hash pass links them again.

    `run_ids`: run key -> row id. `sizes`: (run key, number) -> bytes as known now.
    """
    query = (
        select(Segment.id, Run.key, Segment.number, Segment.size_bytes)
        .join(Run, Run.id == Segment.run_id)
        .where(
            Segment.run_id.in_(run_ids.values()),
            Segment.number.in_({number for _run, number in sizes}),
            Segment.chain_number.is_not(None),
        )
    )
    grown = [
        segment_id
        for segment_id, run_key, number, size in db.session.execute(query)
        if size < sizes.get((run_key, number), 0)
    ]
    if not grown:
        return
    record_removals(grown, reason=RemovalReason.GROWN)
    db.session.execute(
        update(Segment)
        .where(Segment.id.in_(grown))
        .values(chain_number=None, chain_hash=None)
        .execution_options(synchronize_session=False)
    )


def _usual_reason(deleted_at: object) -> str:
    return RemovalReason.EXPIRED if deleted_at is None else RemovalReason.CAMERA


def _enter(gone: list[_Gone]) -> None:
    """One row for neighbouring links of one reason, those of earlier removals included."""
    gone.sort()
    entries: list[ChainRemoval] = []
    for one in gone:
        last = entries[-1] if entries else None
        if last is not None and _follows(last, one.camera_id, one.number, one.reason):
            _stretch(last, one.number, one.hash, one.started_ms, one.ended_ms)
            continue
        entries.append(
            ChainRemoval(
                camera_id=one.camera_id,
                first_number=one.number,
                last_number=one.number,
                last_hash=one.hash,
                reason=one.reason,
                started_ms=one.started_ms,
                ended_ms=one.ended_ms,
                removed_at=utcnow(),
            )
        )
    known = _neighbours(entries)
    for entry in entries:
        before = next((row for row in known if _follows(row, *_place(entry))), None)
        if before is not None:
            _stretch(before, entry.last_number, entry.last_hash, entry.started_ms, entry.ended_ms)
        else:
            db.session.add(before := entry)
        after = next((row for row in known if _follows(before, *_place(row))), None)
        if after is not None:
            _stretch(before, after.last_number, after.last_hash, after.started_ms, after.ended_ms)
            db.session.delete(after)
            known.remove(after)
    db.session.flush()


def _neighbours(entries: list[ChainRemoval]) -> list[ChainRemoval]:
    query = select(ChainRemoval).where(
        ChainRemoval.camera_id.in_({entry.camera_id for entry in entries}),
        or_(
            ChainRemoval.last_number.in_({entry.first_number - 1 for entry in entries}),
            ChainRemoval.first_number.in_({entry.last_number + 1 for entry in entries}),
        ),
    )
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def _place(entry: ChainRemoval) -> tuple[int, int, str]:
    return entry.camera_id, entry.first_number, entry.reason


def _follows(entry: ChainRemoval, camera_id: int, number: int, reason: str) -> bool:
    return (entry.camera_id, entry.last_number + 1, entry.reason) == (camera_id, number, reason)


def _stretch(entry: ChainRemoval, last_number: int, last_hash: str, started_ms: int, ended_ms: int) -> None:
    entry.last_number, entry.last_hash = last_number, last_hash
    entry.started_ms, entry.ended_ms = min(entry.started_ms, started_ms), max(entry.ended_ms, ended_ms)
    entry.removed_at = utcnow()


def expiring(reason: RemovalReason) -> dict[str, str]:
    """The values that mark a row as on its way out, for an UPDATE."""
    return {"state": SegmentState.EXPIRING, "removal": reason}
