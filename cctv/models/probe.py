"""A check of a camera address: its steps as they happen and what was found.

The password is here encrypted only while the check runs, and for some minutes when the path was wrong.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.camera import Camera
from cctv.models.columns import UtcDateTime


class Probe(db.Model):  # type: ignore[name-defined]
    """One check."""

    __tablename__ = "probe"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[int | None] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    url: Mapped[str] = mapped_column(String(500))  # without credentials
    username: Mapped[str] = mapped_column(String(128), default="")
    password_encrypted: Mapped[str | None] = mapped_column(Text)
    # queued|running|done|failed|found (a usual path that works)|expired (its password is forgotten)|left (by
    # the person who started it)
    state: Mapped[str] = mapped_column(String(8), default="queued")
    cause: Mapped[str | None] = mapped_column(String(24))  # the first thing that is wrong, causes.py
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    camera: Mapped[Camera | None] = relationship()
