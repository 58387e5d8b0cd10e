"""What a person without the right to all cameras may do to some of them, cell by cell of the matrix.

Which action needs a grant at all is said by services/person/access.py.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Integer, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.camera import Camera
from cctv.models.columns import UtcDateTime

group_members = Table(
    "camera_group_member",
    db.metadata,
    Column("group_id", ForeignKey("camera_group.id", ondelete="CASCADE"), primary_key=True),
    Column("camera_id", ForeignKey("camera.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class CameraGroup(db.Model):  # type: ignore[name-defined]
    """Cameras that belong together: a floor, a building, a tenant."""

    __tablename__ = "camera_group"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    version: Mapped[int] = mapped_column(Integer, default=1)  # optimistic lock of the edit form
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    cameras: Mapped[list[Camera]] = relationship(secondary=group_members, order_by=Camera.number)


class CameraGrant(db.Model):  # type: ignore[name-defined]
    """One action on one camera."""

    __tablename__ = "camera_grant"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    camera_id: Mapped[int] = mapped_column(
        ForeignKey("camera.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    action: Mapped[str] = mapped_column(String(16), primary_key=True)


class GroupGrant(db.Model):  # type: ignore[name-defined]
    """One action on all cameras of a group, also those that join it later."""

    __tablename__ = "group_grant"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[int] = mapped_column(
        ForeignKey("camera_group.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    action: Mapped[str] = mapped_column(String(16), primary_key=True)
