"""What is asked again and again finds its rows by an index, however many files are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import RecordingMode
from cctv.services.footage import finding, gaps, segments, timeline
from cctv.services.lifetime import forecast, keeping, retention, retention_rules
from cctv.services.proof import hashing, scrub
from cctv.services.site import nodes, settings
from cctv.storage.disk import Usage
from tests.services.footage import MINUTE, closed, make_camera, run_of

pytestmark = pytest.mark.usefixtures("context")


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is executed meanwhile, with its parameters."""
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        found.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def plan_of(statement: str, parameters: Any) -> list[str]:
    if not statement.startswith(("SELECT", "UPDATE", "DELETE")):
        return []
    rows = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    return [row[3] for row in rows]


def _all_day(camera_id: int) -> None:
    now = now_ms()
    timeline.lanes([camera_id], now - 86_400_000, now)


def _make_room(node_id: int, _camera_id: int) -> None:
    settings.save(spared_hours=1)
    retention.enforce_floor(node_id, usage=lambda _folder: Usage(10**12, 0, -1))


def _follow_rules(node_id: int, _camera_id: int) -> None:
    settings.save(keep_days=1, keep_bytes=10**6)
    keeping.preview(keeping.current())
    retention_rules.expire(node_id, at_ms=now_ms() + 86_400_000)


QUESTIONS: dict[str, Callable[[int, int], object]] = {
    "housekeeping": lambda node_id, _camera_id: retention.housekeep(node_id),
    "making room": _make_room,
    "rules of retention": _follow_rules,
    "a forecast": lambda node_id, _camera_id: forecast.flows_of(node_id),
    "the hash pass": lambda node_id, _camera_id: hashing.hash_some(node_id, seconds=0),
    "the scrub": lambda node_id, _camera_id: scrub.scrub_some(node_id, seconds=5),
    "settling gaps": lambda _node_id, _camera_id: gaps.settle_all(),
    "a timeline": lambda _node_id, camera_id: _all_day(camera_id),
    "open files": lambda _node_id, camera_id: finding.open_intervals([camera_id]),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_does_not_read_through_all_files(question: str) -> None:
    config.current().media_dir.mkdir()
    node = nodes.this_node()
    now = now_ms() // MINUTE * MINUTE
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=now - 600 * MINUTE)
    run = run_of(camera, node=node, epoch_ms=now - 600 * MINUTE)
    began = now - 600 * MINUTE
    segments.index(
        [closed(run, n, began + n * MINUTE, began + (n + 1) * MINUTE) for n in range(500) if n % 50]
    )
    camera.main.run_key = run.run
    db.session.commit()
    node_id, camera_id = node.id, camera.id
    db.session.commit()

    with statements() as asked:
        QUESTIONS[question](node_id, camera_id)

    assert asked
    for statement, parameters in asked:
        plan = plan_of(statement, parameters)
        assert not [step for step in plan if step == "SCAN segment"], (statement, plan)
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan or "segment" not in statement, (statement, plan)
