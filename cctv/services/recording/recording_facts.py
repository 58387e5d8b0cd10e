"""What of a recording is really there: files, bytes, footage, what is missing, and its copies in the cloud.

Two queries for any number of recordings; which recordings is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import SQLColumnExpression, and_, case, func, select

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Gap, Recording, Segment, SegmentState, Stream, StreamKind, Transfer, TransferState
from cctv.services.bucket import transfer_figures
from cctv.services.footage.finding import LONGEST_FILE_MS, NOT_KEPT

MISSING_FROM_MS = 1000  # shorter gaps are not worth a word in a list


@dataclass(slots=True)
class Facts:
    """Of one recording. Bytes of whole files; times in milliseconds."""

    files: int = 0
    size_bytes: int = 0
    footage_ms: int = 0
    missing_ms: int = 0
    gaps: int = 0
    is_damaged: bool = False
    copies: dict[str, int] = field(default_factory=dict)  # state of the transfer -> files
    only_in_cloud: int = 0  # files
    sent_bytes: int = 0
    wanted_bytes: int = 0  # of the files that are to be copied
    cause: str = ""  # why copying failed, or waits for more than its turn
    first_ms: int | None = None  # where its footage begins: of the first file, at least its own start

    @property
    def upload(self) -> str:
        """local | waiting | uploading | part | cloud | cloud_only | failed."""
        if self.copies.get(TransferState.FAILED):
            return "failed"
        if self.copies.get(TransferState.UPLOADING):
            return "uploading"
        if self.copies.get(TransferState.PENDING):
            return "uploading" if self.sent_bytes else "waiting"
        copied = self.copies.get(TransferState.VERIFIED, 0)
        if not copied:
            return "local"
        if self.only_in_cloud == self.files:
            return "cloud_only"
        return "cloud" if copied == self.files else "part"

    @property
    def percent(self) -> int:
        """How much of what is to be copied has arrived."""
        return min(99, 100 * self.sent_bytes // self.wanted_bytes) if self.wanted_bytes else 0


def of_recordings(recordings: Iterable[Recording], *, at_ms: int | None = None) -> dict[int, Facts]:
    """By id of the recording; every one that is asked for is in the answer."""
    ids = [recording.id for recording in recordings]
    found = {recording_id: Facts() for recording_id in ids}
    if not ids:
        return found
    at_ms = now_ms() if at_ms is None else at_ms
    _add_files(found, at_ms)
    _add_gaps(found, at_ms)
    _add_trouble(found)
    return found


def longest_gaps(recording: Recording, *, limit: int = 5) -> list[Gap]:
    """Where footage of it is missing, the longest gaps first."""
    query = select(Gap).where(
        Gap.camera_id == recording.camera_id,
        Gap.started_ms < end_of(recording),
        Gap.ended_ms > recording.started_ms,
    )
    return list(db.session.scalars(query.order_by((Gap.ended_ms - Gap.started_ms).desc()).limit(limit)))


def end_of(recording: Recording, *, at_ms: int | None = None) -> int:
    """Where it ends, or now while it goes on."""
    ends = [end for end in (recording.ended_ms, recording.planned_end_ms) if end is not None]
    return min([*ends, now_ms() if at_ms is None else at_ms]) if recording.ended_ms is None else min(ends)


def _add_files(found: dict[int, Facts], at_ms: int) -> None:
    end = _end(at_ms)
    footage = _least(Segment.ended_ms, end) - _most(Segment.started_ms, Recording.started_ms)
    query = (
        select(
            Recording.id,
            Segment.state,
            Transfer.state,
            func.count(),
            func.sum(Segment.size_bytes),
            func.sum(footage),
            func.coalesce(func.sum(Transfer.offset_bytes), 0),
            func.max(case((Segment.is_damaged, 1), else_=0)),
            func.min(_most(Segment.started_ms, Recording.started_ms)),
            func.max(Transfer.cause),
        )
        .join(Stream, and_(Stream.camera_id == Recording.camera_id, Stream.kind == StreamKind.MAIN))
        .join(
            Segment,
            and_(
                Segment.stream_id == Stream.id,
                Segment.started_ms > Recording.started_ms - LONGEST_FILE_MS,
                Segment.started_ms < end,
                Segment.ended_ms > Recording.started_ms,
                Segment.state.not_in(NOT_KEPT),
            ),
        )
        .outerjoin(Transfer, Transfer.segment_id == Segment.id)
        .where(Recording.id.in_(found))
        .group_by(Recording.id, Segment.state, Transfer.state)
    )
    for recording_id, state, copy, files, size, footage_ms, sent, damaged, first, cause in db.session.execute(
        query
    ):
        facts = found[recording_id]
        if copy == TransferState.FAILED or (copy == TransferState.PENDING and not facts.cause):
            facts.cause = cause
        facts.files += files
        facts.size_bytes += int(size)
        facts.footage_ms += int(footage_ms)
        facts.is_damaged = facts.is_damaged or bool(damaged)
        facts.first_ms = first if facts.first_ms is None else min(first, facts.first_ms)
        facts.only_in_cloud += files if state == SegmentState.CLOUD else 0
        if copy in (None, TransferState.CANCELLED, TransferState.REMOVING):
            continue
        facts.copies[copy] = facts.copies.get(copy, 0) + files
        facts.wanted_bytes += int(size)
        facts.sent_bytes += int(size) if copy == TransferState.VERIFIED else int(sent)


def _add_trouble(found: dict[int, Facts]) -> None:
    """What keeps the bucket from taking anything keeps those that wait."""
    waiting = [facts for facts in found.values() if facts.upload == "waiting" and not facts.cause]
    problems = transfer_figures.problems() if waiting else []
    for facts in waiting if problems else []:
        facts.cause = problems[0].sentence


def _add_gaps(found: dict[int, Facts], at_ms: int) -> None:
    end = _end(at_ms)
    missing = _least(Gap.ended_ms, end) - _most(Gap.started_ms, Recording.started_ms)
    query = (
        select(Recording.id, func.count(), func.sum(missing))
        .join(
            Gap,
            and_(
                Gap.camera_id == Recording.camera_id,
                Gap.started_ms < end,
                Gap.ended_ms > Recording.started_ms,
            ),
        )
        .where(Recording.id.in_(found))
        .group_by(Recording.id)
    )
    for recording_id, count, missing_ms in db.session.execute(query):
        found[recording_id].gaps, found[recording_id].missing_ms = count, int(missing_ms)


def _end(at_ms: int) -> SQLColumnExpression[int]:
    planned = func.coalesce(Recording.planned_end_ms, at_ms)
    return func.coalesce(Recording.ended_ms, _least(planned, at_ms))


def _least(left: SQLColumnExpression[int], right: SQLColumnExpression[int] | int) -> SQLColumnExpression[int]:
    return case((left < right, left), else_=right)


def _most(left: SQLColumnExpression[int], right: SQLColumnExpression[int]) -> SQLColumnExpression[int]:
    return case((left > right, left), else_=right)
