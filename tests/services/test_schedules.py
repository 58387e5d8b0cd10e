"""Schedules: made, changed, switched and deleted without changing the past; in words and in size."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cctv.clock import to_ms
from cctv.errors import Conflict, Invalid, NotAllowed, NotFound
from cctv.extensions import db
from cctv.models import AuditEntry, Camera, RecordingMode, Schedule, User
from cctv.services.camera import cameras
from cctv.services.recording import planned, recordings
from cctv.services.recording.wanted import wanted
from cctv.services.schedule import schedule_cameras, schedule_sizes, schedules
from cctv.services.schedule.schedule_plans import TEMPLATES, Plan, checked
from cctv.services.site import settings
from tests.services.footage import MINUTE, T0, make_camera

pytestmark = pytest.mark.usefixtures("context", "quick_hashes")

HOUR = 60 * MINUTE
ALWAYS = Plan(TEMPLATES[0].weekly, [])
OFFICE = TEMPLATES[1].weekly
NEVER = Plan([], [])


@pytest.fixture
def boss(owner: User) -> User:
    return db.session.get_one(User, owner.id)


def told(action: str) -> list[dict]:
    found = db.session.scalars(db.select(AuditEntry).where(AuditEntry.action == action))
    return [entry.details for entry in found]


def test_a_change_holds_from_now_on_and_is_told(boss: User) -> None:
    camera = make_camera(RecordingMode.MANUAL)
    schedule = schedules.create_schedule(boss, " Office   hours ", ALWAYS, camera_ids=[camera.id], at_ms=T0)
    assert (schedule.name, schedule.version) == ("Office hours", 1)
    schedules.change_schedule(boss, schedule, plan=NEVER, version=1, at_ms=T0 + MINUTE)
    schedules.change_schedule(boss, schedule, plan=NEVER, version=2, at_ms=T0 + 2 * MINUTE)
    assert (schedule.version, len(schedule.versions)) == (2, 2)
    schedules.change_schedule(boss, schedule, plan=ALWAYS, at_ms=T0 + 3 * MINUTE)
    assert wanted(camera.id, T0, T0 + 9 * MINUTE) == [(T0, T0 + MINUTE), (T0 + 3 * MINUTE, T0 + 9 * MINUTE)]
    changes = [(one["before"], one["after"]) for one in told("schedule.change")]
    assert changes[0] == ({"weekly": "all the time, continuous"}, {"weekly": "never"})


def test_the_slower_of_two_people_is_told(boss: User) -> None:
    schedule = schedules.create_schedule(boss, "Office", ALWAYS)
    schedules.change_schedule(boss, schedule, name="First", version=1)
    with pytest.raises(Conflict, match="in the meantime"):
        schedules.change_schedule(boss, schedule, name="Second", version=1)
    with pytest.raises(Conflict):
        schedules.set_active(boss, schedule, False, version=1)
    assert schedules.get_schedule(schedule.id).name == "First"


def test_an_inactive_schedule_records_nothing_and_keeps_what_is_saved_meanwhile(boss: User) -> None:
    camera = make_camera(RecordingMode.MANUAL)
    schedule = schedules.create_schedule(boss, "Office", ALWAYS, camera_ids=[camera.id], at_ms=T0)
    schedules.set_active(boss, schedule, False, at_ms=T0 + MINUTE)
    schedules.set_active(boss, schedule, False, at_ms=T0 + MINUTE)
    schedules.change_schedule(boss, schedule, plan=checked(OFFICE, []), at_ms=T0 + 2 * MINUTE)
    assert wanted(camera.id, T0, T0 + 9 * MINUTE) == [(T0, T0 + MINUTE)]
    assert schedules.plan_of(schedule).weekly == OFFICE
    schedules.set_active(boss, schedule, True, at_ms=T0 + 3 * MINUTE)
    assert schedules.plan_of(schedule).weekly == OFFICE
    assert planned.now_of([camera.id], at_ms=T0 + 2 * MINUTE)[camera.id].mode is None
    assert [len(told(f"schedule.{way}")) for way in ("off", "on")] == [1, 1]


def test_cameras_come_from_other_rules_and_go_on_all_the_time(boss: User) -> None:
    first, second = make_camera(RecordingMode.OFF), make_camera(number=2)
    office = schedules.create_schedule(boss, "Office", ALWAYS, camera_ids=[first.id, second.id], at_ms=T0)
    night = schedules.create_schedule(boss, "Night", NEVER, camera_ids=[second.id], at_ms=T0 + MINUTE)
    assert {camera.id for camera in schedule_cameras.cameras_of(office.id)} == {first.id}
    schedules.change_schedule(boss, office, camera_ids=[], at_ms=T0 + 2 * MINUTE)
    assert (first.recording_mode, second.recording_mode) == ("continuous", "schedule")
    assert schedule_cameras.by_schedule() == {night.id: [second]}
    with pytest.raises(Invalid) as refused:
        schedules.change_schedule(boss, office, name="Other", camera_ids=[4711])
    assert (list(refused.value.errors), schedules.get_schedule(office.id).name) == (["cameras"], "Office")
    boss.token_cameras = frozenset({second.id})
    with pytest.raises(NotAllowed):  # a token that is limited to some cameras
        schedules.change_schedule(boss, office, camera_ids=[first.id])


def test_a_deleted_schedule_still_explains_the_past(boss: User) -> None:
    camera = make_camera(RecordingMode.MANUAL)
    schedule = schedules.create_schedule(boss, "Office", ALWAYS, camera_ids=[camera.id], at_ms=T0)
    with pytest.raises(Conflict, match="Camera 1 follows this schedule"):
        schedules.delete_schedule(boss, schedule)
    recordings.set_mode(camera, RecordingMode.MANUAL, boss, at_ms=T0 + MINUTE)
    schedules.delete_schedule(boss, schedule, at_ms=T0 + 2 * MINUTE)
    with pytest.raises(NotFound):
        schedules.get_schedule(schedule.id)
    assert wanted(camera.id, T0, T0 + 9 * MINUTE) == [(T0, T0 + MINUTE)]
    schedules.create_schedule(boss, "Office", NEVER)
    with pytest.raises(Conflict, match="of this name"):
        schedules.restore_schedule(boss, schedule.id)
    with pytest.raises(Invalid, match="already"):
        schedules.create_schedule(boss, "Office", NEVER)


def test_a_deleted_schedule_can_be_brought_back(boss: User) -> None:
    schedule = schedules.create_schedule(boss, "Office", checked(OFFICE, []))
    schedules.delete_schedule(boss, schedule)
    assert schedules.restore_schedule(boss, schedule.id).name == "Office"
    assert schedules.plan_of(schedule).weekly == OFFICE
    assert "Office" in [one.name for one in schedules.list_schedules()]


def test_plans_follow_the_site_into_another_time_zone_and_the_past_does_not(boss: User) -> None:
    camera = make_camera(RecordingMode.MANUAL)
    settings.save(time_zone="Europe/Lisbon")
    midnight = to_ms(datetime(2026, 7, 6, tzinfo=ZoneInfo("Europe/Lisbon")))
    plan = checked([[0, 0, 60, "continuous"], [0, 120, 240, "continuous"]], [])
    schedules.create_schedule(boss, "Office", plan, camera_ids=[camera.id], at_ms=midnight)
    settings.save(time_zone="Europe/Madrid")  # one hour ahead
    assert schedules.follow_zone(at_ms=midnight + 90 * MINUTE) == 2  # with the one that is built in
    assert schedules.follow_zone(at_ms=midnight + 90 * MINUTE) == 0
    assert wanted(camera.id, midnight, midnight + 12 * HOUR) == [
        (midnight, midnight + HOUR),
        (midnight + 90 * MINUTE, midnight + 3 * HOUR),
    ]


def test_the_built_in_schedule_is_there(boss: User) -> None:
    (always,) = schedules.list_schedules()
    assert (always.name, schedules.plan_of(always)) == ("Always", ALWAYS)


@pytest.mark.each_database
def test_two_databases_keep_the_same_plan(boss: User) -> None:
    plan = checked(OFFICE, [{"date": "2099-12-25", "blocks": []}])
    schedule: Schedule = schedules.create_schedule(boss, "Office", plan)
    db.session.expire_all()
    assert schedules.plan_of(schedules.get_schedule(schedule.id)) == plan
    assert schedules.find_schedules(search="off", is_active=True).total == 1


def test_a_week_has_a_size_and_warns_of_cameras_that_are_never_recorded() -> None:
    camera: Camera = make_camera()
    size = schedule_sizes.of_week(checked(OFFICE, []), [camera])
    assert (size.continuous_hours, size.activity_hours, size.is_measured) == (65, 15, False)
    camera.main.bitrate_kbps = 4000
    assert schedule_sizes.of_week(checked(OFFICE, []), [camera]).continuous_bytes == 65 * 3600 * 500_000
    assert schedule_sizes.warnings(NEVER, [camera], is_active=True).never == ["Camera 1"]
    camera.watches_activity = False
    warned = schedule_sizes.warnings(checked(OFFICE, []), [camera], is_active=False)
    assert (warned.never, warned.unseen, warned.is_inactive) == ([], ["Camera 1"], True)


@pytest.mark.each_database
def test_a_new_camera_follows_a_schedule_at_once(boss: User) -> None:
    schedule = schedules.create_schedule(boss, "Office", ALWAYS)
    form = cameras.CameraForm(name="Gate", url="rtsp://127.0.0.9/x", recording_mode="schedule")
    with pytest.raises(Invalid) as refused:
        cameras.create_camera(form, boss)
    assert list(refused.value.errors) == ["schedule_id"]
    camera = cameras.create_camera(replace(form, schedule_id=schedule.id), boss)
    assert schedule_cameras.by_schedule() == {schedule.id: [camera]}
    cameras.update_camera(camera.id, replace(cameras.stored_form(camera), name="Back gate"), boss)
    cameras.update_camera(camera.id, replace(cameras.stored_form(camera), recording_mode="off"), boss)
    assert (camera.recording_mode, schedule_cameras.by_schedule()) == ("off", {})
