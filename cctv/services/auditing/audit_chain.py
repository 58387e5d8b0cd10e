"""The chain of the audit log: each entry holds the hash of the one before; the newest is kept outside too.

Rows are numbered and added here only. What an entry says is made in services/auditing/audit.py.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session as DatabaseSession

from cctv import config
from cctv.clock import now_ms
from cctv.models import AuditEntry

_LOCK = 4_202_017  # of PostgreSQL's advisory locks; any number that nothing else here uses
HASHED = (
    "id",
    "at_ms",
    "user_id",
    "user_name",
    "action",
    "target",
    "target_id",
    "camera_id",
    "address",
    "device",
    "details",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry. `is_followed`: the head that was kept outside is part of the chain below it."""

    id: int
    hash: str
    is_followed: bool = True


START = Head(0, "0" * 64)  # before the first entry


def hash_of(row: Mapping[Any, Any], before: str) -> str:
    """SHA-256 over the hash before and the row as JSON: keys sorted, no blanks, ASCII."""
    hashed = {name: row[name] for name in HASHED}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def lock(session: DatabaseSession) -> Head:
    """The newest entry, which stays the newest until this transaction ends: one writer at a time.

    SQLite: BEGIN IMMEDIATE (`begin_writing`) has locked out every other writer already. PostgreSQL: an
    advisory lock of the transaction, given back by the database at commit, at rollback and when the
    connection dies. A row lock would not do: the row to lock is the newest, and another transaction adds a
    newer one while we wait. A statement of READ COMMITTED sees what was committed before it began, so the
    newest entry is read after the lock, never with it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    newest = select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
    row = session.execute(newest).one_or_none()
    return Head(row.id, row.hash) if row else START


def append(session: DatabaseSession, entries: list[dict[str, Any]]) -> Head:
    """Number, chain and add entries as the last thing of a transaction; the new head, kept by `keep_head`."""
    session.flush()  # whatever else it locks, it locks before: two transactions never wait for each other
    head = newest = lock(session)
    rows = []
    for entry in entries:
        row = {"id": newest.id + 1, "at_ms": now_ms(), **entry}
        newest = Head(newest.id + 1, hash_of(row, newest.hash))
        rows.append({**row, "hash": newest.hash})
    session.execute(insert(AuditEntry), rows)
    return Head(newest.id, newest.hash, is_followed=_follows(session, head))


def keep_head(head: Head) -> None:
    """Write the newest entry's number and hash into DATA_DIR, where a person with the database cannot reach.

    Called after the commit: a process that dies in between leaves an older head, which is still a true one.
    A head that is not part of the chain is evidence and stays, until `replace_head`.
    """
    if not head.is_followed:
        _log.error("audit log: the newest entries were cut off or changed; see `flask audit verify`")
        return
    try:
        with _head_file() as file:
            kept = parse(os.pread(file, 200, 0))
            if kept is None or kept.id < head.id:
                _write(file, head)
    except OSError as error:
        _log.error("audit log: the head cannot be kept: %s", error)


def kept_head() -> Head | None:
    """What this machine remembers of the newest entry; None when it remembers nothing."""
    try:
        return parse(_head_path().read_bytes())
    except OSError:
        return None


def replace_head(head: Head) -> None:
    """Believe the database from now on, for example after a restored backup."""
    with _head_file() as file:
        _write(file, head)


def _follows(session: DatabaseSession, head: Head) -> bool:
    kept = kept_head()
    if kept is None or kept == head:
        return True
    if kept.id > head.id:  # whoever kept it had committed first, and nobody commits while we hold the lock
        return False
    return session.scalar(select(AuditEntry.hash).where(AuditEntry.id == kept.id)) == kept.hash


def _head_path() -> Path:
    return config.current().data_dir / "audit_head"


@contextmanager
def _head_file() -> Iterator[int]:
    file = os.open(_head_path(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _write(file: int, head: Head) -> None:
    text = spell(head)
    os.pwrite(file, text, 0)
    os.ftruncate(file, len(text))


def spell(head: Head) -> bytes:
    """A head as it is kept in a file: its number and its hash."""
    return f"{head.id} {head.hash}\n".encode()


def parse(text: bytes) -> Head | None:
    """What `spell` has written; None for anything else."""
    number, _, digest = text.decode("ascii", "replace").strip().partition(" ")
    return Head(int(number), digest) if number.isdigit() and len(digest) == 64 else None
