"""How far an export is, written about once a second, and what is asked on the way: cancelled? still room?

One row of one table; what is made is said in export_making.py.
"""

from __future__ import annotations

import time

from sqlalchemy import select, update

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Export
from cctv.services.export import export_files
from cctv.storage import disk

_EVERY_S = 0.7
WORDS = {"reading": "Reading", "cutting": "Cutting", "checking": "Checking", "storing": "Storing"}
# Of a thousand: where each phase begins. Cutting takes nearly all of the time.
_BEGINS = {"reading": 0, "cutting": 40, "checking": 900, "storing": 980}
_ENDS = {"reading": 40, "cutting": 900, "checking": 980, "storing": 1000}


class Cancelled(Exception):
    """The person does not want it any more."""


class NoRoom(Exception):
    """The disk fills up: what is left is for the footage and the database."""


class Progress:
    """The progress of one export."""

    def __init__(self, export_id: int, total_bytes: int) -> None:
        self._id = export_id
        self._total = max(1, total_bytes)
        self._done = 0
        self._phase = "reading"
        self._told_at = 0.0

    def begin(self, phase: str, total_bytes: int | None = None) -> None:
        """A phase begins. Raises as `add`."""
        self._phase, self._done = phase, 0
        self._total = max(1, total_bytes or self._total)
        self._tell()

    def add(self, count: int) -> None:
        """So many more bytes of this phase are done.

        Raises:
            Cancelled: the person does not want it any more.
            NoRoom: the disk fills up.
        """
        self._done += count
        if time.monotonic() - self._told_at >= _EVERY_S:
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        usage = disk.usage(export_files.folder())
        if usage.free_bytes < export_files.margin(usage.total_bytes) // 2:
            raise NoRoom
        begin, end = _BEGINS[self._phase], _ENDS[self._phase]
        permille = begin + min(end - begin, (end - begin) * self._done // self._total)
        begin_writing()
        wants_cancel = db.session.scalar(select(Export.wants_cancel).where(Export.id == self._id))
        db.session.execute(
            update(Export)
            .where(Export.id == self._id)
            .values(phase=self._phase, permille=permille)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
        if wants_cancel or wants_cancel is None:
            raise Cancelled


def seconds_left(export: Export) -> int | None:
    """How long it will still take, judged by what it took so far; None: too early to say."""
    began_ms = export.result.get("began_ms")
    if not began_ms or export.permille < 50:
        return None
    elapsed_ms = max(0, now_ms() - began_ms)
    return max(1, round(elapsed_ms * (1000 - export.permille) / export.permille / 1000))
