"""When something moved in front of a camera, as the comparison of key frames saw it.

How it is seen is in activity.py; what is recorded because of it in wanted.py.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from cctv.extensions import db

# What goes on for longer is ended and goes on in a new row: lets a query by time start close to its place.
LONGEST_ACTIVITY_MS = 3_600_000


class Activity(db.Model):  # type: ignore[name-defined]
    """One episode of at most LONGEST_ACTIVITY_MS; the one that goes on has no end."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_camera", "camera_id", "started_ms", "ended_ms"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    started_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)
    peak: Mapped[float] = mapped_column(
        Float, default=0.0
    )  # share of the watched picture that changed, 0 to 1
    peak_ms: Mapped[int | None] = mapped_column(BigInteger)  # the best moment for a still
    zone: Mapped[str] = mapped_column(String(80), default="")  # name of the zone it was seen in
