"""Looking for activity in real files: what moves is told once, however often and whenever one looks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import select, update

from cctv import config
from cctv.extensions import db
from cctv.media import tools
from cctv.models import Activity, Camera, Event, ModeChange, RecordingMode, Segment, Stream, StreamKind
from cctv.services.footage import segments, timeline
from cctv.services.movement import activity, activity_watch
from cctv.storage import paths, watch_memory
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, make_node, put_real_run
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("context")

START = EPOCH_S * 1000
# Bars that never change; a box crosses them from second 9 to second 15.
WALK = (
    "smptebars=size=320x240:rate=25[wall];color=c=white:size=24x60:rate=25[box];"
    "[wall][box]overlay=x=(t-9)*40:y=90:enable=between(t\\,9\\,15)"
)
STILL = "smptebars=size=320x240:rate=25:duration=60"
NOW = START + 60_000


@pytest.fixture
def camera() -> Camera:
    return make_camera(since_ms=START)


def put(camera: Camera, picture: str = WALK, *, seconds: int = 24) -> Path:
    """A run of real files, indexed."""
    directory = put_real_run(camera, node=make_node(), picture=picture, seconds=seconds)
    segments.index(closed_files(directory))
    return directory


def look(*, at_ms: int = NOW) -> int:
    return activity_watch.watch(make_node().id, at_ms=at_ms)


def found() -> list[tuple[int, int]]:
    """Episodes in seconds after the start."""
    rows = db.session.scalars(select(Activity).order_by(Activity.started_ms))
    return [((row.started_ms - START) // 1000, ((row.ended_ms or 0) - START) // 1000) for row in rows]


def test_what_moves_is_one_episode_with_its_times(camera: Camera) -> None:
    put(camera)
    assert activity.nodes_with_news(at_ms=NOW) == [make_node()]
    assert look() == 6
    assert activity.nodes_with_news(at_ms=NOW) == []
    ((start, end),) = found()
    assert 7 <= start <= 9
    assert 15 <= end <= 17
    row = db.session.scalars(select(Activity)).one()
    assert 0 < row.peak < 0.2
    assert row.started_ms <= (row.peak_ms or 0) <= (row.ended_ms or 0)
    db.session.refresh(camera)
    assert camera.activity_seen_ms == max(db.session.scalars(select(Segment.ended_ms)))
    assert look() == 0  # nothing is looked at twice


def test_where_nothing_moves_nothing_is_told(camera: Camera) -> None:
    put(camera, STILL)
    assert look() == 6
    assert found() == []


def test_a_look_goes_on_where_the_last_one_ended_also_in_the_middle_of_an_episode(camera: Camera) -> None:
    directory = put_real_run(camera, node=make_node(), picture=WALK, seconds=24)
    for file in closed_files(directory):
        segments.index([file])
        assert look() == 1
    ((start, end),) = found()
    assert 7 <= start <= 9
    assert 15 <= end <= 17


def test_a_look_that_is_killed_is_done_again_by_the_next_one(
    camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(camera)
    node_id = make_node().id
    child = os.fork()
    if not child:
        slow = tmp_path / "ffmpeg"
        slow.write_text("#!/bin/sh\nexec sleep 600\n")
        slow.chmod(0o755)
        monkeypatch.setattr(tools, "ffmpeg_path", lambda: str(slow))
        db.engine.dispose(close=False)
        activity_watch.watch(node_id, at_ms=NOW)
        os._exit(0)
    trying = config.current().data_dir / "activity" / f"{camera.id}.trying"
    wait_until(trying.exists, 20, "the look to begin with a file")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert look() == 6
    ((start, end),) = found()
    assert 7 <= start <= 9
    assert 15 <= end <= 17


def test_without_what_it_remembers_a_look_begins_some_pictures_earlier(camera: Camera) -> None:
    directory = put_real_run(camera, node=make_node(), picture=WALK, seconds=24)
    files = closed_files(directory)
    segments.index(files[:3])
    look()
    watch_memory.forget(config.current().data_dir, camera.id)
    segments.index(files[3:])
    look()
    ((start, end),) = found()
    assert 7 <= start <= 9
    assert 15 <= end <= 17


def test_a_file_that_is_gone_or_damaged_is_told_and_the_others_are_looked_at(camera: Camera) -> None:
    directory = put(camera)
    other = make_camera(since_ms=START, number=2)
    put(other)
    (directory / paths.segment_name(0)).unlink()
    damaged = directory / paths.segment_name(1)
    damaged.write_bytes(damaged.read_bytes()[:900] + os.urandom(20_000))
    look()
    assert len(found()) == 2
    db.session.refresh(camera)
    assert "damaged" in camera.activity_trouble or "cannot be read" in camera.activity_trouble
    db.session.refresh(other)
    assert other.activity_trouble == ""
    (event,) = db.session.scalars(select(Event).where(Event.kind == "activity"))
    assert event.camera_id == camera.id
    assert event.severity == "bad"


@pytest.mark.parametrize("program", ["#!/bin/sh\nexec sleep 600\n", "#!/bin/sh\necho no >&2\nexit 1\n"])
def test_a_decoder_that_hangs_or_fails_is_survived_and_told(
    camera: Camera, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(camera)
    broken = tmp_path / "ffmpeg"
    broken.write_text(program)
    broken.chmod(0o755)
    monkeypatch.setattr(tools, "ffmpeg_path", lambda: str(broken))
    monkeypatch.setattr(activity_watch, "DECODE_SECONDS", 0.5)
    assert look() == 6
    db.session.refresh(camera)
    assert "could not be decoded" in camera.activity_trouble
    monkeypatch.undo()
    later = put_real_run(camera, node=make_node(), picture=WALK, seconds=24, ordinal=2, shift_ms=30_000)
    segments.index(closed_files(later))
    look()
    db.session.refresh(camera)
    assert camera.activity_trouble == ""
    assert len(found()) == 1


def test_a_file_that_ends_the_process_is_left_out_the_third_time(camera: Camera) -> None:
    put(camera)
    first = db.session.scalars(select(Segment.id).order_by(Segment.started_ms)).first()
    assert first is not None
    for expected in (1, 2):  # as two looks that died leave it
        assert watch_memory.begin_try(config.current().data_dir, camera.id, first) == expected
    look()
    db.session.refresh(camera)
    assert "left out" in camera.activity_trouble
    assert camera.activity_seen_ms is not None


def test_only_one_look_runs_at_a_time(camera: Camera) -> None:
    put(camera)
    with activity_watch._alone() as is_alone:
        assert is_alone
        assert look() == 0
    assert look() == 6


def test_the_small_stream_is_looked_at_when_it_is_captured(camera: Camera) -> None:
    put(camera, STILL)
    camera.streams.append(Stream(kind=StreamKind.SUB, url="rtsp://192.168.1.9/sub", is_on_demand=True))
    db.session.commit()
    small = camera.stream("sub")
    assert small is not None
    db.session.execute(Segment.__table__.update().values(stream_id=camera.main.id))
    directory = put_real_run(camera, node=make_node(), picture=WALK, seconds=24, ordinal=9)
    files = [file._replace(run=_of_stream(file.run, small.id)) for file in closed_files(directory)]
    segments.index(files)
    look()
    assert len(found()) == 1  # the large one shows a still


def _of_stream(run: object, stream_id: int) -> object:
    from dataclasses import replace

    return replace(run, stream_id=stream_id, kind="sub")  # type: ignore[type-var]


def test_a_camera_that_is_not_watched_is_left_alone(camera: Camera) -> None:
    put(camera)
    camera.watches_activity = False
    db.session.commit()
    assert look() == 0


def test_zones_and_sensitivity_decide_what_counts(camera: Camera) -> None:
    put(camera)
    camera.zones = [{"name": "Sky", "points": [[0, 0], [1, 0], [1, 0.2], [0, 0.2]], "is_ignored": False}]
    db.session.commit()
    look()
    assert found() == []
    camera.zones = [
        {"name": "Way", "points": [[0, 0.3], [1, 0.3], [1, 0.9], [0, 0.9]], "is_ignored": False},
        {"name": "Door", "points": [[0, 0], [0.1, 0], [0.1, 0.1]], "is_ignored": True},
    ]
    camera.activity_seen_ms = None
    db.session.commit()
    look()
    assert db.session.scalars(select(Activity.zone)).all() == ["Way"]


def test_only_what_activity_wants_is_kept_with_the_seconds_before_and_after() -> None:
    camera = make_camera(RecordingMode.ACTIVITY, since_ms=START, pre_roll_seconds=2)
    db.session.execute(update(ModeChange).values(pre_roll_seconds=2, post_roll_seconds=10))
    db.session.commit()
    node_id = make_node().id
    put(camera)
    assert states() == ["ring"] * 6
    # Nobody looked yet: the ring is held, however late it is - but not for ever.
    assert segments.expire_ring(node_id, at_ms=START + 10 * 60_000) == 0
    look()
    # From about second 8 to 16, with 2 s before and 10 s after it, of files of 4 s.
    assert states() == ["ring", "kept", "kept", "kept", "kept", "kept"]
    camera.activity_seen_ms = START + 5 * 60_000
    db.session.commit()
    assert segments.expire_ring(node_id, at_ms=START + 10 * 60_000) == 1
    (lane,) = timeline.lanes([camera.id], START, START + 24_000, at_ms=START + 24_000)
    ((began, ended),) = lane.recorded
    (mark,) = lane.activity
    assert began == mark.started_ms - 2000
    assert ended > mark.ended_ms + 5000
    assert lane.gaps == []
    assert timeline.find_activity(camera.id, START, is_forward=True) == mark.started_ms
    assert timeline.find_activity(camera.id, START, is_forward=False) is None


def test_the_ring_does_not_wait_for_ever() -> None:
    camera = make_camera(RecordingMode.ACTIVITY, since_ms=START)
    put(camera, STILL)
    assert segments.expire_ring(make_node().id, at_ms=START + 3_500_000) == 0
    assert segments.expire_ring(make_node().id, at_ms=START + 2 * 3_600_000) == 6


def states() -> list[str]:
    return list(db.session.scalars(select(Segment.state).order_by(Segment.started_ms)))


def test_it_is_told_once_an_hour_that_nobody_looks(camera: Camera) -> None:
    camera.activity_seen_ms = START
    camera.main.state, camera.main.state_since_ms = "live", START
    db.session.commit()
    assert activity.tell_of_silence(at_ms=START + 300_000) == 0
    assert activity.tell_of_silence(at_ms=START + 700_000) == 1
    assert activity.tell_of_silence(at_ms=START + 710_000) == 1
    (event,) = db.session.scalars(select(Event))
    assert event.text.startswith("No activity is looked for on Camera 1")


def test_pictures_of_cameras_that_are_not_watched_any_more_are_forgotten(camera: Camera) -> None:
    put(camera)
    look()
    remembered = config.current().data_dir / "activity" / f"{camera.id}.npz"
    assert remembered.exists()
    camera.is_enabled = False
    db.session.commit()
    look()
    assert not remembered.exists()


def test_what_is_too_old_to_be_looked_at_is_said(camera: Camera) -> None:
    put(camera)
    look()
    later = put_real_run(
        camera, node=make_node(), picture=STILL, seconds=24, ordinal=2, shift_ms=8 * 3_600_000
    )
    camera.activity_seen_ms = START + 4_000
    db.session.commit()
    segments.index(closed_files(later))
    look(at_ms=START + 8 * 3_600_000 + 60_000)
    db.session.refresh(camera)
    assert "was not looked at in time" in camera.activity_trouble
