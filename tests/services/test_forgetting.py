"""History is kept as long as the footage that it explains, and ninety days; it goes in small bites."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import event

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, Event, Gap, StateChange
from cctv.services.footage import timeline
from cctv.services.lifetime import forgetting
from tests.services.footage import MINUTE, add_state, index_spans, make_camera

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]

DAY = 86_400_000
NOW = now_ms()


def tell(camera: Camera | None, *days_ago: float) -> None:
    """A state, a gap and an event of each of these days; without a camera only the event."""
    for days in days_ago:
        at = NOW - int(days * DAY)
        camera_id = camera.id if camera else None
        db.session.add(Event(at_ms=at, kind="camera", camera_id=camera_id, text=f"{days:g} days ago"))
        if camera is not None:
            db.session.add(Gap(camera_id=camera.id, started_ms=at, ended_ms=at + MINUTE, cause="noroute"))
            add_state(camera, "offline", at, at + MINUTE, cause="noroute")
    db.session.commit()


def left(camera: Camera) -> set[tuple[float, float, float]]:
    """(days ago) of what is left: states, gaps, events."""
    states = db.session.query(StateChange.started_ms).filter_by(stream_id=camera.main.id)
    gaps = db.session.query(Gap.started_ms).filter_by(camera_id=camera.id)
    events = db.session.query(Event.at_ms).filter_by(camera_id=camera.id)
    columns = [sorted(round((NOW - ms) / DAY, 1) for (ms,) in query) for query in (states, gaps, events)]
    assert columns[0] == columns[1] == columns[2]
    return set(columns[0])


def test_what_is_older_than_ninety_days_and_than_the_footage_goes() -> None:
    empty, full, young = (make_camera(since_ms=NOW - 400 * DAY, number=number) for number in (1, 2, 3))
    index_spans(full, [(NOW - 200 * DAY, NOW - 200 * DAY + MINUTE)])
    index_spans(young, [(NOW - 10 * DAY, NOW - 10 * DAY + MINUTE)])
    for camera in (empty, full, young):
        tell(camera, 300, 150, 91, 89, 20, 1)
    tell(None, 300, 150, 91, 1)
    assert forgetting.forget_history(at_ms=NOW) == (7, 7, 8, 0)
    assert left(empty) == left(young) == {89, 20, 1}
    assert left(full) == {150, 91, 89, 20, 1}
    everywhere = db.session.query(Event.text).filter_by(camera_id=None).order_by(Event.id)
    assert [text for (text,) in everywhere] == ["150 days ago", "91 days ago", "1 days ago"]
    assert forgetting.forget_history(at_ms=NOW) == (0, 0, 0, 0)


def test_what_goes_on_and_what_reaches_into_the_kept_time_stays() -> None:
    camera = make_camera(since_ms=NOW - 400 * DAY)
    add_state(camera, "offline", NOW - 300 * DAY, None, cause="noroute")
    add_state(camera, "offline", NOW - 400 * DAY, NOW - 80 * DAY, cause="noroute")
    db.session.add(
        Gap(camera_id=camera.id, started_ms=NOW - 300 * DAY, ended_ms=NOW - 80 * DAY, cause="deleted_rule")
    )
    db.session.commit()
    assert forgetting.forget_history(at_ms=NOW) == (0, 0, 0, 0)


def test_the_timeline_says_that_it_was_too_long_ago() -> None:
    camera = make_camera(since_ms=NOW - 400 * DAY)
    tell(camera, 300)
    forgetting.forget_history(at_ms=NOW)
    at = NOW - 300 * DAY
    (lane,) = timeline.lanes([camera.id], at, at + MINUTE, at_ms=NOW)
    assert [gap.sentence for gap in lane.gaps] == ["no footage - too long ago to say why"]


@pytest.fixture
def held_ms(app: Flask) -> Iterator[list[float]]:
    """How long each transaction that deleted held what it locked, in milliseconds."""
    spans: list[float] = []
    began: list[float] = []

    def on_statement(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE"):
            began.append(time.monotonic())

    def on_commit(_connection: object) -> None:
        if began:
            spans.append((time.monotonic() - began.pop()) * 1000)

    event.listen(db.engine, "before_cursor_execute", on_statement)
    event.listen(db.engine, "commit", on_commit)
    yield spans
    event.remove(db.engine, "before_cursor_execute", on_statement)
    event.remove(db.engine, "commit", on_commit)


def test_nobody_waits_for_it(held_ms: list[float]) -> None:
    camera = make_camera(since_ms=NOW - 400 * DAY)
    rows = [
        {"stream_id": camera.main.id, "state": "live", "started_ms": at, "ended_ms": at + 1}
        for at in range(NOW - 300 * DAY, NOW - 300 * DAY + 10_000)
    ]
    db.session.execute(StateChange.__table__.insert(), rows)
    db.session.commit()
    assert forgetting.forget_history(at_ms=NOW).states == 10_000
    assert len(held_ms) == 20
    assert sorted(held_ms)[len(held_ms) * 3 // 4] < 100


def test_it_ends_in_time_and_goes_on_the_next_day() -> None:
    camera = make_camera(since_ms=NOW - 400 * DAY)
    tell(camera, 300)
    assert forgetting.forget_history(at_ms=NOW, seconds=0) == (0, 0, 0, 0)
    assert forgetting.forget_history(at_ms=NOW) == (1, 1, 1, 0)
