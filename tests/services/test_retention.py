"""Room on the disk: the ring goes first, then the oldest that nobody locked; told once, with gaps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from cctv import config
from cctv.clock import utcnow
from cctv.extensions import db
from cctv.models import Camera, Event, Gap, Node, Recording, RecordingMode, Segment, SegmentState
from cctv.services.footage import segments
from cctv.services.lifetime import eviction, retention
from cctv.services.site import nodes, settings
from cctv.storage import disk, paths
from cctv.storage.disk import Usage
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]

E0 = EPOCH_S * 1000
NOW = E0 + 86_400_000
MB = 1024**2


@pytest.fixture
def node() -> Node:
    return nodes.this_node()


@pytest.fixture(autouse=True)
def small_disk(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "NEARLY_FULL_BYTES", 1000)
    settings.save(spared_hours=0)  # what spares young footage has its own tests


def filmed(node: Node, mode: str = RecordingMode.CONTINUOUS, *, number: int = 1, shift_ms: int = 0) -> Camera:
    camera = make_camera(mode, since_ms=E0, number=number)
    segments.index(closed_files(put_real_run(camera, node=node, shift_ms=shift_ms)))
    return camera


def a_disk_of(total_bytes: int, *, foreign_bytes: int = 0) -> Callable[[Path], Usage]:
    """A disk with that much room, on which lies what truly lies in the folder."""

    def usage(folder: Path) -> Usage:
        used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Usage(total_bytes, max(0, total_bytes - used - foreign_bytes), 100_000)

    return usage


def stored() -> int:
    return sum(path.stat().st_size for path in config.current().media_dir.rglob("*.mp4"))


def left() -> list[tuple[int, int]]:
    rows = db.session.query(Segment.stream_id, Segment.number).order_by(Segment.started_ms, Segment.number)
    return [(row.stream_id, row.number) for row in rows]


def test_with_room_enough_nothing_goes(node: Node) -> None:
    filmed(node)
    assert retention.enforce_floor(node.id, usage=a_disk_of(100 * stored()), at_ms=NOW) == (0, 0, False)


def test_the_oldest_goes_first_until_there_is_room_and_leaves_a_gap_and_one_event(node: Node) -> None:
    camera = filmed(node)
    usage = a_disk_of(int(stored() * 1.05))
    done = retention.enforce_floor(node.id, usage=usage, at_ms=NOW)
    assert (done.files, done.is_stuck) == (1, False)
    assert left() == [(camera.main.id, 1), (camera.main.id, 2)]
    (gap,) = db.session.query(Gap).all()
    assert (gap.cause, gap.started_ms, gap.ended_ms) == ("deleted_rule", E0, E0 + 4_000)
    assert retention.enforce_floor(node.id, usage=usage, at_ms=NOW) == (0, 0, False)

    tighter = a_disk_of(int(stored() * 1.05))
    assert retention.enforce_floor(node.id, usage=tighter, at_ms=NOW + 1000).files == 1
    (gap,) = db.session.query(Gap).all()
    assert (gap.started_ms, gap.ended_ms) == (E0, E0 + 8_000)
    assert db.session.query(Event).filter_by(kind="deleted_early").count() == 1
    assert usage(config.current().media_dir).free_bytes > 0


def test_the_ring_goes_before_footage_that_somebody_wants(node: Node) -> None:
    wanted = filmed(node)
    ring = filmed(node, RecordingMode.MANUAL, number=2, shift_ms=60_000)
    retention.enforce_floor(node.id, usage=a_disk_of(int(stored() * 1.02)), at_ms=NOW)
    assert {row.state for row in db.session.query(Segment).filter_by(stream_id=wanted.main.id)} == {"kept"}
    assert db.session.query(Segment).filter_by(stream_id=ring.main.id).count() < 3
    assert db.session.query(Gap).count() == 0
    assert db.session.query(Event).count() == 0


def test_locked_footage_stays_and_the_shortage_is_told_once(node: Node) -> None:
    camera = filmed(node)
    db.session.add(
        Recording(
            camera_id=camera.id,
            kind="manual",
            started_ms=E0,
            ended_ms=E0 + 7_000,
            locked_by="Olive Owner",
        )
    )
    db.session.commit()
    usage = a_disk_of(stored(), foreign_bytes=stored())
    done = [retention.enforce_floor(node.id, usage=usage, at_ms=NOW).is_stuck for _ in range(3)]
    assert done == [False, True, True]
    assert left() == [(camera.main.id, 0), (camera.main.id, 1)]
    told = [event.text for event in db.session.query(Event).filter_by(kind="storage")]
    assert len([text for text in told if "nothing on it may be deleted" in text]) == 1


def test_the_floor_is_the_setting_or_two_hours_of_what_is_recorded(node: Node) -> None:
    filmed(node)
    room = Usage(1_000_000_000_000, 1, -1)
    at_ms = E0 + 60_000
    rate = retention.ingest_bytes_per_second(node.id, at_ms=at_ms)
    assert rate == pytest.approx(stored() / 600, rel=0.01)
    assert retention.floor_bytes(node.id, room, at_ms=at_ms) == 100_000_000_000
    settings.save(disk_limit_percent=80)
    assert retention.floor_bytes(node.id, room, at_ms=at_ms) == 200_000_000_000
    small = Usage(int(rate * 7200 * 3), 1, -1)
    assert retention.floor_bytes(node.id, small, at_ms=at_ms) == pytest.approx(rate * 7200, rel=0.01)


def test_running_out_of_inodes_makes_room_as_well(node: Node) -> None:
    filmed(node)
    done = retention.enforce_floor(node.id, usage=lambda _folder: Usage(10**12, 10**12, 3), at_ms=NOW)
    assert done.files == 3


def test_the_reserve_is_freed_first_on_a_full_disk_and_made_again_later(node: Node) -> None:
    filmed(node)
    folder = config.current().media_dir
    assert retention.keep_reserve(node.id, usage=lambda _folder: Usage(100 * MB, 90 * MB, -1))
    assert paths.reserve_path(folder).stat().st_size == 2 * MB
    assert not retention.keep_reserve(node.id, usage=lambda _folder: Usage(100 * MB, 90 * MB, -1))
    retention.enforce_floor(node.id, usage=a_disk_of(stored() + 2 * MB), at_ms=NOW)
    assert not paths.reserve_path(folder).exists()
    assert not retention.keep_reserve(node.id, usage=lambda _folder: Usage(100 * MB, 11 * MB, -1))
    assert not disk.drop_reserve(folder)


def test_the_footage_of_a_deleted_camera_goes_in_the_background(node: Node) -> None:
    camera, other = filmed(node), filmed(node, number=2)
    camera.deleted_at = utcnow()
    db.session.commit()
    retention.housekeep(node.id)
    assert {stream_id for stream_id, _number in left()} == {other.main.id}
    assert {row.state for row in db.session.query(Segment)} == {SegmentState.KEPT}


def test_locked_footage_of_a_deleted_camera_does_not_hold_up_the_rest(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "BATCH", 1)
    camera = filmed(node)
    first = db.session.query(Segment).order_by(Segment.number).first()
    assert first is not None
    db.session.add(
        Recording(
            camera_id=camera.id,
            kind="manual",
            started_ms=first.started_ms,
            ended_ms=first.ended_ms - 1,
            locked_by="Olive Owner",
        )
    )
    camera.deleted_at = utcnow()
    db.session.commit()
    stream_id = camera.main.id
    for _ in range(4):
        retention.remove_deleted_cameras(node.id)
    assert left() == [(stream_id, 0)]
