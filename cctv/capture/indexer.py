"""Finished files get their rows: onto the disk first, then into the database, however long it is away.

Never touches a file that is still written; what it forgets (memory is bounded) reconcile finds on disk.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from cctv.clock import now_ms
from cctv.errors import CctvError
from cctv.extensions import db
from cctv.models import Run, Segment
from cctv.services.footage import gaps, segments
from cctv.storage import disk, paths
from cctv.storage.measure import ClosedFile, MeasuredSegment, measure
from cctv.storage.runfile import RunFile, read_run

_log = logging.getLogger(__name__)

_BATCH = 64
_MEASURED_KEPT = 500  # above so many waiting files only their names are kept (10 KB each otherwise)
_RETRY_SECONDS = 1.0
_GATHER_SECONDS = 1.0  # cameras whose files end in the same second share one transaction


class _Waiting(NamedTuple):
    camera_id: int
    run_key: str
    number: int
    run: RunFile | None
    measured: MeasuredSegment | None  # None: measured again from the file


class Indexer(threading.Thread):
    """The thread."""

    def __init__(self, app: Flask, media_dir: Path, *, on_disk_error: Callable[[OSError], None]) -> None:
        super().__init__(name="indexer", daemon=True)
        self._app = app
        self._media_dir = media_dir
        self._on_disk_error = on_disk_error
        self._inbox: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._waiting: OrderedDict[tuple[str, int], _Waiting] = OrderedDict()
        self._settled_runs: dict[int, str] = {}  # the newest one by stream
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._is_stopping = False
        self._is_hurried = False

    def put(self, run: RunFile, measured: MeasuredSegment) -> None:
        """A file that ffmpeg has finished; from any thread."""
        self._is_idle.clear()
        self._inbox.put(_Waiting(run.camera_id, run.run, measured.number, run, measured))

    def put_unmeasured(self, run: RunFile, number: int) -> None:
        """A finished file of an adopted run."""
        self._is_idle.clear()
        self._inbox.put(_Waiting(run.camera_id, run.run, number, None, None))

    def drain(self, timeout: float) -> bool:
        """Wait until everything put so far has its row; False when that takes too long."""
        self._is_hurried = True
        self._inbox.put(None)
        return self._is_idle.wait(timeout)

    def stop(self) -> None:
        """End the thread; what waits is found by reconcile."""
        self._is_stopping = True
        self._inbox.put(None)

    def run(self) -> None:
        """Until stopped."""
        with self._app.app_context():
            while not self._is_stopping:
                self._collect()
                if self._waiting and not self._index_some():
                    time.sleep(_RETRY_SECONDS)
                if not self._waiting and self._inbox.empty():
                    self._is_idle.set()

    def _collect(self) -> None:
        """Wait for work when there is none, and gather what else comes at the same time."""
        if not self._waiting:
            self._enter(self._inbox.get())
            if not (self._is_hurried or self._is_stopping):
                time.sleep(_GATHER_SECONDS)
        while not self._inbox.empty():
            self._enter(self._inbox.get())

    def _enter(self, item: _Waiting | None) -> None:
        if item is None:
            return
        if len(self._waiting) >= _MEASURED_KEPT:
            item = item._replace(run=None, measured=None)
        self._waiting[(item.run_key, item.number)] = item

    def _index_some(self) -> bool:
        batch = list(self._waiting.values())[:_BATCH]
        try:
            self._index(batch)
        except (SQLAlchemyError, CctvError) as error:
            _log.warning("%d files wait for the database: %s", len(self._waiting), _first_line(error))
            return False
        except OSError as error:
            _log.warning("%d files wait for the disk: %s", len(self._waiting), error)
            self._on_disk_error(error)
            return False
        except Exception:  # one strange file must not hold up all others; reconcile meets it again
            _log.exception("%d files are left to reconcile", len(batch))
        finally:
            db.session.remove()
        for item in batch:
            self._waiting.pop((item.run_key, item.number), None)
        return True

    def _index(self, batch: list[_Waiting]) -> None:
        unmeasured = {item.run_key for item in batch if item.measured is None}
        known = _rows_of(unmeasured) if unmeasured else set()
        db.session.commit()  # the disk may be slow; no transaction waits for it
        files = self._on_disk([item for item in batch if (item.run_key, item.number) not in known])
        segments.index(files)
        self._settle(batch)

    def _on_disk(self, batch: list[_Waiting]) -> list[ClosedFile]:
        """The bytes and the names are safe when this returns."""
        found = []
        for item in batch:
            path = paths.segment_path(self._media_dir, item.camera_id, item.run_key, item.number)
            run = item.run or read_run(path.parent)
            try:
                measured = item.measured or (measure(path, run, item.number) if run else None)
                disk.fsync_file(path)
            except FileNotFoundError:
                continue
            if run is not None and measured is not None:
                found.append(ClosedFile(run, measured))
        for directory in {paths.run_dir(self._media_dir, item.camera_id, item.run_key) for item in batch}:
            if directory.exists():
                disk.fsync_directory(directory)
        return found

    def _settle(self, batch: list[_Waiting]) -> None:
        """The first file of a run ends a gap: say why it was there."""
        for item in batch:
            stream_id = paths.parse_run_key(item.run_key).stream_id
            if self._settled_runs.get(stream_id) != item.run_key:
                self._settled_runs[stream_id] = item.run_key
                # Up to the end of the file also when the clock has just been set back.
                gaps.settle(item.camera_id, max(now_ms(), item.measured.ended_ms if item.measured else 0))


def _rows_of(run_keys: set[str]) -> set[tuple[str, int]]:
    query = (
        select(Run.key, Segment.number).join(Segment, Segment.run_id == Run.id).where(Run.key.in_(run_keys))
    )
    return {(key, number) for key, number in db.session.execute(query)}


def _first_line(error: Any) -> str:
    return str(error).partition("\n")[0][:200]
