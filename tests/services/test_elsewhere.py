"""The live edge of a camera that another machine captures: what it writes now is no gap, what it lost is."""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, Stream, StreamState
from cctv.services.camera import lease
from cctv.services.footage import elsewhere, gaps, segments, timeline
from cctv.services.site import nodes
from cctv.storage import paths
from tests.services.footage import MINUTE, add_state, closed, index_spans, make_camera, make_node, run_of

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]


def captured_there(since_ms: int) -> Camera:
    """A camera of another machine, with its first minute of this run in the index; live ever since."""
    camera, there = make_camera(since_ms=since_ms), make_node()
    run = index_spans(camera, [(since_ms, since_ms + MINUTE)], epoch_ms=since_ms, node=there)
    add_state(camera, StreamState.LIVE, since_ms, None)
    stream = camera.main
    stream.owner_node_id, stream.run_key, stream.state = there.id, run.run, StreamState.LIVE
    stream.renewed_ms = lease.now()
    db.session.commit()
    return camera


def change(camera: Camera, **values: object) -> None:
    db.session.query(Stream).filter_by(id=camera.main.id).update(values)
    db.session.commit()


def lane(camera: Camera, since_ms: int) -> timeline.Lane:
    return timeline.lanes([camera.id], since_ms, now_ms() + MINUTE)[0]


def test_what_is_being_written_there_is_no_gap_and_is_told_of() -> None:
    since_ms = now_ms() - MINUTE - 40_000
    camera = captured_there(since_ms)
    assert lane(camera, since_ms).gaps == []
    assert lane(camera, since_ms).recorded == [(since_ms, since_ms + MINUTE)], "it cannot be played yet"
    assert gaps.open_gap(camera.id) is None
    location = timeline.locate(camera.id, now_ms() - 20_000)
    assert not location.is_recorded
    assert location.sentence == "recorded on node nn - to be seen here within two minutes"
    assert timeline.locate(camera.id, since_ms + 1_000).is_recorded


def test_the_first_minute_of_a_run_has_no_row_yet() -> None:
    since_ms = now_ms() - 30_000
    camera, there = make_camera(since_ms=since_ms), make_node()
    key = paths.new_run_key(camera.main.id, since_ms // 1000)
    change(camera, owner_node_id=there.id, run_key=key, state=StreamState.LIVE, renewed_ms=lease.now())
    assert lane(camera, since_ms).gaps == []


@pytest.mark.parametrize(
    "fault",
    [{"renewed_ms": 1}, {"state": StreamState.OFFLINE}, {"run_key": None}],
    ids=["silent", "off", "none"],
)
def test_a_capture_that_does_not_live_leaves_a_gap(fault: dict[str, object]) -> None:
    since_ms = now_ms() - MINUTE - 40_000
    camera = captured_there(since_ms)
    change(camera, **fault)
    (gap,) = lane(camera, since_ms).gaps
    assert gap.started_ms == since_ms + MINUTE


def test_a_row_that_does_not_come_is_missed() -> None:
    since_ms = now_ms() - MINUTE - elsewhere.ROW_WITHIN_MS - 5_000
    camera = captured_there(since_ms)
    assert lane(camera, since_ms).gaps != []


def test_a_hole_between_its_files_is_a_gap_all_the_same() -> None:
    since_ms = now_ms() - 3 * MINUTE
    camera = captured_there(since_ms)
    there = make_node()
    run = run_of(camera, epoch_ms=since_ms, node=there)
    segments.index([closed(run, 1, since_ms + 2 * MINUTE, now_ms() - 20_000)])
    (gap,) = lane(camera, since_ms).gaps
    assert (gap.started_ms, gap.ended_ms) == (since_ms + MINUTE, since_ms + 2 * MINUTE)


def test_a_camera_of_this_machine_is_read_from_its_file(app: Flask) -> None:
    since_ms = now_ms() - MINUTE - 40_000
    camera = captured_there(since_ms)
    change(camera, owner_node_id=nodes.this_node().id)
    assert elsewhere.growing([camera.id]) == {}
    assert lane(camera, since_ms).gaps != []
