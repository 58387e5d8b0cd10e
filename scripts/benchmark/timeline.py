"""Measures how long the timeline of a camera's day takes among the rows of 64 cameras and 30 days."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from cctv import create_app
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Segment
from cctv.services import timeline
from scripts.benchmark.figure import Figure
from scripts.benchmark.rows import fill
from tests.fixtures.application import make_config, migrate
from tests.servers import PostgresServer

CAMERAS, DAYS, TRIES = 64, 30, 40
ASKED = 3  # times each: other programs of the machine disturb some of them
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
        took, first = [], []
        for number in range(TRIES):
            start_ms = end_ms - DAY_MS - number % days * DAY_MS // 2
            times = [_ask(ids[number * 7 % CAMERAS], start_ms) for _ in range(ASKED)]
            first.append(times[0])
            took.append(min(times))
        db.engine.dispose()
    how = (
        f"{CAMERAS} cameras, {days} days, {rows:,} rows; {TRIES} days, best of {ASKED} each; the first time "
        f"{median(first):.1f}, worst of all {max(first):.1f}"
    )
    return Figure(f"timeline of a camera-day, {name}", median(took), "ms", how, 10)


def _ask(camera_id: int, start_ms: int) -> float:
    """Milliseconds of one answer, in a session of its own like a request's."""
    began = time.perf_counter()
    [lane] = timeline.lanes([camera_id], start_ms, start_ms + DAY_MS, resolution_ms=1000)
    took = (time.perf_counter() - began) * 1000
    assert lane.recorded and lane.gaps
    db.session.remove()
    return took
