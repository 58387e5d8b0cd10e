"""Settings of the organisation: one row a key, the value as JSON.

Which keys exist and what they default to is said in services/site/settings.py.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from cctv.extensions import db


class Setting(db.Model):  # type: ignore[name-defined]
    """One setting."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
