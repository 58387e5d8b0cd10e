"""How long footage is kept of which only the copy in the bucket is left: so many days, never what is locked.

Marks rows; the objects go with the next slice of transfers.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select, tuple_, update

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import RemovalReason, Segment, SegmentState, Stream
from cctv.services.footage import gaps
from cctv.services.lifetime import expiry
from cctv.services.proof import chain
from cctv.services.recording import holds
from cctv.services.recording.wanted import lock_cameras
from cctv.services.site import settings

_DAY_MS = 86_400_000
_BATCH = 200


class _Copied(NamedTuple):
    id: int
    camera_id: int
    started_ms: int
    ended_ms: int


def expire(*, at_ms: int | None = None) -> int:
    """Remove what is only in the bucket and older than the setting allows; how many files."""
    days = int(settings.get("cloud_keep_days"))
    db.session.commit()
    if not days:
        return 0
    before_ms = (now_ms() if at_ms is None else at_ms) - days * _DAY_MS
    count, after = 0, (0, 0)
    while page := _page(before_ms, after):
        after = page[-1].ended_ms, page[-1].id
        count += _remove(page)
    return count


def _page(before_ms: int, after: tuple[int, int]) -> list[_Copied]:
    rows = db.session.execute(
        select(Segment.id, Stream.camera_id, Segment.started_ms, Segment.ended_ms)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(
            Segment.state == SegmentState.CLOUD,
            Segment.ended_ms < before_ms,
            Segment.is_locked.is_(False),
            tuple_(Segment.ended_ms, Segment.id) > after,
        )
        .order_by(Segment.ended_ms, Segment.id)
        .limit(_BATCH)
    ).all()
    db.session.commit()
    return [_Copied(*row) for row in rows]


def _remove(page: list[_Copied]) -> int:
    begin_writing()
    lock_cameras(one.camera_id for one in page)
    free = holds.unheld(page)
    ids = [one.id for one in free]
    db.session.execute(
        update(Segment)
        .where(Segment.id.in_(ids), Segment.state == SegmentState.CLOUD, Segment.is_locked.is_(False))
        .values(**chain.expiring(RemovalReason.EXPIRED))
        .execution_options(synchronize_session=False)
    )
    for camera_id in sorted({one.camera_id for one in free}):
        spans = [(one.started_ms, one.ended_ms) for one in free if one.camera_id == camera_id]
        gaps.add(camera_id, spans, cause="deleted_rule")
    db.session.commit()
    return expiry.remove_expiring(ids)
