"""One stream of a camera: where it comes from, who captures it now, and how it fares.

Ownership (owner, fence, renewed) is won by compare-and-set in services/camera/captures.py and nowhere else.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.extensions import db
from cctv.models.camera import Camera


class StreamKind(StrEnum):
    """main is recorded; sub is the camera's small stream; the rest are transcoded from our own bytes."""

    MAIN = "main"
    SUB = "sub"
    P720 = "720p"
    P480 = "480p"
    P360 = "360p"

    @property
    def is_derived(self) -> bool:
        """Made by us from the main stream's files, with no connection to the camera."""
        return self in (StreamKind.P720, StreamKind.P480, StreamKind.P360)


class StreamState(StrEnum):
    """What people are shown; the cause (causes.py) says why."""

    OFF = "off"
    CONNECTING = "connecting"
    LIVE = "live"
    FROZEN = "frozen"
    OFFLINE = "offline"
    REFUSED = "refused"
    STORAGE = "storage"


class Stream(db.Model):  # type: ignore[name-defined]
    """One stream."""

    __tablename__ = "stream"
    __table_args__ = (
        UniqueConstraint("camera_id", "kind"),
        Index("ix_stream_owner", "owner_node_id"),
        {"sqlite_autoincrement": True},  # run keys hold the id: never given out twice
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(8), default=StreamKind.MAIN)
    url: Mapped[str | None] = mapped_column(String(500))  # never holds credentials; null: derived
    revision: Mapped[int] = mapped_column(Integer, default=1)  # raised when the capture must start anew
    is_on_demand: Mapped[bool] = mapped_column(Boolean, default=False)  # captured only while watched

    # Learnt by capturing.
    full_analysis: Mapped[bool] = mapped_column(Boolean, default=False)  # start needs ffmpeg's long probing
    wallclock: Mapped[bool] = mapped_column(Boolean, default=False)  # camera's timestamps are unusable
    credentials_worked: Mapped[bool] = mapped_column(Boolean, default=False)
    video_codec: Mapped[str | None] = mapped_column(String(32))  # RFC 6381, e.g. avc1.640028
    audio_codec: Mapped[str | None] = mapped_column(String(32))
    audio_source: Mapped[str | None] = mapped_column(String(16))  # what the camera sends: aac, pcma, ...
    width: Mapped[int | None] = mapped_column(Integer)  # pixels
    height: Mapped[int | None] = mapped_column(Integer)
    fps: Mapped[float | None] = mapped_column(Float)
    gop_ms: Mapped[int | None] = mapped_column(Integer)  # between key frames
    bitrate_kbps: Mapped[int | None] = mapped_column(Integer)

    # Ownership (DECISIONS 3): a row is free 15 s after renewed_ms, unless reserved for its node.
    owner_node_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    owner_worker: Mapped[str | None] = mapped_column(String(40))  # "<pid>:<start time of the process>"
    fence: Mapped[int] = mapped_column(Integer, default=0)  # raised at every claim; the higher one is right
    renewed_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    reserved_until_ms: Mapped[int] = mapped_column(BigInteger, default=0)

    # The run of the moment.
    run_key: Mapped[str | None] = mapped_column(String(40))
    run_ordinal: Mapped[int] = mapped_column(Integer, default=0)  # counts the runs of this stream
    state: Mapped[str] = mapped_column(String(12), default=StreamState.CONNECTING)
    cause: Mapped[str | None] = mapped_column(String(24))  # causes.py
    detail: Mapped[str | None] = mapped_column(Text)  # technical, masked
    state_since_ms: Mapped[int] = mapped_column(BigInteger, default=0)

    camera: Mapped[Camera] = relationship(back_populates="streams")

    @property
    def is_h265(self) -> bool:
        """Whether some browsers cannot show it."""
        return (self.video_codec or "").startswith(("hvc1", "hev1"))


class StateChange(db.Model):  # type: ignore[name-defined]
    """The history of a stream's states as intervals; explains gaps and draws the uptime strip."""

    __tablename__ = "state_change"
    __table_args__ = (Index("ix_state_change_stream", "stream_id", "started_ms"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    stream_id: Mapped[int] = mapped_column(ForeignKey("stream.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(12))
    cause: Mapped[str | None] = mapped_column(String(24))
    detail: Mapped[str | None] = mapped_column(Text)
    started_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)
