"""How long footage is kept by rule: days, bytes, what is held, what waits for its copy, and from when on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cctv import config
from cctv.clock import to_ms
from cctv.extensions import db
from cctv.models import (
    Camera,
    Event,
    Gap,
    Node,
    Recording,
    RecordingMode,
    Run,
    Segment,
    SegmentState,
    Transfer,
    TransferState,
)
from cctv.services.footage import reconcile, segments
from cctv.services.lifetime import retention, retention_rules
from cctv.services.site import nodes, settings
from cctv.storage import paths
from cctv.storage.disk import Usage
from tests.services.footage import closed, index_spans, make_camera, run_of

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]

DAY = 86_400_000
NOW = 1_795_354_200_000
MB = 1_000_000


@pytest.fixture
def node() -> Node:
    return nodes.this_node()


def filmed(node: Node, days: int, *, number: int = 1) -> Camera:
    """A camera with one minute of footage of each of the last days, the oldest first; each of 600.8 kB."""
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=NOW - days * DAY, number=number)
    starts = [NOW - age * DAY for age in range(days, 0, -1)]
    index_spans(camera, [(start, start + 60_000) for start in starts], epoch_ms=starts[0], node=node)  # type: ignore[arg-type]
    return camera


def left(camera: Camera) -> list[int]:
    """The numbers of the camera's files whose bytes are on this machine."""
    rows = db.session.query(Segment).filter_by(stream_id=camera.main.id, state=SegmentState.KEPT)
    return sorted(row.number for row in rows)


def copied(camera: Camera, number: int, state: str, node: Node) -> None:
    row = db.session.query(Segment).filter_by(stream_id=camera.main.id, number=number).one()
    db.session.add(
        Transfer(
            segment_id=row.id,
            camera_id=camera.id,
            node_id=node.id,
            ended_ms=row.ended_ms,
            bucket="footage",
            object_name=f"{camera.id}/{number}",
            size_bytes=row.size_bytes,
            state=state,
        )
    )
    db.session.commit()


def hold(camera: Camera, number: int, **facts: str) -> None:
    row = db.session.query(Segment).filter_by(stream_id=camera.main.id, number=number).one()
    db.session.add(
        Recording(
            camera_id=camera.id,
            kind="manual",
            started_ms=row.started_ms + 1000,
            ended_ms=row.started_ms + 2000,
            **facts,
        )
    )
    db.session.commit()


def test_without_a_rule_nothing_goes(node: Node) -> None:
    camera = filmed(node, 400)
    assert retention_rules.expire(node.id, at_ms=NOW) == 0
    assert len(left(camera)) == 400


def test_what_is_older_than_its_days_goes_and_leaves_a_gap_of_the_rule(node: Node) -> None:
    by_default, own, unlimited = filmed(node, 5), filmed(node, 5, number=2), filmed(node, 5, number=3)
    own.keep_days, unlimited.keep_days = 4, 0
    own.is_enabled = False  # turned off cameras are kept in order as well
    settings.save(keep_days=2)
    assert retention_rules.expire(node.id, at_ms=NOW + 1000) == 4
    assert (left(by_default), left(own), left(unlimited)) == ([3, 4], [1, 2, 3, 4], [0, 1, 2, 3, 4])
    assert {gap.cause for gap in db.session.query(Gap)} == {"deleted_rule"}
    assert db.session.query(Event).count() == 0


def test_bytes_of_a_camera_are_limited_and_evidence_does_not_count(node: Node) -> None:
    camera = filmed(node, 6)
    hold(camera, 1, locked_by="Olive Owner", locked_reason="Accident")
    camera.keep_bytes = 2 * MB  # three files of 600.8 kB
    db.session.commit()
    assert retention_rules.expire(node.id, at_ms=NOW) == 2
    assert left(camera) == [1, 3, 4, 5]
    assert retention_rules.expire(node.id, at_ms=NOW) == 0


def test_days_and_bytes_hold_together(node: Node) -> None:
    camera = filmed(node, 6)
    camera.keep_days, camera.keep_bytes = 4, 2 * MB
    db.session.commit()
    assert retention_rules.expire(node.id, at_ms=NOW + 1000) == 3
    assert left(camera) == [3, 4, 5]


def test_what_somebody_started_stays_on_wish(node: Node) -> None:
    camera = filmed(node, 4)
    hold(camera, 0)
    settings.save(keep_days=1, keeps_manual=True)
    retention_rules.expire(node.id, at_ms=NOW)
    assert left(camera) == [0, 3]
    settings.save(keeps_manual=False)
    retention_rules.expire(node.id, at_ms=NOW)
    assert left(camera) == [3]


def test_a_file_waits_for_its_copy_and_then_only_the_local_one_goes(node: Node) -> None:
    camera = filmed(node, 4)
    for number, state in enumerate((TransferState.VERIFIED, TransferState.UPLOADING, TransferState.FAILED)):
        copied(camera, number, state, node)
    settings.save(keep_days=1)
    retention_rules.expire(node.id, at_ms=NOW + 1000)
    assert left(camera) == [1, 2, 3]
    cloud = db.session.query(Segment).filter_by(state=SegmentState.CLOUD).one()
    assert cloud.number == 0
    assert not db.session.query(Transfer).filter_by(segment_id=cloud.id).one().is_local
    assert db.session.query(Gap).filter(Gap.started_ms < NOW - 3 * DAY).count() == 0


def test_stricter_rules_wait_for_their_moment(node: Node) -> None:
    camera = filmed(node, 4)
    settings.save(keep_days=1, rules_from_ms=NOW + 5000)
    assert retention_rules.expire(node.id, at_ms=NOW) == 0
    retention_rules.expire(node.id, at_ms=NOW + 5000)
    assert left(camera) == [3]


