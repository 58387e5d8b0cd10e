"""What schedules and activity kept as rows that people find: made, lengthened, joined and ended."""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.clock import day_bounds_ms, site_day
from cctv.extensions import db
from cctv.models import Activity, Camera, Gap, Recording, Segment, SegmentState, User
from cctv.services.recording import evidence, recording_rules, recordings
from cctv.services.recording.wanted import wanted
from cctv.services.site import settings
from tests.services.footage import MINUTE, index_spans, make_camera
from tests.services.test_planned import HOUR, LISBON, MONDAY, follower, make_schedule, moved

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def camera(context: Flask) -> Camera:
    """One that follows office hours: Monday 8 to 18 whatever happens, 18 to 22 on activity."""
    settings.save(time_zone="Europe/Lisbon")
    return follower(make_schedule())


def follow(hour: float, *, look_back_ms: int = HOUR) -> list[tuple[str, float, float | None]]:
    """(kind, from, to) of the rows in hours of that Monday, after a look at that hour."""
    recording_rules.follow(at_ms=MONDAY + int(hour * HOUR), look_back_ms=look_back_ms)
    rows = db.session.scalars(db.select(Recording).order_by(Recording.started_ms)).all()
    return [
        (row.kind, at(row.started_ms), None if row.ended_ms is None else at(row.ended_ms)) for row in rows
    ]


def at(ms: int) -> float:
    return round((ms - MONDAY) / HOUR, 4)


def moved_at(camera: Camera, first: float, last: float | None) -> None:
    moved(camera, MONDAY + int(first * HOUR), None if last is None else MONDAY + int(last * HOUR))


def test_a_block_of_the_schedule_is_one_row_that_goes_on_and_ends(camera: Camera) -> None:
    assert follow(7.9) == []
    assert follow(9) == [("schedule", 8, None)]
    assert follow(12) == [("schedule", 8, None)]
    assert follow(18.1) == [("schedule", 8, 18)]
    assert follow(18.1) == [("schedule", 8, 18)]


def test_activity_is_a_row_with_the_seconds_around_it(camera: Camera) -> None:
    around = 10 / 3600
    moved_at(camera, 19, 19.5)
    moved_at(camera, 7, 7.5)  # nobody wants it then
    assert follow(20)[1:] == [("activity", round(19 - around, 4), round(19.5 + around, 4))]
    moved_at(camera, 20.5, None)
    assert follow(21)[2] == ("activity", round(20.5 - around, 4), None)
    assert follow(22.5)[2] == ("activity", round(20.5 - around, 4), 22)


def test_what_is_found_later_lengthens_and_joins(camera: Camera) -> None:
    moved_at(camera, 19, 19.1)
    moved_at(camera, 19.2, 19.3)
    assert len(follow(19.5)) == 3
    moved_at(camera, 19.1, 19.2)
    rows = follow(19.5)
    assert len(rows) == 2 and rows[1][1] < 19 and (rows[1][2] or 0) > 19.3


def test_a_row_that_a_person_deleted_does_not_come_back(camera: Camera, owner: User) -> None:
    user = db.session.get_one(User, owner.id)
    moved_at(camera, 19, 19.1)
    follow(20)
    index_spans(camera, [(MONDAY + 19 * HOUR - MINUTE, MONDAY + 19 * HOUR + 9 * MINUTE)])
    db.session.execute(db.update(Segment).values(state=SegmentState.KEPT))
    db.session.commit()
    row = db.session.scalars(db.select(Recording).where(Recording.kind == "activity")).one()
    assert evidence.delete_recording(row, user) == 1
    assert db.session.scalars(db.select(Gap.cause)).all() == ["deleted_person"]
    moved_at(camera, 20.5, 20.6)
    found = [row[0] for row in follow(21, look_back_ms=48 * HOUR)]
    assert found.count("activity") == 1


def test_rows_promise_nothing_and_a_switch_ends_them(camera: Camera) -> None:
    follow(9)
    recordings.set_mode(camera, recordings.RecordingMode.MANUAL, None, at_ms=MONDAY + 10 * HOUR)
    assert follow(11) == [("schedule", 8, 10)]
    db.session.execute(db.update(Recording).values(ended_ms=MONDAY + 20 * HOUR))
    db.session.commit()
    assert wanted(camera.id, MONDAY, MONDAY + 24 * HOUR) == [(MONDAY + 8 * HOUR, MONDAY + 10 * HOUR)]


def test_a_worker_that_was_down_lists_what_it_missed(camera: Camera) -> None:
    rows = follow(24 + 9, look_back_ms=recording_rules.FAR_BACK_MS)
    assert rows[-2:] == [("schedule", 8, 18), ("schedule", 32, None)]


def test_a_block_over_midnight_is_a_row_a_day(context: Flask) -> None:
    settings.save(time_zone="Europe/Lisbon")
    follower(make_schedule("Night", [[0, 20 * 60, 1440, "continuous"], [1, 0, 6 * 60, "continuous"]]))
    assert follow(23.9) == [("schedule", 20, None)]
    assert follow(25) == [("schedule", 20, 24), ("schedule", 24, None)]
    assert day_bounds_ms(site_day(MONDAY, LISBON), LISBON)[1] == MONDAY + 24 * HOUR


def test_recordings_go_from_the_list_with_their_footage_but_not_locked_ones(context: Flask) -> None:
    camera = make_camera("manual", since_ms=0)
    index_spans(camera, [(MONDAY, MONDAY + HOUR)])
    db.session.execute(db.update(Segment).values(state=SegmentState.KEPT))
    old = {"started_ms": MONDAY - 3 * HOUR, "ended_ms": MONDAY - 2 * HOUR, "camera_id": camera.id}
    for kind, more in (("schedule", {}), ("continuous", {"locked_by": "Ann"}), ("manual", {"note": "a"})):
        db.session.add(Recording(kind=kind, **old, **more))
    db.session.add(Recording(kind="activity", camera_id=camera.id, started_ms=MONDAY, ended_ms=MONDAY + 9))
    db.session.add(Recording(kind="continuous", camera_id=camera.id, started_ms=MONDAY - HOUR))
    db.session.commit()
    assert recording_rules.forget_gone(at_ms=MONDAY + HOUR) == 1
    assert recording_rules.forget_gone(at_ms=MONDAY + 91 * 24 * HOUR) == 1
    kinds = db.session.scalars(db.select(Recording.kind).order_by(Recording.kind)).all()
    assert kinds == ["activity", "continuous", "continuous"]


def test_nothing_is_asked_twice_while_nothing_changes(app: Flask, camera: Camera) -> None:
    from tests.blueprints.camera_rows import QueryCount

    moved_at(camera, 19, 19.1)
    follow(20)
    with QueryCount(app) as queries:
        assert recording_rules.follow(at_ms=MONDAY + 20 * HOUR) == 0
    assert len(queries) <= 10, queries.statements
    assert db.session.scalars(db.select(Activity)).one().ended_ms is not None
