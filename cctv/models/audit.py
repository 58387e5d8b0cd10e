"""The audit log: who did what, when and from where. Rows are only ever added; the database refuses the rest.

Each row holds the hash of the one before; how it is computed and checked is in services/auditing/audit.py.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from cctv.extensions import db


class AuditEntry(db.Model):  # type: ignore[name-defined]
    """One thing that somebody did. No foreign keys: what it speaks of may be deleted, it may not."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_at", "at_ms"),
        Index("ix_audit_entry_user", "user_id", "at_ms"),
        Index("ix_audit_entry_camera", "camera_id", "at_ms"),
        Index("ix_audit_entry_action", "action", "at_ms"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # 1, 2, 3 ... no holes
    at_ms: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int | None] = mapped_column(Integer)  # null: the system, or nobody who is known
    user_name: Mapped[str] = mapped_column(String(120))  # as it was then
    action: Mapped[str] = mapped_column(String(48))  # "camera.edit", "sign_in.refused" ...
    target: Mapped[str] = mapped_column(String(160), default="")  # in words: a camera, a person, an address
    target_id: Mapped[int | None] = mapped_column(Integer)
    camera_id: Mapped[int | None] = mapped_column(Integer)
    address: Mapped[str] = mapped_column(String(64), default="")  # of the client
    device: Mapped[str] = mapped_column(String(120), default="")  # browser and system, or the app
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # before, after; never a secret
    hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the hash before and of this row
