"""A stored media file of about a minute, and the run (one ffmpeg life) it belongs to.

Invariant: a row exists only for a file that was fsynced; a row marked `expiring` may have lost its file.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.extensions import db

TICKS_PER_MS = 90  # video timescale 90 kHz (media/argv.py sets it)
_GOP = struct.Struct(">II")


class SegmentState(StrEnum):
    """The life of a file: ring -> kept -> cloud; any of them -> expiring -> gone."""

    RING = "ring"
    KEPT = "kept"
    EXPIRING = "expiring"
    CLOUD = "cloud"  # the local file is gone, a verified copy is in the bucket


class Run(db.Model):  # type: ignore[name-defined]
    """One life of ffmpeg; all its files share one init segment."""

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_stream", "stream_id", "ordinal"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(40), unique=True)  # folder name, never reused
    stream_id: Mapped[int] = mapped_column(ForeignKey("stream.id", ondelete="CASCADE"))
    node_id: Mapped[int] = mapped_column(ForeignKey("node.id"))
    ordinal: Mapped[int] = mapped_column(Integer)  # DISCONTINUITY-SEQUENCE of its fragments
    fence: Mapped[int] = mapped_column(
        Integer, default=0
    )  # where two nodes overlapped, the higher one is shown
    epoch_ms: Mapped[int] = mapped_column(BigInteger)  # taken before the camera answered
    video_codec: Mapped[str] = mapped_column(String(32))
    audio_codec: Mapped[str | None] = mapped_column(String(32))
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    init_sha256: Mapped[str] = mapped_column(String(64))
    init_size: Mapped[int] = mapped_column(Integer)  # bytes
    ended_cause: Mapped[str | None] = mapped_column(String(24))


class FileTimes:
    """The two clocks of a file: wall time in epoch milliseconds, content time in ticks of 90 kHz."""

    __slots__ = ()

    if TYPE_CHECKING:
        started_ms: Any
        ended_ms: Any
        start_ticks: Any
        duration_ticks: Any

    def ticks_at(self, ms: int) -> int:
        """Content time at a wall time inside the file (linear: the mapping drifts by milliseconds)."""
        span = max(1, self.ended_ms - self.started_ms)
        return int(self.start_ticks + (ms - self.started_ms) * self.duration_ticks // span)

    def ms_at(self, ticks: int) -> int:
        """Wall time at a content time inside the file."""
        span = self.ended_ms - self.started_ms
        return int(self.started_ms + (ticks - self.start_ticks) * span // max(1, self.duration_ticks))


class Segment(FileTimes, db.Model):  # type: ignore[name-defined]
    """One media file."""

    __tablename__ = "segment"
    __table_args__ = (
        UniqueConstraint("run_id", "number"),
        # Covers the timeline query and the sums of retention, so that neither touches the rows.
        Index("ix_segment_time", "stream_id", "started_ms", "ended_ms", "state", "size_bytes"),
        Index("ix_segment_state", "state", "ended_ms"),
        # Only what the hash pass has still to do: else it would read through years of kept rows.
        Index(
            "ix_segment_unhashed",
            "id",
            sqlite_where=text("sha256 IS NULL"),
            postgresql_where=text("sha256 IS NULL"),
        ),
        # Files hashed before there was a chain: filled and emptied once, after an upgrade.
        Index(
            "ix_segment_unlinked",
            "id",
            sqlite_where=text("chain_number IS NULL AND sha256 IS NOT NULL"),
            postgresql_where=text("chain_number IS NULL AND sha256 IS NOT NULL"),
        ),
        # Few, and marked on every timeline.
        Index(
            "ix_segment_damaged",
            "stream_id",
            "started_ms",
            sqlite_where=text("is_damaged"),
            postgresql_where=text("is_damaged"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    stream_id: Mapped[int] = mapped_column(ForeignKey("stream.id", ondelete="CASCADE"))
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    number: Mapped[int] = mapped_column(Integer)  # of the file in its run, from 0
    started_ms: Mapped[int] = mapped_column(BigInteger)  # wall time of the first key frame
    ended_ms: Mapped[int] = mapped_column(
        BigInteger
    )  # wall time of the end; the next file of the run starts here
    start_ticks: Mapped[int] = mapped_column(BigInteger)  # content time of the first key frame, 90 kHz
    duration_ticks: Mapped[int] = mapped_column(BigInteger)  # content, 90 kHz
    size_bytes: Mapped[int] = mapped_column(BigInteger)  # up to the last complete fragment
    gops: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # see pack_gops
    state: Mapped[str] = mapped_column(String(8), default=SegmentState.RING)
    is_damaged: Mapped[bool] = mapped_column(Boolean, default=False)  # kept and shown, and marked: see damage
    damage: Mapped[str] = mapped_column(String(12), default="")  # which: a code of services/footage/damage.py
    is_locked: Mapped[bool] = mapped_column(Boolean, default=False)
    sha256: Mapped[str | None] = mapped_column(String(64))  # filled by a low-priority pass
    chain_number: Mapped[int | None] = mapped_column(Integer)  # of its link in the camera's chain, from 1
    chain_hash: Mapped[str | None] = mapped_column(String(64))  # of the link before, these facts and sha256
    checked_ms: Mapped[int | None] = mapped_column(
        BigInteger
    )  # when its bytes were last compared with sha256
    removal: Mapped[str | None] = mapped_column(String(8))  # why it is `expiring`: models/evidence.py

    run: Mapped[Run] = relationship(lazy="joined", innerjoin=True)


def pack_gops(entries: list[tuple[int, int]]) -> bytes:
    """Pack (byte offset in the file, ticks since start_ticks) of each key-frame fragment."""
    return b"".join(_GOP.pack(offset, ticks) for offset, ticks in entries)


def unpack_gops(packed: bytes) -> list[tuple[int, int]]:
    """The pairs that `pack_gops` packed; the last group runs to size_bytes."""
    return [(offset, ticks) for offset, ticks in _GOP.iter_unpack(packed)]
