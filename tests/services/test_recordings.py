"""Recordings: started and stopped at once, with pre-roll and an end; one row a day while recording always."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from cctv.clock import day_bounds_ms
from cctv.errors import Conflict, Invalid, NotFound
from cctv.extensions import db
from cctv.models import Camera, ModeChange, Recording, RecordingKind, RecordingMode
from cctv.services.footage import segments
from cctv.services.recording import recordings
from cctv.services.site import settings
from tests.services.footage import MINUTE, T0, index_spans, make_camera
from tests.services.persons import entries

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]

BERLIN = ZoneInfo("Europe/Berlin")
DAY_MS = 86_400_000


def filmed(minutes: int = 3) -> Camera:
    camera = make_camera(RecordingMode.MANUAL)
    index_spans(camera, [(T0 + n * MINUTE, T0 + (n + 1) * MINUTE) for n in range(minutes)])
    return camera


def days(camera: Camera) -> list[tuple[date, int, int | None]]:
    query = db.session.query(Recording).filter_by(camera_id=camera.id, kind=RecordingKind.CONTINUOUS)
    return [(row.day, row.started_ms, row.ended_ms) for row in query.order_by(Recording.day)]


def test_a_recording_begins_with_its_pre_roll_and_wants_until_it_is_stopped() -> None:
    camera, now = filmed(), T0 + 3 * MINUTE
    recording = recordings.start(camera, None, at_ms=now)
    assert (recording.started_ms, recording.ended_ms, recording.note) == (now - 10_000, None, "")
    assert recordings.wanted(camera.id, T0, now + 5_000) == [(now - 10_000, now + 5_000)]
    assert recordings.is_wanted_now(camera.id, at_ms=now + 5_000)
    stopped = recordings.stop(camera, None, at_ms=now + 7_000)
    assert stopped is not None
    assert stopped.ended_ms == now + 7_000
    assert recordings.wanted(camera.id, T0, now + MINUTE) == [(now - 10_000, now + 7_000)]
    assert recordings.cameras_wanted_now(at_ms=now + 8_000) == set()
    assert recordings.stop(camera, None, at_ms=now + 9_000) is None


def test_a_pre_roll_beyond_the_ring_is_shortened_and_said() -> None:
    camera, now = filmed(), T0 + 3 * MINUTE
    recording = recordings.start(camera, None, pre_roll_seconds=600, at_ms=now)
    assert recording.started_ms == T0
    assert "180 s were there" in recording.note
    assert len(segments.find_segments(camera.id, T0, now)) == 3


def test_a_camera_without_footage_starts_now() -> None:
    camera = make_camera(RecordingMode.MANUAL)
    assert recordings.start(camera, None, at_ms=T0).started_ms == T0


def test_pressing_twice_gives_the_same_recording() -> None:
    camera = filmed()
    first = recordings.start(camera, None, max_seconds=60, at_ms=T0 + 3 * MINUTE)
    again = recordings.start(camera, None, max_seconds=120, at_ms=T0 + 3 * MINUTE + 1_000)
    assert first.id == again.id
    assert again.planned_end_ms == T0 + 3 * MINUTE + 121_000


def test_a_planned_end_counts_from_its_moment_and_is_written_by_the_tick() -> None:
    camera, now = filmed(), T0 + 3 * MINUTE
    recording = recordings.start(camera, None, max_seconds=30, at_ms=now)
    assert recordings.wanted(camera.id, now, now + MINUTE) == [(now, now + 30_000)]
    assert recordings.end_planned(at_ms=now + 29_999) == 0
    assert recordings.end_planned(at_ms=now + 30_000) == 1
    assert recordings.get_recording(recording.id).ended_ms == now + 30_000


def test_a_running_recording_can_be_extended_and_an_ended_one_not() -> None:
    camera, now = filmed(), T0 + 3 * MINUTE
    recording = recordings.start(camera, None, max_seconds=30, at_ms=now)
    assert recordings.extend(recording, 60, at_ms=now + 1_000).planned_end_ms == now + 90_000
    recordings.start(camera, None, max_seconds=60, at_ms=now + 2_000)  # no longer than it is
    recordings.start(camera, None, max_seconds=120, at_ms=now + 2_000)
    until = [entry.details["until_ms"] for entry in entries("recording.extend")]
    assert until == [now + 90_000, now + 122_000]
    with pytest.raises(Conflict):
        recordings.extend(recording, 60, at_ms=now + 122_000)


def test_a_camera_that_is_off_does_not_record() -> None:
    camera = filmed()
    recordings.set_mode(camera, RecordingMode.OFF, None, at_ms=T0 + 3 * MINUTE)
    with pytest.raises(Conflict):
        recordings.start(camera, None)
    recordings.set_mode(camera, RecordingMode.MANUAL, None, at_ms=T0 + 4 * MINUTE)
    camera.is_enabled = False
    db.session.commit()
    with pytest.raises(Conflict):
        recordings.start(camera, None)
    with pytest.raises(Invalid):
        recordings.start(camera, None, pre_roll_seconds=-1)
    with pytest.raises(NotFound):
        recordings.get_recording(4711)


def test_switching_off_ends_what_a_person_started() -> None:
    camera, now = filmed(), T0 + 3 * MINUTE
    recording = recordings.start(camera, None, at_ms=now)
    recordings.set_mode(camera, RecordingMode.OFF, None, at_ms=now + 5_000)
    assert recordings.get_recording(recording.id).ended_ms == now + 5_000


def test_the_history_of_modes_says_what_was_wanted() -> None:
    camera = make_camera(RecordingMode.MANUAL)
    recordings.set_mode(camera, RecordingMode.CONTINUOUS, None, at_ms=T0 + MINUTE)
    recordings.set_mode(camera, RecordingMode.CONTINUOUS, None, at_ms=T0 + 2 * MINUTE)
    recordings.set_mode(camera, RecordingMode.OFF, None, at_ms=T0 + 3 * MINUTE)
    recordings.set_mode(camera, RecordingMode.CONTINUOUS, None, at_ms=T0 + 5 * MINUTE)
    assert recordings.wanted(camera.id, T0, T0 + 9 * MINUTE) == [
        (T0 + MINUTE, T0 + 3 * MINUTE),
        (T0 + 5 * MINUTE, T0 + 9 * MINUTE),
    ]
    assert db.session.query(ModeChange).filter_by(camera_id=camera.id, ended_ms=None).count() == 1
    assert len(days(camera)) == 1


def test_continuous_recording_has_one_row_a_site_local_day_also_for_missed_days() -> None:
    settings.save(time_zone="Europe/Berlin")
    start = day_bounds_ms(date(2026, 10, 24), BERLIN)[0] + 5 * 3_600_000
    camera = make_camera(RecordingMode.MANUAL, since_ms=0)
    recordings.set_mode(camera, RecordingMode.CONTINUOUS, None, at_ms=start)
    assert recordings.roll_days(at_ms=start + MINUTE) == 0
    later = day_bounds_ms(date(2026, 10, 26), BERLIN)[0] + 1
    assert recordings.roll_days(at_ms=later) == 1
    assert recordings.roll_days(at_ms=later) == 0
    bounds = [day_bounds_ms(date(2026, 10, number), BERLIN) for number in (24, 25, 26)]
    assert days(camera) == [
        (date(2026, 10, 24), start, bounds[0][1]),
        (date(2026, 10, 25), *bounds[1]),
        (date(2026, 10, 26), bounds[2][0], None),
    ]
    assert bounds[1][1] - bounds[1][0] == DAY_MS + 3_600_000  # the day on which the clocks go back


def test_leaving_continuous_recording_ends_the_row_of_the_day_and_coming_back_reopens_it() -> None:
    camera = make_camera(RecordingMode.MANUAL)
    recordings.set_mode(camera, RecordingMode.CONTINUOUS, None, at_ms=T0)
    recordings.set_mode(camera, RecordingMode.MANUAL, None, at_ms=T0 + MINUTE)
    assert days(camera)[0][1:] == (T0, T0 + MINUTE)
    recordings.set_mode(camera, RecordingMode.CONTINUOUS, None, at_ms=T0 + 2 * MINUTE)
    assert days(camera)[0][1:] == (T0, None)


def test_the_newest_recordings_come_first() -> None:
    camera = filmed()
    first = recordings.start(camera, None, at_ms=T0 + 3 * MINUTE)
    recordings.stop(camera, None, at_ms=T0 + 4 * MINUTE)
    second = recordings.start(camera, None, at_ms=T0 + 5 * MINUTE)
    found = recordings.list_recordings(camera_id=camera.id)
    assert [recording.id for recording in found] == [second.id, first.id]


def test_a_start_looks_at_the_disk_before_it_holds_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = filmed()
    camera.main.run_key = f"{camera.main.id}-{T0 // 1000}-0001"
    db.session.commit()
    held = []

    def scan(*_arguments: object, **_options: object) -> list[object]:
        options = db.session.connection().get_execution_options()
        held.append(bool(options.get("writing")))
        return []

    monkeypatch.setattr("cctv.services.footage.open_files.scan", scan)
    recordings.start(camera, None, at_ms=T0 + 3 * MINUTE)
    assert held == [False], "a disk that hangs would hold every other writer"
