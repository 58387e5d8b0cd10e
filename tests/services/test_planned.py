"""What is wanted by rule: modes, schedules with their versions, and activity with the seconds around it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cctv.clock import to_ms
from cctv.errors import Invalid
from cctv.extensions import db
from cctv.models import (
    Activity,
    Camera,
    Recording,
    RecordingMode,
    Schedule,
    ScheduleCamera,
    ScheduleVersion,
    Segment,
    SegmentState,
    StreamState,
)
from cctv.services.camera import status
from cctv.services.footage import gaps, segments, timeline
from cctv.services.recording import planned, recordings
from cctv.services.recording.planned import Now
from cctv.services.recording.wanted import cameras_to_sync, cameras_wanted_now, wanted
from tests.services.footage import MINUTE, T0, closed, make_camera, run_of

pytestmark = pytest.mark.usefixtures("context")

LISBON = ZoneInfo("Europe/Lisbon")
HOUR = 60 * MINUTE
MONDAY = to_ms(datetime(2026, 11, 16, tzinfo=LISBON))
OFFICE = [[day, 8 * 60, 18 * 60, "continuous"] for day in range(5)] + [[0, 18 * 60, 22 * 60, "activity"]]


def make_schedule(name: str = "Office", weekly: list | None = None, *, since_ms: int = 0) -> Schedule:
    schedule = Schedule(name=name)
    schedule.versions = [version(OFFICE if weekly is None else weekly, since_ms)]
    db.session.add(schedule)
    db.session.commit()
    return schedule


def version(weekly: list, started_ms: int, ended_ms: int | None = None) -> ScheduleVersion:
    return ScheduleVersion(
        started_ms=started_ms, ended_ms=ended_ms, time_zone="Europe/Lisbon", weekly=weekly, exceptions=[]
    )


def follower(schedule: Schedule, *, number: int = 1) -> Camera:
    camera = make_camera(RecordingMode.SCHEDULE, since_ms=0, number=number)
    db.session.add(ScheduleCamera(camera_id=camera.id, schedule_id=schedule.id, started_ms=0))
    db.session.commit()
    return camera


def moved(camera: Camera, started_ms: int, ended_ms: int | None) -> None:
    db.session.add(Activity(camera_id=camera.id, started_ms=started_ms, ended_ms=ended_ms))
    db.session.commit()


def test_a_schedule_wants_its_hours_and_no_others() -> None:
    camera = follower(make_schedule())
    assert wanted(camera.id, MONDAY, MONDAY + 24 * HOUR) == [(MONDAY + 8 * HOUR, MONDAY + 18 * HOUR)]
    assert wanted(camera.id, MONDAY + 9 * HOUR, MONDAY + 9 * HOUR + 1) != []
    assert cameras_wanted_now(at_ms=MONDAY + 9 * HOUR) == {camera.id}
    assert cameras_wanted_now(at_ms=MONDAY + 7 * HOUR) == set()
    evening = MONDAY + 19 * HOUR  # what moves is seen a minute later: a power cut must not take it
    assert (cameras_wanted_now(at_ms=evening), cameras_to_sync(at_ms=evening)) == (set(), {camera.id})


def test_a_changed_schedule_leaves_the_past_as_it_was() -> None:
    schedule = make_schedule()
    camera = follower(schedule)
    schedule.versions[0].ended_ms = MONDAY + 10 * HOUR
    schedule.versions.append(version([[0, 12 * 60, 13 * 60, "continuous"]], MONDAY + 10 * HOUR))
    db.session.commit()
    assert wanted(camera.id, MONDAY, MONDAY + 24 * HOUR) == [
        (MONDAY + 8 * HOUR, MONDAY + 10 * HOUR),
        (MONDAY + 12 * HOUR, MONDAY + 13 * HOUR),
    ]


@pytest.mark.each_database
def test_what_moves_is_kept_with_the_seconds_around_it_inside_its_hours_only() -> None:
    camera, evening = follower(make_schedule()), MONDAY + 18 * HOUR
    moved(camera, evening + MINUTE, evening + 2 * MINUTE)
    moved(camera, evening + 4 * HOUR - 3_000, evening + 4 * HOUR + 20_000)
    moved(camera, MONDAY + 2 * HOUR, MONDAY + 3 * HOUR)
    end = evening + 4 * HOUR
    assert wanted(camera.id, evening, MONDAY + 24 * HOUR) == [
        (evening + MINUTE - 10_000, evening + 2 * MINUTE + 10_000),
        (end - 13_000, end),  # off is off
    ]
    # The same through a small window, as a file of a minute asks.
    assert wanted(camera.id, evening + 50_000, evening + 50_001) == [(evening + 50_000, evening + 50_001)]
    assert wanted(camera.id, evening + 130_000, evening + 140_000) == []


def test_activity_that_goes_on_is_wanted_until_it_ends() -> None:
    camera = make_camera(RecordingMode.ACTIVITY)
    moved(camera, T0 + MINUTE, None)
    assert wanted(camera.id, T0, T0 + 10 * MINUTE) == [(T0 + 50_000, T0 + 10 * MINUTE)]
    other = make_camera(RecordingMode.MANUAL, number=2)
    moved(other, T0 + MINUTE, None)
    assert wanted(other.id, T0, T0 + 10 * MINUTE) == []


def test_longer_seconds_around_activity_make_no_gaps_in_the_past() -> None:
    camera = make_camera(RecordingMode.ACTIVITY)
    moved(camera, T0 + MINUTE, T0 + 2 * MINUTE)
    camera.pre_roll_seconds, camera.post_roll_seconds = 0, 60
    recordings.set_mode(camera, RecordingMode.ACTIVITY, None, at_ms=T0 + 10 * MINUTE)
    moved(camera, T0 + 11 * MINUTE, T0 + 12 * MINUTE)
    assert wanted(camera.id, T0, T0 + 20 * MINUTE) == [
        (T0 + 50_000, T0 + 130_000),
        (T0 + 11 * MINUTE, T0 + 13 * MINUTE),
    ]


def test_rows_that_name_what_rules_keep_want_nothing_themselves() -> None:
    camera = make_camera(RecordingMode.MANUAL)
    for kind in ("schedule", "activity", "continuous"):
        db.session.add(Recording(camera_id=camera.id, kind=kind, started_ms=T0, ended_ms=T0 + MINUTE))
    db.session.commit()
    assert wanted(camera.id, T0, T0 + MINUTE) == []


@pytest.mark.each_database
def test_scheduled_time_without_footage_is_a_gap_and_other_time_is_not() -> None:
    camera = follower(make_schedule())
    camera.main.state = StreamState.OFFLINE
    start, end = MONDAY + 7 * HOUR, MONDAY + 9 * HOUR
    segments.index([closed(run_of(camera), 1, start, start + MINUTE)])
    (lane,) = timeline.lanes([camera.id], start, end, at_ms=end)
    assert [(gap.started_ms, gap.ended_ms) for gap in lane.gaps] == [(start + HOUR, end)]
    assert lane.recorded == []
    assert timeline.locate(camera.id, start + MINUTE, at_ms=end).sentence == "not scheduled"
    assert [gap[:2] for gap in gaps.list_gaps(camera.id, start, end, at_ms=end)] == [(start + HOUR, end)]


def test_a_worker_that_was_down_keeps_what_was_scheduled_meanwhile() -> None:
    camera = follower(make_schedule())
    run, eight = run_of(camera), MONDAY + 8 * HOUR
    minutes = [(number, eight + (number - 2) * MINUTE) for number in range(4)]
    segments.index([closed(run, number, at, at + MINUTE) for number, at in minutes])
    states = db.session.scalars(db.select(Segment.state).order_by(Segment.number)).all()
    assert states == [SegmentState.RING] * 2 + [SegmentState.KEPT] * 2


def test_activity_that_is_seen_late_keeps_the_files_of_the_ring() -> None:
    camera = make_camera(RecordingMode.ACTIVITY)
    run = run_of(camera)
    segments.index(
        [closed(run, number, T0 + number * MINUTE, T0 + (number + 1) * MINUTE) for number in range(4)]
    )
    moved(camera, T0 + MINUTE + 5_000, T0 + MINUTE + 20_000)
    assert segments.keep_wanted(camera.id, T0, T0 + 4 * MINUTE) == 2
    db.session.commit()
    kept = db.select(Segment.number).where(Segment.state == SegmentState.KEPT).order_by(Segment.number)
    assert db.session.scalars(kept).all() == [0, 1]


def test_the_rule_of_now_is_told_with_its_ends() -> None:
    camera, always = follower(make_schedule()), make_camera(number=2, since_ms=0)
    at = MONDAY + 20 * HOUR
    assert planned.now_of([camera.id, always.id], at_ms=at) == {
        camera.id: Now("activity", MONDAY + 18 * HOUR, MONDAY + 22 * HOUR),
        always.id: Now("continuous", None, None),
    }
    night = planned.now_of([camera.id], at_ms=MONDAY + 23 * HOUR)[camera.id]
    assert night == Now(None, MONDAY + 22 * HOUR, MONDAY + 32 * HOUR)
    assert planned.continuous_shares([camera.id, always.id], at_ms=at) == {
        camera.id: pytest.approx(50 / 168),
        always.id: 1.0,
    }


def test_a_camera_follows_one_schedule_at_a_time_and_says_which() -> None:
    office, night = make_schedule(), make_schedule("Night", [[0, 0, 1440, "continuous"]])
    camera = make_camera(RecordingMode.MANUAL)
    with pytest.raises(Invalid) as refused:
        recordings.set_mode(camera, RecordingMode.SCHEDULE, None, schedule_id=4711)
    assert list(refused.value.errors) == ["schedule_id"]
    with pytest.raises(Invalid):
        recordings.set_mode(camera, RecordingMode.SCHEDULE, None)
    recordings.set_mode(camera, RecordingMode.SCHEDULE, None, schedule_id=office.id, at_ms=T0)
    recordings.set_mode(camera, RecordingMode.SCHEDULE, None, schedule_id=night.id, at_ms=T0 + MINUTE)
    recordings.set_mode(camera, RecordingMode.SCHEDULE, None, at_ms=T0 + 2 * MINUTE)
    assert status.of_camera(camera).schedule == "Night"
    recordings.set_mode(camera, RecordingMode.CONTINUOUS, None, at_ms=T0 + 3 * MINUTE)
    rows = db.session.scalars(db.select(ScheduleCamera).order_by(ScheduleCamera.id))
    assert [(row.schedule_id, row.started_ms, row.ended_ms) for row in rows] == [
        (office.id, T0, T0 + MINUTE),
        (night.id, T0 + MINUTE, T0 + 3 * MINUTE),
    ]
    assert status.of_camera(camera).schedule is None
