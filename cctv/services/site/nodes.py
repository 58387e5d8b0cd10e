"""This machine as a row: its key in DATA_DIR, its sign of life and its storage.

A node that gave no sign for LEASE_MS is down.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cctv import config
from cctv.errors import NotFound
from cctv.extensions import begin_writing, db
from cctv.models import Node
from cctv.services.camera import lease
from cctv.storage import disk


def key() -> str:
    """The key of this machine, made once; needs no database."""
    path = config.current().data_dir / "node_id"
    return _read_key(path) or _make_key(path)


def _read_key(path: Path) -> str:
    """Empty when there is none; a power cut may have left the name without the bytes."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def _make_key(path: Path) -> str:
    # Written aside and linked, so that two processes starting at once agree on one key; on the disk before
    # anybody uses it, because the footage and its rows are found by it.
    fresh = path.with_name(f".node_id.{os.getpid()}")
    fresh.write_text(uuid.uuid4().hex)
    disk.fsync_file(fresh)
    try:
        if path.exists() and not _read_key(path):
            path.unlink()
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    disk.fsync_directory(path.parent)
    return _read_key(path)


def this_node() -> Node:
    """The row of this machine, made when missing."""
    node = db.session.scalar(select(Node).where(Node.key == key()))
    if node is not None:
        return node
    begin_writing()
    db.session.add(Node(key=key(), name=config.current().node_name, seen_ms=0))
    try:
        db.session.commit()
    except IntegrityError:  # another process of this machine was faster
        db.session.rollback()
    return db.session.scalars(select(Node).where(Node.key == key())).one()


def is_capturing(asked_ms: int | None = None) -> bool:
    """Whether any node's capture worker gave a sign of life lately; `asked_ms` by the lease's clock."""
    since = (lease.now() if asked_ms is None else asked_ms) - lease.LEASE_MS
    return db.session.scalar(select(Node.id).where(Node.seen_ms > since).limit(1)) is not None


def list_nodes() -> list[Node]:
    """Every machine that ever captured."""
    return list(db.session.scalars(select(Node).order_by(Node.id)))


def get_node(node_id: int) -> Node:
    """The row of a machine.

    Raises:
        NotFound: there is none.
    """
    node = db.session.get(Node, node_id)
    if node is None:
        raise NotFound("This machine is not known.")
    return node
