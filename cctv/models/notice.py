"""Episodes of trouble that people are told about by mail: a camera without pictures, a disk that takes none.

One open row for each thing in trouble; services/mailing/notices.py says when it is told, and to whom.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from cctv.extensions import db


class NoticeKind(StrEnum):
    """What is in trouble."""

    CAMERA = "camera"
    DISK = "disk"
    CLOUD = "cloud"
    REPORT = "report"  # no trouble: how much of the day before is there (services/footage/daily_report.py)


class Notice(db.Model):  # type: ignore[name-defined]
    """One episode. Times are epoch milliseconds."""

    __tablename__ = "notice"
    __table_args__ = (
        # Of two jobs that see the same trouble one opens the episode.
        Index(
            "uq_notice_open",
            "about",
            unique=True,
            sqlite_where=text("ended_ms IS NULL"),
            postgresql_where=text("ended_ms IS NULL"),
        ),
        Index("ix_notice_started", "about", "started_ms"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    about: Mapped[str] = mapped_column(String(24))  # "camera 5", "disk 1"
    camera_id: Mapped[int | None] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"), index=True)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("node.id", ondelete="CASCADE"))
    sentence: Mapped[str] = mapped_column(String(300), default="")  # why, as far as it is known
    started_ms: Mapped[int] = mapped_column(BigInteger)
    told_ms: Mapped[int | None] = mapped_column(BigInteger)  # null: it has been too short so far
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)
    end_told_ms: Mapped[int | None] = mapped_column(BigInteger)