@pytest.mark.parametrize(
    ("at", "night"),
    [
        ("2026-11-22 14:00", "2026-11-23 03:00"),
        ("2026-11-22 02:59", "2026-11-22 03:00"),
        ("2026-03-28 14:00", "2026-03-29 03:00"),  # the clocks go forward in between
        ("2026-10-24 14:00", "2026-10-25 03:00"),
    ],
)
def test_tonight_is_three_o_clock_of_the_site(at: str, night: str) -> None:
    settings.save(time_zone="Europe/Berlin")
    zone = ZoneInfo("Europe/Berlin")
    moments = [to_ms(datetime.fromisoformat(text).replace(tzinfo=zone)) for text in (at, night)]
    assert retention_rules.tonight_ms(moments[0]) == moments[1]


def full(short_bytes: int) -> Callable[[Path], Usage]:
    return lambda _folder: Usage(10**12, 10**11 - short_bytes, -1)


def test_a_full_disk_takes_what_the_bucket_holds_first(node: Node) -> None:
    settings.save(spared_hours=0)
    camera = filmed(node, 4)
    copied(camera, 2, TransferState.VERIFIED, node)
    retention.enforce_floor(node.id, usage=full(1), at_ms=NOW)
    assert left(camera) == [0, 1, 3]
    assert db.session.query(Segment).filter_by(number=2).one().state == SegmentState.CLOUD
    retention.enforce_floor(node.id, usage=full(1), at_ms=NOW)
    assert left(camera) == [1, 3]


def test_a_file_of_a_released_row_that_a_crash_left_is_removed_and_the_row_stays(node: Node) -> None:
    camera = filmed(node, 2)
    copied(camera, 0, TransferState.VERIFIED, node)
    settings.save(keep_days=1)
    retention_rules.expire(node.id, at_ms=NOW)
    path = paths.segment_path(config.current().media_dir, camera.id, db.session.query(Run).one().key, 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"left behind")
    reconcile.run(node)
    assert not path.exists()
    assert db.session.query(Segment).filter_by(number=0).one().state == SegmentState.CLOUD


class TestYoungFootage:
    """Files that are not ours never take the room of the newest hours."""

    def test_it_stays_whatever_else_fills_the_disk_and_that_is_told(self, node: Node) -> None:
        camera = filmed(node, 4)
        settings.save(spared_hours=30)
        for _ in range(3):
            done = retention.enforce_floor(node.id, usage=full(10**11), at_ms=NOW)
        assert done.is_stuck
        assert left(camera) == [2, 3]
        told = db.session.query(Event).filter_by(kind="storage").one()
        assert "nothing on it may be deleted" in told.text
        assert "newest 30 hours" in told.text

    def test_nor_does_it_grow_old_while_nothing_is_recorded(self, node: Node) -> None:
        camera = filmed(node, 4)
        settings.save(spared_hours=30)
        retention.enforce_floor(node.id, usage=full(10**11), at_ms=NOW + 90 * DAY)
        assert left(camera) == [2, 3]

    def test_it_goes_as_fast_as_newer_footage_comes(self, node: Node) -> None:
        camera = filmed(node, 4)
        settings.save(spared_hours=1000)
        usage = full(10**9)
        assert retention.enforce_floor(node.id, usage=usage, at_ms=NOW).files == 0
        run = run_of(camera, epoch_ms=NOW, ordinal=2, node=node)
        segments.index([closed(run, n, NOW + n * 60_000, NOW + (n + 1) * 60_000) for n in range(2)])
        at_ms = NOW + 121_000
        assert retention.enforce_floor(node.id, usage=usage, at_ms=at_ms).files == 2
        assert retention.enforce_floor(node.id, usage=usage, at_ms=at_ms).files == 0

    def test_older_footage_that_goes_for_other_files_is_told(self, node: Node) -> None:
        filmed(node, 30)
        retention.enforce_floor(node.id, usage=lambda _folder: Usage(100 * MB, MB, -1), at_ms=NOW)
        told = db.session.query(Event).filter_by(kind="storage").one()
        assert told.text.startswith("Other files take the room of footage")


class TestEarlyDeletion:
    """What goes before its time is told once, in words."""

    def test_it_says_what_was_asked_for_and_what_the_disk_holds(self, node: Node) -> None:
        camera = filmed(node, 21)
        settings.save(keep_days=30)
        for minute in range(3):
            retention.enforce_floor(node.id, usage=full(1), at_ms=NOW + minute * 60_000)
        told = db.session.query(Event).filter_by(kind="deleted_early").one()
        assert told.severity == "warn"
        assert f"asked for 30 days, holds 21 days ({camera.name})" in told.text
        assert {gap.cause for gap in db.session.query(Gap)} == {"deleted_early"}

    def test_it_is_told_again_only_when_a_day_went_well_in_between(self, node: Node) -> None:
        filmed(node, 21)
        settings.save(keep_days=30)
        for hours in (0, 1, 20, 40):
            retention.enforce_floor(node.id, usage=full(1), at_ms=NOW + hours * 3_600_000)
        assert db.session.query(Event).filter_by(kind="deleted_early").count() == 1
        retention.enforce_floor(node.id, usage=full(1), at_ms=NOW + 70 * 3_600_000)
        assert db.session.query(Event).filter_by(kind="deleted_early").count() == 2

    def test_where_nothing_was_asked_for_it_is_only_noted(self, node: Node) -> None:
        filmed(node, 21)
        retention.enforce_floor(node.id, usage=full(1), at_ms=NOW)
        told = db.session.query(Event).filter_by(kind="deleted_early").one()
        assert told.severity == "note"
        assert {gap.cause for gap in db.session.query(Gap)} == {"deleted_rule"}
