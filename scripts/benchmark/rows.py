"""Fills an empty, migrated database with the index of many cameras and days, without any file.

One statement a camera, inside the database: 64 cameras x 30 days (2.7 million files) take under a minute.
"""

from __future__ import annotations

from sqlalchemy import text

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Gap, ModeChange, Node, RecordingMode, Run, StateChange, Stream, StreamKind
from cctv.models.segment import pack_gops

MINUTE_MS = 60_000
DAY_MINUTES = 1_440
# Every 6 hours 3 minutes are missing: 4 gaps a day.
_HOLE_EVERY, _HOLE_MINUTES = 360, 3
# More at once would meet the limit of a statement on a busy machine.
_ROWS_AT_ONCE = 7_200

_MINUTES = {
    "postgresql": "SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS m",
    "sqlite": "WITH RECURSIVE minutes(m) AS (SELECT :first UNION ALL SELECT m + 1 FROM minutes "
    "WHERE m < :last) SELECT m FROM minutes",
}
_INSERT = """
INSERT INTO segment (stream_id, run_id, number, started_ms, ended_ms, start_ticks, duration_ticks,
                     size_bytes, gops, state, is_damaged, is_locked, sha256)
SELECT :stream, :run, m, :start + m * 60000, :start + (m + 1) * 60000, (:start + m * 60000) * 90, 5400000,
       22500000, :gops, 'kept', {false}, {false}, :sha256
FROM ({minutes}) AS all_minutes WHERE m % :every < :every - :hole
"""


def fill(*, cameras: int = 64, days: int = 30, end_ms: int | None = None) -> list[int]:
    """Ids of `cameras` new cameras that recorded continuously for `days` until `end_ms` (default: now), a row
    a minute with 30 key frames, four gaps a day with their rows and states. Needs an application context."""
    end_ms = (now_ms() if end_ms is None else end_ms) // MINUTE_MS * MINUTE_MS
    start_ms = end_ms - days * DAY_MINUTES * MINUTE_MS
    begin_writing()
    node = Node(key="benchmark", name="benchmark", seen_ms=end_ms)
    db.session.add(node)
    db.session.flush()
    ids = []
    for number in range(1, cameras + 1):
        camera = Camera(number=number, name=f"Camera {number}", recording_mode=RecordingMode.CONTINUOUS)
        camera.streams = [Stream(kind=StreamKind.MAIN, url="rtsp://192.168.1.9/x")]
        db.session.add(camera)
        db.session.flush()
        db.session.add(ModeChange(camera_id=camera.id, mode=RecordingMode.CONTINUOUS, started_ms=start_ms))
        _fill_stream(camera, node, start_ms, minutes=days * DAY_MINUTES)
        ids.append(camera.id)
    db.session.commit()
    _analyse()
    return ids


def _fill_stream(camera: Camera, node: Node, start_ms: int, *, minutes: int) -> None:
    stream = camera.main
    run = Run(
        key=f"{stream.id}-{start_ms // 1000}-0000",
        stream_id=stream.id,
        node_id=node.id,
        ordinal=1,
        epoch_ms=start_ms,
        video_codec="avc1.640028",
        width=1920,
        height=1080,
        init_size=800,
        init_sha256="0" * 64,
    )
    db.session.add(run)
    db.session.flush()
    dialect = db.session.get_bind().dialect.name
    false = "false" if dialect == "postgresql" else "0"
    for first in range(0, minutes, _ROWS_AT_ONCE):
        db.session.execute(
            text(_INSERT.format(minutes=_MINUTES[dialect], false=false)),
            {
                "stream": stream.id,
                "run": run.id,
                "start": start_ms,
                "first": first,
                "last": min(minutes, first + _ROWS_AT_ONCE) - 1,
                "every": _HOLE_EVERY,
                "hole": _HOLE_MINUTES,
                "gops": pack_gops([(800 + at * 750_000, at * 180_000) for at in range(30)]),
                "sha256": "0" * 64,
            },
        )
    for hole in range(_HOLE_EVERY - _HOLE_MINUTES, minutes, _HOLE_EVERY):
        begin = start_ms + hole * MINUTE_MS
        end = begin + _HOLE_MINUTES * MINUTE_MS
        db.session.add(Gap(camera_id=camera.id, started_ms=begin, ended_ms=end, cause="noroute", detail=""))
        db.session.add(
            StateChange(stream_id=stream.id, state="offline", cause="noroute", started_ms=begin, ended_ms=end)
        )


def _analyse() -> None:
    """Let the planner know the tables, as autovacuum does within a minute on a real system."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("VACUUM ANALYZE segment")
        connection.exec_driver_sql("ANALYZE")
