"""What footage of a camera is kept: since when, how much a day, and whether the promise to record holds.

Reads rows only; which footage goes is decided by retention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, func, select

from cctv.clock import now_ms, to_ms
from cctv.extensions import db
from cctv.models import Camera, ModeChange, RecordingMode, Segment, SegmentState, Stream, StreamKind
from cctv.services.camera.status import CameraStatus
from cctv.services.recording import planned

# A file closes every minute; after two without one the promise is broken.
SILENT_AFTER_MS = 150_000
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Kept:
    """The footage of one camera. Times in epoch milliseconds."""

    oldest_ms: int | None
    newest_ms: int | None  # end of the newest file that is closed
    mode_since_ms: int | None  # since when the recording mode is what it is
    bytes_per_day: int | None  # at the bit rate of now; None while it is unknown or nothing is kept by rule

    @property
    def bytes_so_far(self) -> int:
        """About how much is kept, from its age and rate: summing every file would cost a second."""
        if self.oldest_ms is None or self.bytes_per_day is None:
            return 0
        return int(self.bytes_per_day * (now_ms() - self.oldest_ms) / 1000 / _SECONDS_PER_DAY)


def of_cameras(cameras: list[Camera]) -> dict[int, Kept]:
    """What is kept, by camera id; one query whatever the number of cameras, three more
    where schedules decide."""
    oldest = _edge(Segment.started_ms, Segment.started_ms.asc())
    newest = _edge(Segment.ended_ms, Segment.started_ms.desc())
    mode_since = (
        select(func.max(ModeChange.started_ms))
        .where(ModeChange.camera_id == Stream.camera_id, ModeChange.ended_ms.is_(None))
        .correlate(Stream)
        .scalar_subquery()
    )
    query = select(Stream.camera_id, oldest, newest, mode_since).where(
        Stream.kind == StreamKind.MAIN, Stream.camera_id.in_([camera.id for camera in cameras])
    )
    found = {camera_id: edges for camera_id, *edges in db.session.execute(query)}
    shares = _shares(cameras)
    return {
        camera.id: _kept(camera, *found.get(camera.id, (None, None, None)), share=shares[camera.id])
        for camera in cameras
    }


def newest_ends() -> dict[int, int]:
    """Camera id -> end of its newest kept file, of all cameras that have one; deleted ones too."""
    query = select(Stream.camera_id, _edge(Segment.ended_ms, Segment.started_ms.desc())).where(
        Stream.kind == StreamKind.MAIN
    )
    return {camera_id: end for camera_id, end in db.session.execute(query) if end is not None}


def oldest_starts() -> dict[int, int]:
    """Camera id -> start of its oldest kept file, of all cameras that have one; deleted ones too."""
    query = select(Stream.camera_id, _edge(Segment.started_ms, Segment.started_ms.asc())).where(
        Stream.kind == StreamKind.MAIN
    )
    return {camera_id: start for camera_id, start in db.session.execute(query) if start is not None}


def of_camera(camera: Camera) -> Kept:
    """What is kept of one camera."""
    return of_cameras([camera])[camera.id]


def broken_promise_since(camera: Camera, status: CameraStatus, kept: Kept) -> int | None:
    """Since when nothing was saved although it should have been; None while the promise holds."""
    is_promised = status.rule.mode == RecordingMode.CONTINUOUS
    wants = is_promised or status.manual_since_ms is not None
    if not camera.is_enabled or not wants:
        return None
    since = (kept.newest_ms, kept.mode_since_ms, status.rule.since_ms)
    started = max(_promised_since(camera), *(moment or 0 for moment in since))
    if status.manual_since_ms is not None and not is_promised:
        started = max(started, status.manual_since_ms)
    return started if now_ms() - started > SILENT_AFTER_MS else None


def _promised_since(camera: Camera) -> int:
    # Before it was added or switched on nothing was promised.
    moments = [camera.created_at, camera.switched_at]
    return max(to_ms(moment) for moment in moments if moment)


def _edge(column: Any, order: Any) -> ScalarSelect[int]:
    # The covering index answers each of these with one seek.
    return (
        select(column)
        .where(Segment.stream_id == Stream.id, Segment.state == SegmentState.KEPT)
        .order_by(order)
        .limit(1)
        .correlate(Stream)
        .scalar_subquery()
    )


def _shares(cameras: list[Camera]) -> dict[int, float]:
    """Which share of the time is recorded by rule; what is recorded on activity nobody knows before."""
    scheduled = [camera.id for camera in cameras if camera.recording_mode == RecordingMode.SCHEDULE]
    found = planned.continuous_shares(scheduled) if scheduled else {}
    return {
        camera.id: found.get(camera.id, float(camera.recording_mode == RecordingMode.CONTINUOUS))
        if camera.is_enabled
        else 0.0
        for camera in cameras
    }


def _kept(
    camera: Camera,
    oldest_ms: int | None,
    newest_ms: int | None,
    mode_since_ms: int | None,
    *,
    share: float,
) -> Kept:
    rate = camera.main.bitrate_kbps
    per_day = round(rate * 125 * _SECONDS_PER_DAY * share) if rate and share else None
    return Kept(oldest_ms, newest_ms, mode_since_ms, per_day)
