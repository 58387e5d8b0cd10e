"""Rows and files agree again after a lost index, a crash, a power cut, deletion by hand, an absent disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from cctv import config
from cctv.extensions import db
from cctv.models import (
    Camera,
    Event,
    Gap,
    Node,
    RecordingMode,
    Run,
    Segment,
    SegmentState,
    Stream,
    StreamKind,
)
from cctv.services.footage import losses, reconcile, segments, timeline
from cctv.services.site import nodes
from cctv.storage import disk, paths
from cctv.storage.runfile import read_run, update_run
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run

pytestmark = pytest.mark.usefixtures("context")

E0 = EPOCH_S * 1000
DAY = 86_400_000


@pytest.fixture
def node() -> Node:
    return nodes.this_node()


def filmed(node: Node, mode: str = RecordingMode.CONTINUOUS, *, number: int = 1) -> tuple[Camera, Path]:
    camera = make_camera(mode, since_ms=E0, number=number)
    directory = put_real_run(camera, node=node)
    segments.index(closed_files(directory))
    return camera, directory


def age(directory: Path, seconds: float) -> None:
    for path in [*directory.iterdir(), directory]:
        os.utime(path, (time.time() - seconds, time.time() - seconds))


def shown(camera: Camera) -> timeline.Lane:
    (lane,) = timeline.lanes([camera.id], E0 - DAY, E0 + DAY, at_ms=E0 + DAY)
    return lane


def facts_of_runs() -> list[tuple[str, int, str, str]]:
    runs = db.session.query(Run).order_by(Run.key)
    return [(run.key, run.ordinal, run.init_sha256, run.video_codec) for run in runs]


@pytest.mark.each_database
def test_a_lost_index_is_rebuilt_from_the_disk_with_the_same_timeline(node: Node) -> None:
    cameras = [filmed(node, number=number)[0] for number in (1, 2)]
    for camera in cameras:
        second = put_real_run(camera, ordinal=2, shift_ms=30_000, node=node)
        segments.index(closed_files(second))
    before = [shown(camera) for camera in cameras]
    facts = facts_of_runs()
    assert before[0].recorded == [(E0, E0 + 12_000), (E0 + 30_000, E0 + 42_000)]
    for table in (Segment, Run, Gap):
        db.session.query(table).delete()
    db.session.commit()

    report = reconcile.run(node)
    assert (report.recovered, report.lost) == (12, 0)
    assert "Recovered 12 segments (48 s)" in report.sentence
    assert [shown(camera) for camera in cameras] == before
    assert facts_of_runs() == facts
    assert reconcile.run(node).recovered == 0
    assert db.session.query(Event).filter_by(kind="recovered").count() == 1


def test_old_files_without_a_row_are_kept_and_young_ones_go_their_usual_way(node: Node) -> None:
    camera = make_camera(RecordingMode.MANUAL, since_ms=0)
    old = put_real_run(camera, node=node)
    young = put_real_run(camera, ordinal=2, shift_ms=60_000, node=node)
    age(young, 5)
    reconcile.run(node)
    rows = db.session.query(Segment.state, Run.key).join(Run, Run.id == Segment.run_id)
    assert set(rows) == {(SegmentState.KEPT, old.name), (SegmentState.RING, young.name)}


def test_a_run_file_that_is_lost_is_made_anew(node: Node) -> None:
    camera = make_camera(since_ms=0)
    directory = put_real_run(camera, node=node)
    paths.run_file(directory).unlink()
    assert reconcile.run(node).recovered == 3
    facts = read_run(directory)
    assert facts is not None
    assert (facts.stream_id, facts.epoch_ms, facts.width) == (camera.main.id, E0, 320)


def test_files_that_hold_nothing_are_removed_and_torn_ones_are_saved_up_to_their_last_fragment(
    node: Node,
) -> None:
    camera = make_camera(since_ms=0)
    directory = put_real_run(camera, node=node)
    content = (directory / "00001.mp4").read_bytes()
    (directory / "00001.mp4").write_bytes(content[: len(content) // 2] + bytes(4096))
    (directory / "00003.mp4").write_bytes(b"")
    (directory / "00004.mp4").write_bytes(content[:300])
    age(directory, 1000)
    report = reconcile.run(node)
    assert (report.recovered, report.removed_files) == (3, 2)
    found = segments.find_segments(camera.id, E0, E0 + 20_000)
    assert [entry.number for entry in found] == [0, 1, 2]
    assert 1_000 < found[1].ended_ms - found[1].started_ms < 4_000


def test_an_empty_file_that_was_opened_just_now_stays(node: Node) -> None:
    camera = make_camera(since_ms=0)
    directory = put_real_run(camera, node=node)
    (directory / "00003.mp4").write_bytes(b"")
    assert reconcile.run(node).removed_files == 0
    assert (directory / "00003.mp4").exists()


def test_the_file_that_a_living_capture_writes_is_left_alone(node: Node) -> None:
    camera = make_camera(since_ms=0)
    directory = put_real_run(camera, node=node)
    # A process whose command line names the run, as a capture's does.
    writer = subprocess.Popen(["/bin/sh", "-c", "sleep 60; :", f"{directory}/%05d.mp4"])
    try:
        started = int(Path(f"/proc/{writer.pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
        update_run(directory, pid=writer.pid, pid_started=started)
        assert reconcile.run(node).recovered == 2
    finally:
        writer.kill()
        writer.wait()
    assert reconcile.run(node).recovered == 1


@pytest.mark.each_database
def test_a_file_deleted_by_hand_is_reported_as_a_gap_and_not_served(node: Node) -> None:
    camera, directory = filmed(node)
    (directory / "00001.mp4").unlink()
    report = reconcile.run(node)
    assert (report.lost, report.lost_ms) == (1, 4_000)
    assert [entry.number for entry in segments.find_segments(camera.id, E0, E0 + 20_000)] == [0, 2]
    (gap,) = [gap for gap in shown(camera).gaps if gap.cause == "lost_file"]
    assert (gap.started_ms, gap.ended_ms) == (E0 + 4_000, E0 + 8_000)
    event = db.session.query(Event).filter_by(kind="storage").one()
    assert "00001.mp4" in event.text
    assert reconcile.run(node).lost == 0


def test_a_file_that_was_cut_keeps_what_is_left(node: Node) -> None:
    camera, directory = filmed(node)
    with (directory / "00001.mp4").open("r+b") as file:
        file.truncate((directory / "00001.mp4").stat().st_size // 2)
    report = reconcile.run(node)
    assert report.lost == 1
    assert 1_000 < report.lost_ms < 3_000
    found = segments.find_segments(camera.id, E0, E0 + 20_000)
    assert [entry.number for entry in found] == [0, 1, 2]
    assert sum(gap.ended_ms - gap.started_ms for gap in shown(camera).gaps if gap.cause == "lost_file") == (
        report.lost_ms
    )


def test_very_much_missing_at_once_keeps_the_index(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "BREAKER_LEAST", 3)
    camera, directory = filmed(node)
    shutil.move(directory, directory.with_name("away"))
    report = reconcile.run(node)
    assert report.is_tripped
    assert report.missing == 3
    assert db.session.query(Segment).count() == 3
    assert db.session.query(Event).filter_by(severity="bad").count() == 1
    shutil.move(directory.with_name("away"), directory)
    assert not reconcile.run(node).is_tripped
    assert len(segments.find_segments(camera.id, E0, E0 + 20_000)) == 3


def test_without_the_marker_of_the_volume_nothing_is_changed(node: Node) -> None:
    filmed(node)
    media_dir = config.current().media_dir
    disk.write_marker(media_dir, "the right one")
    (config.current().data_dir / "volume_id").write_text("the right one")
    assert not reconcile.run(node).is_tripped
    paths.marker_path(media_dir).unlink()
    for entry in media_dir.iterdir():
        shutil.rmtree(entry)
    report = reconcile.run(node)
    assert report.is_tripped
    assert not report.is_volume_there
    assert db.session.query(Segment).count() == 3


def test_half_done_removals_are_finished_and_empty_folders_go(node: Node) -> None:
    camera, directory = filmed(node, RecordingMode.MANUAL)
    db.session.query(Segment).update({"state": SegmentState.EXPIRING})
    db.session.commit()
    age(directory, 1000)
    report = reconcile.run(node)
    assert report.finished == 3
    age(directory, 1000)
    assert reconcile.run(node).removed_runs == 1
    assert not directory.exists()
    assert camera.id


def test_reading_again_finds_the_first_bad_file(node: Node) -> None:
    camera, directory = filmed(node)
    recording = timeline.Recording(camera_id=camera.id, kind="manual", started_ms=E0, ended_ms=E0 + 12_000)
    db.session.add(recording)
    db.session.commit()
    verdict = reconcile.verify(recording.id)
    assert verdict.is_good
    assert (verdict.files, verdict.unhashed) == (3, 3)
    segments.hash_some(node.id, seconds=5)
    assert reconcile.verify(recording.id).unhashed == 0
    with (directory / "00001.mp4").open("r+b") as file:
        file.seek(-20, 2)
        file.write(b"x")
    verdict = reconcile.verify(recording.id)
    assert not verdict.is_good
    assert verdict.first_bad == f"{directory.name}/00001.mp4: the file was changed"
    (directory / "00000.mp4").unlink()
    assert reconcile.verify(recording.id).first_bad.endswith("00000.mp4: the file is missing")
    assert reconcile.verify_interval(camera.id, 0, 1000).files == 0


def test_a_run_that_began_while_the_disk_was_looked_through_is_not_lost(node: Node) -> None:
    camera, _directory = filmed(node)
    assert losses.of_vanished_runs(node.id, set()) == []
    assert db.session.query(Segment).filter_by(stream_id=camera.main.id).count() == 3


def as_small_stream(directory: Path, camera: Camera) -> Stream:
    """Make a run of the camera's main stream one of its small stream, which is made here."""
    small = Stream(camera_id=camera.id, kind=StreamKind.SUB, url="rtsp://192.168.1.9/small")
    db.session.add(small)
    db.session.commit()
    key = f"{small.id}-{directory.name.partition('-')[2]}"
    target = directory.rename(directory.with_name(key))
    update_run(target.with_name(key), run=key, stream_id=small.id, kind="sub")
    return small


