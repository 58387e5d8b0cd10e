"""The index: a row a file, kept when wanted, found in order; what nobody wants leaves the ring."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from cctv.extensions import db
from cctv.models import Camera, Recording, RecordingMode, Run, Segment, SegmentState
from cctv.services.footage import open_files, segments
from cctv.services.recording import recordings
from cctv.storage import disk, paths
from tests.media.loops import EPOCH_S
from tests.services.footage import (
    MINUTE,
    T0,
    closed,
    closed_files,
    index_spans,
    make_camera,
    make_node,
    put_real_run,
    run_of,
)

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]


def states(camera: Camera) -> list[str]:
    rows = db.session.query(Segment).filter_by(stream_id=camera.main.id).order_by(Segment.number)
    return [row.state for row in rows]


def minutes(*numbers: int) -> list[tuple[int, int]]:
    return [(T0 + number * MINUTE, T0 + (number + 1) * MINUTE) for number in numbers]


def test_a_wanted_file_is_kept_and_another_stays_in_the_ring() -> None:
    always, never = make_camera(), make_camera(RecordingMode.MANUAL, number=2)
    index_spans(always, minutes(0))
    index_spans(never, minutes(0))
    assert states(always) == [SegmentState.KEPT]
    assert states(never) == [SegmentState.RING]


def test_indexing_the_same_files_again_changes_nothing() -> None:
    camera = make_camera()
    files = [closed(run_of(camera), number, *span) for number, span in enumerate(minutes(0, 1, 2))]
    assert segments.index(files) == 3
    assert segments.index(files) == 0
    assert segments.index(files[1:]) == 0
    assert db.session.query(Segment).count() == 3
    assert db.session.query(Run).count() == 1


def test_a_file_that_was_read_too_early_learns_the_rest() -> None:
    camera, run = make_camera(), None
    run = run_of(camera)
    segments.index([closed(run, 0, T0, T0 + 30_000)])
    segments.index([closed(run, 0, T0, T0 + MINUTE)])
    segments.index([closed(run, 0, T0, T0 + 30_000)])
    (found,) = segments.find_segments(camera.id, T0, T0 + MINUTE)
    assert found.ended_ms == T0 + MINUTE


def test_files_of_a_stream_that_is_gone_are_left_out() -> None:
    camera = make_camera()
    run = run_of(camera)
    db.session.delete(camera)
    db.session.query(Segment).delete()
    db.session.execute(db.text("DELETE FROM mode_change"))
    db.session.commit()
    assert segments.index([closed(run, 0, T0, T0 + MINUTE)]) == 0


def test_segments_are_found_in_order_and_only_those_that_overlap() -> None:
    camera = make_camera()
    index_spans(camera, minutes(0, 1, 2, 3))
    found = segments.find_segments(camera.id, T0 + MINUTE, T0 + 3 * MINUTE)
    assert [entry.number for entry in found] == [1, 2]
    found = segments.find_segments(camera.id, T0 + MINUTE - 1, T0 + 3 * MINUTE + 1)
    assert [entry.number for entry in found] == [0, 1, 2, 3]


def test_where_two_nodes_recorded_the_higher_fence_is_shown_and_no_second_twice() -> None:
    camera = make_camera()
    old, new = make_node("a" * 32), make_node("b" * 32)
    index_spans(camera, [(T0, T0 + MINUTE), (T0 + MINUTE, T0 + 2 * MINUTE)], fence=1, node=old)
    index_spans(camera, [(T0 + 40_000, T0 + 70_000)], fence=2, node=new, ordinal=2, epoch_ms=T0 + 40_000)
    found = segments.find_segments(camera.id, T0, T0 + 2 * MINUTE)
    shown = [(entry.fence, entry.from_ms - T0, entry.to_ms - T0) for entry in found]
    assert shown == [(1, 0, 40_000), (2, 40_000, 70_000), (1, 70_000, 120_000)]


def test_files_nobody_wants_leave_the_ring_a_minute_after_their_end(app: Flask) -> None:
    camera, node = make_camera(RecordingMode.MANUAL, since_ms=0), make_node()
    directory = put_real_run(camera, node=node)
    files = closed_files(directory)
    segments.index(files)
    end = files[-1].segment.ended_ms
    assert segments.expire_ring(node.id, at_ms=files[0].segment.ended_ms + 60_000) == 0
    assert segments.expire_ring(node.id, at_ms=files[0].segment.ended_ms + 60_001) == 1
    assert [path.name for path in sorted(directory.glob("*.mp4"))] == ["00001.mp4", "00002.mp4"]
    assert segments.expire_ring(node.id, at_ms=end + 60_001) == 2
    assert db.session.query(Segment).count() == 0


def test_a_longer_pre_roll_makes_the_ring_deeper() -> None:
    camera, node = make_camera(RecordingMode.MANUAL, pre_roll_seconds=90), make_node()
    index_spans(camera, minutes(0))
    assert segments.expire_ring(node.id, at_ms=T0 + MINUTE + 61_000) == 0
    assert segments.expire_ring(node.id, at_ms=T0 + MINUTE + 90_001) == 1


def test_a_ring_file_that_somebody_wants_by_now_is_kept_instead() -> None:
    camera, node = make_camera(RecordingMode.MANUAL), make_node()
    index_spans(camera, minutes(0, 1))
    db.session.add(
        Recording(camera_id=camera.id, kind="manual", started_ms=T0 + 59_000, ended_ms=T0 + 59_500)
    )
    db.session.commit()
    assert segments.expire_ring(node.id, at_ms=T0 + 10 * MINUTE) == 1
    assert states(camera) == [SegmentState.KEPT]


def test_a_removal_cut_short_by_a_crash_is_finished() -> None:
    camera, node = make_camera(RecordingMode.MANUAL, since_ms=0), make_node()
    directory = put_real_run(camera, node=node)
    segments.index(closed_files(directory))
    rows = db.session.query(Segment).order_by(Segment.number).all()
    for row in rows[:2]:
        row.state = SegmentState.EXPIRING
    db.session.commit()
    (directory / "00000.mp4").unlink()  # the crash came between unlink and delete, and before the second
    assert segments.finish_expiring(node.id) == 2
    assert [path.name for path in directory.glob("*.mp4")] == ["00002.mp4"]
    assert segments.find_segments(camera.id, 0, 2**50, ring=True)[0].number == 2


def test_a_file_that_cannot_be_unlinked_keeps_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    camera, node = make_camera(RecordingMode.MANUAL, since_ms=0), make_node()
    directory = put_real_run(camera, node=node)
    files = closed_files(directory)
    segments.index(files)
    later = files[-1].segment.ended_ms + 10 * MINUTE

    def refuse(_path: Path) -> bool:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(disk, "unlink", refuse)
        assert segments.expire_ring(node.id, at_ms=later) == 0
    assert states(camera) == [SegmentState.EXPIRING] * 3
    assert segments.finish_expiring(node.id) == 3


def test_the_open_file_is_found_up_to_its_last_fragment_and_gives_way_to_its_row() -> None:
    camera, node = make_camera(since_ms=0), make_node()
    directory = put_real_run(camera, node=node, seconds=12)
    files = closed_files(directory)
    camera.main.run_key, camera.main.owner_node_id = files[0].run.run, node.id
    db.session.commit()
    segments.index(files[:2])
    content = (directory / "00002.mp4").read_bytes()
    (directory / "00002.mp4").write_bytes(content[: len(content) * 2 // 3])
    open_files.forget()

    found = segments.find_segments(camera.id, EPOCH_S * 1000, EPOCH_S * 1000 + 60_000)
    assert [(entry.number, entry.is_open) for entry in found] == [(0, False), (1, False), (2, True)]
    assert found[2].started_ms == found[1].ended_ms
    assert 1_000 <= found[2].ended_ms - found[2].started_ms < 4_000
    assert len(segments.find_segments(camera.id, EPOCH_S * 1000, 2**50, open_file=False)) == 2

    (directory / "00002.mp4").write_bytes(content)
    segments.index(files)
    found = segments.find_segments(camera.id, EPOCH_S * 1000, EPOCH_S * 1000 + 60_000)
    assert [(entry.number, entry.is_open) for entry in found] == [(0, False), (1, False), (2, False)]
    open_files.forget()


def test_the_open_files_of_a_disk_that_hangs_are_not_looked_at() -> None:
    camera, node = make_camera(since_ms=0), make_node()
    directory = put_real_run(camera, node=node)
    camera.main.run_key, camera.main.owner_node_id = directory.name, node.id
    db.session.commit()
    assert len(segments.find_segments(camera.id, EPOCH_S * 1000, 2**50)) == 3
    node.storage_state = "hung"
    db.session.commit()
    assert segments.find_segments(camera.id, EPOCH_S * 1000, 2**50) == []
    open_files.forget()


def test_hashes_are_filled_in_for_whole_files_only() -> None:
    camera, node = make_camera(since_ms=0), make_node()
    directory = put_real_run(camera, node=node)
    segments.index(closed_files(directory))
    with (directory / "00001.mp4").open("r+b") as file:
        file.truncate(1000)
    assert segments.hash_some(node.id, seconds=5) == 2
    assert segments.hash_some(node.id, seconds=5) == 0
    hashes = [row.sha256 for row in db.session.query(Segment).order_by(Segment.number)]
    assert hashes[1] is None
    assert len(hashes[0] or "") == 64


def test_starting_a_recording_keeps_the_ring_files_of_its_pre_roll() -> None:
    camera = make_camera(RecordingMode.MANUAL)
    index_spans(camera, minutes(0, 1, 2))
    recordings.start(camera, None, at_ms=T0 + 3 * MINUTE + 5_000)
    assert states(camera) == [SegmentState.RING, SegmentState.RING, SegmentState.KEPT]
    assert paths.is_run_key(run_of(camera).run)
