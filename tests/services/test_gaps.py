"""Gaps: wanted minus covered, each with its cause; never overlapping, and gone when footage turns up."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cctv.extensions import db
from cctv.intervals import intersect, subtract, total_ms, union
from cctv.models import Camera, Gap, ModeChange, Recording, RecordingMode, Run, Segment, StreamState
from cctv.services.footage import gap_causes, gaps, segments
from cctv.services.recording import recordings
from cctv.services.site import nodes
from tests.services.footage import (
    MINUTE,
    T0,
    add_state,
    closed,
    index_spans,
    make_camera,
    run_of,
)

each_database = pytest.mark.each_database
pytestmark = pytest.mark.usefixtures("context")


def rows(camera: Camera) -> list[tuple[int, int, str]]:
    found = db.session.query(Gap).filter_by(camera_id=camera.id).order_by(Gap.started_ms)
    return [(row.started_ms - T0, row.ended_ms - T0, row.cause) for row in found]


def settle(camera: Camera, until_ms: int = T0 + 60 * MINUTE) -> int:
    return gaps.settle(camera.id, until_ms, since_ms=0)


@each_database
def test_a_hole_between_footage_becomes_one_row_with_the_cause_of_that_time() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + 3 * MINUTE, T0 + 4 * MINUTE)])
    add_state(camera, StreamState.LIVE, T0, T0 + MINUTE + 2_000)
    add_state(camera, StreamState.FROZEN, T0 + MINUTE + 2_000, T0 + MINUTE + 10_000, cause="stall")
    add_state(camera, StreamState.CONNECTING, T0 + MINUTE + 10_000, T0 + 3 * MINUTE, cause="starting")
    assert settle(camera) == 1
    assert rows(camera) == [(MINUTE, 3 * MINUTE, "stall")]
    assert settle(camera) == 0


@each_database
def test_a_hole_is_divided_where_the_cause_changes() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + 9 * MINUTE, T0 + 10 * MINUTE)])
    add_state(camera, StreamState.OFFLINE, T0 + MINUTE, T0 + 4 * MINUTE, cause="noroute")
    add_state(camera, StreamState.REFUSED, T0 + 4 * MINUTE, T0 + 9 * MINUTE, cause="auth")
    settle(camera)
    assert rows(camera) == [(MINUTE, 4 * MINUTE, "noroute"), (4 * MINUTE, 9 * MINUTE, "auth")]


@each_database
def test_a_gap_that_goes_on_is_computed_and_not_stored() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE)])
    add_state(camera, StreamState.OFFLINE, T0 + MINUTE, None, cause="noroute")
    camera.main.renewed_ms = T0 + 5 * MINUTE
    db.session.commit()
    assert settle(camera, T0 + 5 * MINUTE) == 0
    found = gaps.open_gap(camera.id, at_ms=T0 + 5 * MINUTE)
    assert found == (T0 + MINUTE, T0 + 5 * MINUTE, "noroute", "")
    assert gaps.open_gap(camera.id, at_ms=T0 + MINUTE + 2_000) is None
    assert gaps.list_gaps(camera.id, T0, T0 + 60 * MINUTE, at_ms=T0 + 5 * MINUTE) == [found]


@each_database
def test_time_nobody_wants_is_no_gap() -> None:
    camera = make_camera(RecordingMode.MANUAL)
    db.session.add(
        Recording(camera_id=camera.id, kind="manual", started_ms=T0 + MINUTE, ended_ms=T0 + 2 * MINUTE)
    )
    db.session.commit()
    assert settle(camera) == 1
    assert rows(camera) == [(MINUTE, 2 * MINUTE, "starting")]
    assert gaps.open_gap(camera.id, at_ms=T0 + 60 * MINUTE) is None


@each_database
def test_a_silent_live_stream_means_that_nobody_watched() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + 9 * MINUTE, T0 + 10 * MINUTE)])
    add_state(camera, StreamState.LIVE, T0, T0 + 9 * MINUTE)
    settle(camera)
    assert rows(camera) == [(MINUTE, 9 * MINUTE, "worker_down")]


@each_database
def test_a_machine_that_started_inside_the_hole_was_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gap_causes, "booted_ms", lambda: T0 + 8 * MINUTE)
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + 9 * MINUTE, T0 + 10 * MINUTE)])
    add_state(camera, StreamState.LIVE, T0, T0 + 9 * MINUTE)
    settle(camera)
    assert rows(camera) == [(MINUTE, 9 * MINUTE, "host_down")]


@each_database
def test_an_owner_that_fell_silent_explains_the_open_gap() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE)])
    add_state(camera, StreamState.LIVE, T0, None)
    this = nodes.this_node()
    camera.main.owner_node_id, camera.main.renewed_ms = this.id, T0 + MINUTE
    db.session.commit()
    found = gaps.open_gap(camera.id, at_ms=T0 + 3 * MINUTE)
    assert found is not None
    assert found.cause == "worker_down"
    this.key = "another machine, silent as well"
    db.session.commit()
    found = gaps.open_gap(camera.id, at_ms=T0 + 3 * MINUTE)
    assert found is not None
    assert found.cause == "host_down"


@each_database
def test_a_camera_that_was_turned_off_names_the_person() -> None:
    camera = make_camera()
    camera.switched_by = "Olive Owner"
    db.session.commit()
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + 9 * MINUTE, T0 + 10 * MINUTE)])
    add_state(camera, StreamState.OFF, T0 + MINUTE, T0 + 9 * MINUTE)
    settle(camera)
    (row,) = db.session.query(Gap).all()
    assert (row.cause, row.detail) == ("disabled", "Olive Owner")


@each_database
def test_a_quick_restart_is_explained_by_what_ended_the_run() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE)])
    db.session.query(Run).update({"ended_cause": "killed"})
    db.session.commit()
    index_spans(camera, [(T0 + MINUTE + 1_500, T0 + 2 * MINUTE)], ordinal=2, epoch_ms=T0 + 61_000)
    add_state(camera, StreamState.LIVE, T0, None)
    settle(camera)
    assert rows(camera) == [(MINUTE, MINUTE + 1_500, "killed")]


@each_database
def test_what_the_running_capture_has_no_rows_for_is_not_settled() -> None:
    camera = make_camera(RecordingMode.MANUAL)
    run = index_spans(camera, [(T0, T0 + MINUTE)])
    camera.main.run_key, camera.main.state = run.run, StreamState.LIVE
    db.session.add(
        Recording(camera_id=camera.id, kind="manual", started_ms=T0, ended_ms=T0 + MINUTE + 30_000)
    )
    db.session.commit()
    assert settle(camera, T0 + MINUTE + 50_000) == 0
    segments.index([closed(run, 1, T0 + MINUTE, T0 + 2 * MINUTE)])
    assert settle(camera, T0 + 3 * MINUTE) == 0


@each_database
def test_footage_that_is_indexed_late_takes_its_gap_away() -> None:
    camera = make_camera()
    run = index_spans(camera, [(T0, T0 + MINUTE)])
    segments.index([closed(run, 9, T0 + 9 * MINUTE, T0 + 10 * MINUTE)])
    settle(camera)
    assert rows(camera) == [(MINUTE, 9 * MINUTE, "unknown")]
    segments.index([closed(run, 4, T0 + 4 * MINUTE, T0 + 5 * MINUTE)])
    assert rows(camera) == [(MINUTE, 4 * MINUTE, "unknown"), (5 * MINUTE, 9 * MINUTE, "unknown")]
    late = [closed(run, n, T0 + n * MINUTE, T0 + (n + 1) * MINUTE) for n in (1, 2, 3, 5, 6, 7, 8)]
    segments.index(late)
    assert rows(camera) == []
    assert settle(camera) == 0


@each_database
def test_two_processes_that_settle_at_once_write_each_gap_once(app: Flask) -> None:
    cameras = [make_camera(number=number) for number in (1, 2, 3)]
    for camera in cameras:
        index_spans(camera, [(T0 + n * 2 * MINUTE, T0 + (n * 2 + 1) * MINUTE) for n in range(10)])
    ids = [camera.id for camera in cameras]
    db.session.commit()
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def work() -> None:
        with app.app_context():
            barrier.wait(5)
            try:
                for camera_id in ids:
                    gaps.settle(camera_id, T0 + 60 * MINUTE, since_ms=0)
            except BaseException as error:
                failures.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    for camera in cameras:
        assert [row[:2] for row in rows(camera)] == [
            ((n * 2 + 1) * MINUTE, (n * 2 + 2) * MINUTE) for n in range(9)
        ]


@each_database
def test_settling_all_finds_the_cameras_that_need_it() -> None:
    first, second = make_camera(), make_camera(number=2)
    index_spans(first, [(T0, T0 + MINUTE), (T0 + 3 * MINUTE, T0 + 4 * MINUTE)])
    index_spans(second, [(T0, T0 + MINUTE)])
    assert gaps.settle_all(at_ms=T0 + 5 * MINUTE) == 1
    assert gaps.settle_all(at_ms=T0 + 5 * MINUTE) == 0
    assert rows(first) == [(MINUTE, 3 * MINUTE, "unknown")]


def test_tiny_holes_between_files_are_no_gaps() -> None:
    camera = make_camera()
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + MINUTE + 60, T0 + 2 * MINUTE)])
    assert settle(camera) == 0


spans = st.lists(
    st.tuples(st.integers(0, 3_600), st.integers(1, 600)).map(
        lambda pair: (T0 + pair[0] * 1000, T0 + (pair[0] + pair[1]) * 1000)
    ),
    max_size=8,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(footage=spans, late=spans, wanted=spans, modes=spans)
def test_the_timeline_is_footage_plus_gaps_without_overlap_and_without_a_hole(
    footage: list[tuple[int, int]],
    late: list[tuple[int, int]],
    wanted: list[tuple[int, int]],
    modes: list[tuple[int, int]],
) -> None:
    camera = _fresh_camera()
    for start, end in modes:
        db.session.add(
            ModeChange(camera_id=camera.id, mode=RecordingMode.CONTINUOUS, started_ms=start, ended_ms=end)
        )
    for start, end in wanted:
        db.session.add(Recording(camera_id=camera.id, kind="manual", started_ms=start, ended_ms=end))
    db.session.commit()
    run, until = run_of(camera), T0 + 7200_000
    segments.index([closed(run, number, *span) for number, span in enumerate(footage)])
    settle(camera, T0 + 1800_000)
    settle(camera, until)
    segments.index([closed(run, 100 + number, *span) for number, span in enumerate(late)])
    settle(camera, until)

    all_wanted = recordings.wanted(camera.id, T0, until)
    assert all_wanted == union(modes, wanted)
    all_footage = union(footage, late)
    found = gaps.list_gaps(camera.id, T0, until, at_ms=until)
    shown = [(gap.started_ms, gap.ended_ms) for gap in found]
    stored = [(T0 + start, T0 + end) for start, end, _cause in rows(camera)]
    for group in (shown, stored):
        assert total_ms(group) == sum(end - start for start, end in group)  # no overlap
        assert intersect(group, all_footage) == []
        assert union(group) == subtract(all_wanted, all_footage)  # nothing wanted is unexplained
    recorded = intersect(all_wanted, all_footage)
    assert union(recorded, shown) == all_wanted


def _fresh_camera() -> Camera:
    for table in (Gap, Recording, ModeChange, Segment, Run):
        db.session.query(table).delete()
    db.session.commit()
    return db.session.query(Camera).first() or make_camera(RecordingMode.MANUAL)


def test_a_day_of_thousands_of_gaps_is_explained_in_a_moment() -> None:
    holes = [(at * 20_000, at * 20_000 + 9_000) for at in range(4_000)]
    rows = [gaps._Row(number, start, end, "noroute", "") for number, (start, end) in enumerate(holes)]
    began = time.process_time()
    shown = gaps._shown(rows, holes)
    assert time.process_time() - began < 1.0, "row by row through all of them took six seconds"
    assert [(gap.started_ms, gap.ended_ms) for gap in shown] == holes
