"""A machine that captures.

Its key lives in DATA_DIR, its address here; a node that was not seen for 15 s is down.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from cctv.extensions import db


class Node(db.Model):  # type: ignore[name-defined]
    """One machine with its own disk."""

    __tablename__ = "node"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(36), unique=True)  # random, kept in DATA_DIR/node_id
    name: Mapped[str] = mapped_column(String(120))
    address: Mapped[str | None] = mapped_column(String(200))  # where other nodes reach its bytes
    seen_ms: Mapped[int] = mapped_column(BigInteger, default=0)  # last sign of its capture worker
    storage_state: Mapped[str] = mapped_column(
        String(16), default="ok"
    )  # ok|full|read_only|hung|missing|slow
    storage_detail: Mapped[str] = mapped_column(String(300), default="")
    free_bytes: Mapped[int | None] = mapped_column(BigInteger)
    total_bytes: Mapped[int | None] = mapped_column(BigInteger)
    write_lag_ms: Mapped[int | None] = mapped_column(Integer)  # last timed write and fsync
    # How its transfers to the bucket get on: ok | away (tried again by itself) | refused (needs a person)
    cloud_state: Mapped[str] = mapped_column(String(8), default="ok")
    cloud_detail: Mapped[str] = mapped_column(String(300), default="")  # in words
    cloud_since_ms: Mapped[int | None] = mapped_column(BigInteger)  # null: all is well
    cloud_next_ms: Mapped[int | None] = mapped_column(BigInteger)  # nothing is asked of the bucket before
    cloud_tries: Mapped[int] = mapped_column(Integer, default=0)  # in a row without an answer
