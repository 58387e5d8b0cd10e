"""Measures how long the timeline of a camera's day takes among the rows of 64 cameras and 30 days."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from sqlalchemy import text

from cctv import create_app
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Segment
from cctv.services.footage import timeline
from scripts.benchmark.figure import Figure
from scripts.benchmark.node import exact_cpu_ms
from scripts.benchmark.rows import fill
from tests.fixtures.application import make_config, migrate
from tests.servers import PostgresServer

CAMERAS, DAYS, TRIES = 64, 30, 40
DAY_MS = 86_400_000


def measure(*, seconds: float = 300) -> list[Figure]:
    """Both databases; 3 days instead of 30 when quick."""
    days = DAYS if seconds >= 60 else 3
    postgres = PostgresServer()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-rows-") as folder:
            sqlite = _look(f"sqlite:///{folder}/cctv.db", Path(folder), days=days, name="SQLite")
            url = postgres.url(postgres.create_database())
            return [sqlite, _look(url, Path(folder), days=days, name="PostgreSQL")]
    finally:
        postgres.close()


def _look(url: str, folder: Path, *, days: int, name: str) -> Figure:
    config = make_config(folder, database_url=url, redis_url="unix:///nowhere")
    migrate(config)
    app = create_app(config)
    with app.app_context():
        end_ms = now_ms()
        ids = fill(cameras=CAMERAS, days=days, end_ms=end_ms)
        rows = db.session.query(Segment).count()
        seen = [
            _ask(ids[number * 7 % CAMERAS], end_ms - DAY_MS - number % days * DAY_MS // 2)
            for number in range(TRIES)
        ]
        db.engine.dispose()
    cpu, wall = ([one[column] for one in seen] for column in range(2))
    how = f"CPU with the database's, {TRIES} days; {CAMERAS} cameras, {days} days, {rows:,} rows"
    how += f"; by the clock {median(wall):.1f}, at best {min(wall):.1f}"
    return Figure(f"timeline of a camera-day, {name}", median(cpu), "ms", how, 10)


def _ask(camera_id: int, start_ms: int) -> tuple[float, float]:
    """Milliseconds of processor (ours and the database process's) and of the clock that one answer takes.

    Other programs of the machine stretch the clock's; without them both are the same.
    """
    server = _server_pid()
    spent, began = time.thread_time(), time.perf_counter()
    theirs = exact_cpu_ms(server) if server else 0.0
    [lane] = timeline.lanes([camera_id], start_ms, start_ms + DAY_MS, resolution_ms=1000)
    theirs = exact_cpu_ms(server) - theirs if server else 0.0
    wall, cpu = time.perf_counter() - began, time.thread_time() - spent
    assert lane.recorded and lane.gaps
    db.session.remove()
    return cpu * 1000 + theirs, wall * 1000


def _server_pid() -> int | None:
    """The process that answers this session's queries; None for SQLite, which is part of ours."""
    if db.session.get_bind().dialect.name != "postgresql":
        return None
    return int(db.session.scalar(text("SELECT pg_backend_pid()")) or 0)
