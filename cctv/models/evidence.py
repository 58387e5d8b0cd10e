"""The chain that shows that footage was not changed: what was removed from it, and its signed daily heads.

Each segment row holds its own link (segment.py), and the camera the newest; chain.py makes them.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models.columns import UtcDateTime


class RemovalReason(StrEnum):
    """Why a stored file went."""

    EXPIRED = "expired"  # its time was over
    EARLY = "early"  # its time was not over, but the disk was full
    DELETED = "deleted"  # by a person
    CAMERA = "camera"  # with its camera
    GROWN = "grown"  # it did not go: it was linked too early and has a new link
    LOST = "lost"  # nobody removed it: found missing, or cut short, on the disk


class ChainRemoval(db.Model):  # type: ignore[name-defined]
    """Links [first_number, last_number] of a camera whose files went; neighbours are joined."""

    __tablename__ = "chain_removal"
    __table_args__ = (Index("ix_chain_removal_camera", "camera_id", "first_number"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    first_number: Mapped[int] = mapped_column(Integer)
    last_number: Mapped[int] = mapped_column(Integer)
    last_hash: Mapped[str] = mapped_column(String(64))  # of link `last_number`: the chain goes on from it
    reason: Mapped[str] = mapped_column(String(8))  # RemovalReason
    started_ms: Mapped[int] = mapped_column(BigInteger)  # of the footage of these links
    ended_ms: Mapped[int] = mapped_column(BigInteger)
    removed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class ChainHead(db.Model):  # type: ignore[name-defined]
    """The newest link of a camera at the end of a site day, signed with the installation's Ed25519 key."""

    __tablename__ = "chain_head"
    __table_args__ = (UniqueConstraint("camera_id", "day"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"))
    day: Mapped[date] = mapped_column(Date)
    number: Mapped[int] = mapped_column(Integer)  # of the link
    ended_ms: Mapped[int] = mapped_column(BigInteger)  # of its footage
    hash: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(16))  # first hex digits of the SHA-256 of the public key
    signature: Mapped[str] = mapped_column(String(128))  # hex
    is_in_cloud: Mapped[bool] = mapped_column(Boolean, default=False)
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
