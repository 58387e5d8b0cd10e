"""Measures a pass of retention that deletes an hour of 64 cameras among the rows of 30 days.

The files of that hour lie on the disk. How long its transactions hold locks is seen at the engine; how long
others wait is asked by somebody who writes all the time.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from flask import Flask
from sqlalchemy import Connection, Engine, event, select, update
from sqlalchemy.exc import SQLAlchemyError

from cctv import create_app
from cctv.clock import now_ms
from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Node, Run, Segment, Stream
from cctv.services.lifetime import pace, retention, retention_rules
from cctv.services.recording.wanted import lock_cameras
from cctv.services.site import settings
from cctv.storage import paths
from cctv.storage.disk import Usage
from scripts.benchmark.figure import Figure
from scripts.benchmark.rows import DAY_MINUTES, MINUTE_MS, fill
from tests.fixtures.application import make_config, migrate
from tests.servers import PostgresServer

CAMERAS, DAYS = 64, 30
HOUR_MS = 3_600_000
_FILE_BYTES = 22_500_000  # as the rows say


class Waiter(threading.Thread):
    """Writes rows that retention needs as well, again and again; `longest_ms`: how long it waited for one."""

    def __init__(self, app: Flask, camera_ids: list[int]) -> None:
        super().__init__(name="waiter", daemon=True)
        self.longest_ms, self.count = 0.0, 0
        self._app, self._camera_ids = app, camera_ids
        self._is_over = threading.Event()

    def run(self) -> None:
        """Until `close`."""
        while not self._is_over.is_set():
            camera_id = self._camera_ids[self.count % len(self._camera_ids)]
            with self._app.app_context():
                began = time.perf_counter()
                try:
                    begin_writing()
                    lock_cameras([camera_id])
                    db.session.execute(
                        update(Camera).where(Camera.id == camera_id).values(pre_roll_seconds=10)
                    )
                    waited_ms = (time.perf_counter() - began) * 1000
                    db.session.commit()
                except SQLAlchemyError:
                    waited_ms = (time.perf_counter() - began) * 1000
                self.longest_ms, self.count = max(self.longest_ms, waited_ms), self.count + 1
            time.sleep(0.02)

    def close(self) -> None:
        """End it."""
        self._is_over.set()
        self.join(timeout=10)


class Holds:
    """How long the transactions of this thread that write last: so long nobody else writes."""

    def __init__(self, engine: Engine) -> None:
        self.longest_ms, self.count = 0.0, 0
        self._thread = threading.get_ident()
        self._began = 0.0
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "commit", self._end)
        event.listen(engine, "rollback", self._end)

    def _begin(self, connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("writing", False)
        if threading.get_ident() == self._thread and is_writing:
            self._began = time.perf_counter()

    def _end(self, connection: Connection) -> None:
        if threading.get_ident() == self._thread and self._began:
            held_ms = (time.perf_counter() - self._began) * 1000
            self.longest_ms, self.count, self._began = max(self.longest_ms, held_ms), self.count + 1, 0.0


def measure(*, seconds: float = 300) -> list[Figure]:
    """Both databases; 3 days instead of 30 when quick."""
    days = DAYS if seconds >= 60 else 3
    postgres = PostgresServer()
    try:
        figures: list[Figure] = []
        for name in ("SQLite", "PostgreSQL"):
            with tempfile.TemporaryDirectory(prefix="bench-retention-") as folder:
                url = f"sqlite:///{folder}/cctv.db"
                if name == "PostgreSQL":
                    url = postgres.url(postgres.create_database())
                config = make_config(Path(folder), database_url=url, redis_url="unix:///nowhere")
                figures += _look(config, days, name)
        return figures
    finally:
        postgres.close()


def _look(config: Config, days: int, name: str) -> list[Figure]:
    migrate(config)
    app = create_app(config)
    with app.app_context():
        end_ms = now_ms() // MINUTE_MS * MINUTE_MS
        ids = fill(cameras=CAMERAS, days=days, end_ms=end_ms)
        node_id = db.session.scalars(select(Node.id)).one()
        start_ms = end_ms - days * DAY_MINUTES * MINUTE_MS
        db.session.commit()
        figures = []
        for number, what in enumerate(("rule of days", "full disk")):
            files = _make_files(config, start_ms + number * HOUR_MS)
            waiter, holds = Waiter(app, ids), Holds(db.engine)
            waiter.start()
            began, cpu = time.perf_counter(), time.thread_time()
            if what == "full disk":
                gone = _make_room(node_id, files, end_ms)
            else:
                gone = _expire(node_id, days, end_ms)
            wall, cpu = time.perf_counter() - began, time.thread_time() - cpu
            waiter.close()
            assert gone >= files, f"{gone} of {files} files went"
            how = f"{gone} files of {CAMERAS} cameras, {days} days of rows; {cpu:.2f} s of it our processor"
            figures.append(Figure(f"retention of an hour by {what}, {name}", wall, "s", how, 2))
            asked = f"longest of {holds.count} transactions with the wait for their own turn; "
            asked += f"{waiter.count} other writers waited up to {waiter.longest_ms:.0f} ms"
            figures.append(Figure(f"  its locks, {name}", holds.longest_ms, "ms", asked, 100))
        db.session.remove()
        db.engine.dispose()
    return figures


def _expire(node_id: int, days: int, end_ms: int) -> int:
    """The oldest hour is older than its days."""
    settings.save(keep_days=days)
    gone = retention_rules.expire(node_id, at_ms=end_ms + HOUR_MS)
    settings.save(keep_days=0)
    return gone


def _make_room(node_id: int, files: int, end_ms: int) -> int:
    """The disk is short of what the oldest hour holds."""
    pace.of(node_id, at_ms=end_ms)
    short = Usage(10**15, 10**14 - files * _FILE_BYTES, -1)
    return retention.enforce_floor(node_id, usage=lambda _folder: short, at_ms=end_ms).files


def _make_files(config: Config, start_ms: int) -> int:
    """Small files at the places of that hour's rows; how many."""
    query = (
        select(Stream.camera_id, Run.key, Segment.number)
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Segment.started_ms >= start_ms, Segment.started_ms < start_ms + HOUR_MS)
    )
    rows = db.session.execute(query).all()
    db.session.commit()
    for camera_id, key, number in rows:
        path = paths.segment_path(config.media_dir, camera_id, key, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"footage")
    return len(rows)
