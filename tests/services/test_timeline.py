"""The timeline: lanes of several cameras with gaps that explain themselves, days, and where a time leads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import event

from cctv.extensions import db
from cctv.models import Recording, RecordingMode, StreamState
from cctv.services.footage import timeline
from cctv.services.recording import recordings
from cctv.services.site import settings
from scripts.benchmark import rows
from tests.services.footage import MINUTE, T0, add_state, index_spans, make_camera

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]

HOUR = 60 * MINUTE


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_a_lane_shows_footage_gaps_with_their_reason_and_what_people_started() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + 3 * MINUTE, T0 + 4 * MINUTE)])
    add_state(camera, StreamState.OFFLINE, T0 + MINUTE, T0 + 3 * MINUTE, cause="noroute")
    recording = recordings.start(camera, None, pre_roll_seconds=30, at_ms=T0 + 4 * MINUTE)
    recording.locked_by = "Olive Owner"
    recordings.stop(camera, None, at_ms=T0 + 4 * MINUTE + 5_000)
    (lane,) = timeline.lanes([camera.id], T0 - HOUR, T0 + HOUR, at_ms=T0 + 4 * MINUTE)
    assert lane.recorded == [(T0, T0 + MINUTE), (T0 + 3 * MINUTE, T0 + 4 * MINUTE)]
    assert [(gap.started_ms, gap.ended_ms, gap.cause) for gap in lane.gaps] == [
        (T0 + MINUTE, T0 + 3 * MINUTE, "noroute")
    ]
    assert lane.gaps[0].sentence == "camera offline - does not answer"
    assert lane.manual == [(T0 + 4 * MINUTE - 30_000, T0 + 4 * MINUTE)]
    assert lane.locked == lane.manual


def test_a_lane_shows_only_the_wanted_part_of_a_file() -> None:
    camera = make_camera(RecordingMode.MANUAL)
    index_spans(camera, [(T0, T0 + MINUTE)])
    db.session.add(
        Recording(camera_id=camera.id, kind="manual", started_ms=T0 + 10_000, ended_ms=T0 + 20_000)
    )
    db.session.commit()
    (lane,) = timeline.lanes([camera.id], T0, T0 + HOUR, at_ms=T0 + HOUR)
    assert lane.recorded == [(T0 + 10_000, T0 + 20_000)]
    assert lane.gaps == []


def test_pieces_finer_than_the_screen_are_drawn_as_one() -> None:
    camera = make_camera()
    index_spans(camera, [(T0 + n * 10_000, T0 + n * 10_000 + 9_000) for n in range(30)])
    (lane,) = timeline.lanes([camera.id], T0, T0 + 300_000, resolution_ms=20_000, at_ms=T0 + 300_000)
    assert lane.recorded == [(T0, T0 + 299_000)]
    assert len(lane.gaps) == 1


def test_the_number_of_queries_does_not_grow_with_days_or_cameras() -> None:
    end = T0 + 3 * 24 * HOUR
    ids = rows.fill(cameras=6, days=3, end_ms=end)
    db.session.rollback()
    counts = []
    for chosen, span in (([ids[0]], HOUR), (ids, 3 * 24 * HOUR)):
        with counted_queries() as statements:
            drawn = timeline.lanes(chosen, end - span, end, at_ms=end)
        counts.append(len(statements))
    assert counts[0] <= counts[1] <= 13
    assert len(drawn[0].recorded) == 12
    assert sum(len(lane.gaps) for lane in drawn) == 6 * 12
    assert {gap.cause for lane in drawn for gap in lane.gaps} == {"noroute"}


def test_days_with_footage_are_told_by_the_time_of_the_site() -> None:
    settings.save(time_zone="Pacific/Auckland")
    camera = make_camera(since_ms=0)
    noon = 1_791_072_000_000  # 2026-10-04 00:00 UTC, that afternoon in Auckland
    index_spans(camera, [(noon, noon + MINUTE), (noon + 12 * HOUR, noon + 12 * HOUR + MINUTE)])
    found = timeline.days_with_recordings([camera.id], "2026-10")
    assert found == [date(2026, 10, 4), date(2026, 10, 5)]
    assert timeline.days_with_recordings([camera.id], "2026-11") == []
    assert timeline.days_with_recordings([camera.id], "rubbish") == []
    start, end = timeline.day_bounds(date(2026, 9, 27))
    assert end - start == 23 * HOUR


def test_a_time_without_footage_leads_to_the_next_and_the_previous_with_the_reason() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + HOUR, T0 + HOUR + MINUTE)])
    add_state(camera, StreamState.REFUSED, T0 + MINUTE, T0 + HOUR, cause="auth")
    at_ms = T0 + 2 * HOUR
    found = timeline.locate(camera.id, T0 + 30 * MINUTE, at_ms=at_ms)
    assert (found.is_recorded, found.next_ms, found.previous_ms) == (False, T0 + HOUR, T0 + 50_000)
    assert found.sentence == "camera refused - wrong user name or password"
    assert timeline.locate(camera.id, T0 + 5_000, at_ms=at_ms).is_recorded
    later = timeline.locate(camera.id, T0 + 9 * HOUR, at_ms=at_ms)
    assert (later.next_ms, later.previous_ms) == (None, T0 + HOUR + 50_000)
    assert later.sentence == "this time has not come yet"
    early = timeline.locate(camera.id, T0 - HOUR, at_ms=at_ms)
    assert (early.next_ms, early.previous_ms) == (T0, None)
    assert early.sentence == "recording was off"