@pytest.mark.each_database
def test_files_of_a_small_stream_only_ever_pass_through_the_ring(node: Node) -> None:
    camera, main = filmed(node)
    small = as_small_stream(put_real_run(camera, ordinal=2, shift_ms=60_000, node=node), camera)
    report = reconcile.run(node)
    assert report.recovered == 0, "nobody misses them"
    rows = db.session.query(Segment).filter_by(stream_id=small.id)
    assert [row.state for row in rows] == [SegmentState.RING] * 3
    rows.update({"state": SegmentState.KEPT})  # as earlier versions left them
    db.session.commit()
    reconcile.run(node)
    segments.expire_ring(node.id)
    assert rows.count() == 0
    assert db.session.query(Segment).filter_by(stream_id=camera.main.id).count() == 3
    assert paths.list_segments(config.current().media_dir, camera.id, main.name) == [0, 1, 2]


@pytest.mark.each_database
def test_what_a_removed_small_stream_left_goes_and_no_footage_with_it(node: Node) -> None:
    camera, main = filmed(node)
    unknown = put_real_run(camera, ordinal=3, shift_ms=120_000, node=node)
    small = as_small_stream(put_real_run(camera, ordinal=2, shift_ms=60_000, node=node), camera)
    segments.index(
        closed_files(next(path for path in main.parent.iterdir() if path.name[0] == str(small.id)))
    )
    db.session.delete(small)
    db.session.commit()
    # A main stream that nobody knows (an older database was restored) is footage all the same.
    key = f"99-{unknown.name.partition('-')[2]}"
    unknown = unknown.rename(unknown.with_name(key))
    update_run(unknown, run=key, stream_id=99)
    report = reconcile.run(node)
    assert report.removed_files == 3
    assert {path.name for path in main.parent.iterdir()} == {main.name, unknown.name}
    for directory in (main, unknown):
        assert paths.list_segments(config.current().media_dir, camera.id, directory.name) == [0, 1, 2]
    assert db.session.query(Segment).count() == 3
