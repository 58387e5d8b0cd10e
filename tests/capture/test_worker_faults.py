"""What happens to the captures when their worker, its database, its Redis or another node fails.

Each test has a node of its own; frames are counted by the numbers in the pictures.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select

from cctv.models import Node
from tests.cameras import steps_of
from tests.capture.rig import Cam, Rig
from tests.waiting import wait_until

FRAMES = 160  # in the loops of 16 s


def assert_nothing_is_lost(rig: Rig, cam: Cam) -> None:
    """One run, whose files touch, with every picture in them."""
    files = rig.segments(cam)
    assert len({file.run_id for file in files}) == 1
    assert all(later.started_ms == earlier.ended_ms for earlier, later in pairwise(files))
    assert set(steps_of(list(rig.pictures(cam)), FRAMES)) == {1}


def test_a_killed_worker_costs_nothing_because_the_next_one_adopts(rig: Rig) -> None:
    worker = rig.start()
    cams = [rig.add("t1", number) for number in (301, 302, 303)]
    rig.wait_live(*cams)
    pids = {cam: rig.pid(cam) for cam in cams}
    before = len(rig.wait_closed(cams[0]))
    worker.kill()
    time.sleep(6)  # files are closed while nobody looks
    fences = [rig.stream(cam).fence for cam in cams]
    began = time.monotonic()
    rig.start()
    for cam, fence in zip(cams, fences, strict=True):
        wait_until(lambda cam=cam, fence=fence: rig.stream(cam).fence > fence, 12, "the adoption")
    assert time.monotonic() - began < 12  # most of it is the start of Python
    for cam in cams:
        rig.wait_closed(cam, before + 3)
        assert rig.pid(cam) == pids[cam]
        assert_nothing_is_lost(rig, cam)
    assert len(rig.captures()) == 3


def test_a_hand_over_costs_nothing_and_keeps_the_streams_for_this_node(rig: Rig) -> None:
    worker = rig.start()
    cam = rig.add("t1", 304)
    rig.wait_live(cam)
    pid = rig.pid(cam)
    rig.wait_closed(cam)
    assert worker.stop(signal.SIGUSR1, timeout=10) == 0
    row = rig.stream(cam)
    assert row.reserved_until_ms > time.time() * 1000 + 20_000
    assert row.state == "live"
    rig.start()
    wait_until(lambda: rig.stream(cam).fence > row.fence, 12, "the adoption")
    rig.wait_closed(cam, 4)
    assert rig.pid(cam) == pid
    assert_nothing_is_lost(rig, cam)


def test_a_stop_ends_every_capture_and_gives_its_last_file_a_row(rig: Rig) -> None:
    worker = rig.start()
    cams = [rig.add("t1", number) for number in (305, 306)]
    rig.wait_live(*cams)
    time.sleep(2)
    began = time.time()
    worker.stop(timeout=10)
    assert time.time() - began < 5
    assert rig.captures() == []
    for cam in cams:
        row = rig.stream(cam)
        assert (row.state, row.cause, row.owner_worker) == ("offline", "worker_down", None)
        assert rig.segments(cam)[-1].ended_ms > began * 1000 - 1000
        assert rig.runs(cam)[-1].ended_cause == "worker_down"
    rig.start()
    rig.wait_live(*cams)
    wait_until(lambda: len(rig.runs(cams[0])) == 2, 15, "the next run's first file")
    gap = wait_until(lambda: rig.gaps(cams[0])[1:], 10, "the gap")[0]
    assert gap.cause == "worker_down"
    assert gap.ended_ms - gap.started_ms < 30_000  # how long the test took to start the next worker


def test_two_workers_never_capture_a_camera_twice(rig: Rig) -> None:
    first = rig.start()
    cams = [rig.add("t1", number) for number in range(307, 311)]
    rig.wait_live(*cams)
    second = rig.start()
    try:
        time.sleep(4)
        assert len(rig.captures()) == len(cams)
        owners = {rig.stream(cam).owner_worker for cam in cams}
        assert len(owners) == 1
        assert len(rig.runs(cams[0])) <= 1
        # The rows of a killed worker are taken by the one that lives, with its processes.
        pids = {rig.pid(cam) for cam in cams}
        first.kill()
        wait_until(lambda: not owners & {rig.stream(cam).owner_worker for cam in cams}, 10, "the adoption")
        assert {rig.pid(cam) for cam in cams} == pids
    finally:
        second.close()


def test_another_node_takes_over_after_the_lease_and_the_old_one_lets_go(rig: Rig, tmp_path: Path) -> None:
    worker = rig.start()
    cam = rig.add("t1", 311)
    rig.wait_live(cam)
    fence = rig.stream(cam).fence
    worker.kill()  # its ffmpeg goes on, as on a machine that only lost its network
    killed_at = time.monotonic()
    folder = tmp_path / "other"
    folder.mkdir()
    other = Rig(replace(rig.config, data_dir=folder, media_dir=folder / "media"), rig.farm)
    try:
        other.start()
        wait_until(lambda: rig.stream(cam).fence > fence, 25, "the takeover")
        assert 10 < time.monotonic() - killed_at < 20
        rig.wait_live(cam)
        assert len(rig.captures()) == len(other.captures()) == 1
        rig.start()
        wait_until(lambda: not rig.captures(), 15, "the old node to end its capture")
        assert len(other.captures()) == 1
        assert ("offline", "worker_down") in rig.history(cam)
    finally:
        other.close()


def test_a_node_whose_clock_is_wrong_takes_over_when_the_lease_ends_and_not_before(
    postgres_rig: Rig, tmp_path: Path
) -> None:
    rig = postgres_rig
    worker = rig.start()
    cam = rig.add("t1", 330)
    rig.wait_live(cam)
    before = rig.stream(cam)
    others = []
    for name, ahead_s in (("ahead", 600.0), ("behind", -600.0)):
        folder = tmp_path / name
        folder.mkdir()
        others.append(Rig(replace(rig.config, data_dir=folder, media_dir=folder / "media"), rig.farm))
        others[-1].start(clock_ahead_s=ahead_s)
    ahead, behind = others
    try:
        wait_until(lambda: len(nodes_of(rig)) == 3, 15, "the other workers' first sign of life")
        time.sleep(3)  # six looks of each
        assert rig.stream(cam).fence == before.fence
        ahead.close()  # the one that must take over thinks that the lease still runs for ten minutes
        worker.kill()
        killed_at = time.monotonic()
        wait_until(lambda: rig.stream(cam).fence > before.fence, 25, "the takeover")
        assert 10 < time.monotonic() - killed_at < 20
        wait_until(lambda: behind.captures(), 10, "its capture")
    finally:
        for other in others:
            other.close()


def nodes_of(rig: Rig) -> list[int]:
    """The signs of life of all nodes that gave any."""
    with rig.rows() as session:
        return [seen_ms for seen_ms in session.scalars(select(Node.seen_ms)) if seen_ms]


def test_captures_do_not_need_redis(rig: Rig) -> None:
    worker = rig.start()
    cam = rig.add("t1", 312)
    rig.wait_live(cam)
    pid = rig.pid(cam)
    rig.redis.kill()
    other = rig.add("t1", 313)  # nobody can deliver its job: the worker claims it by itself
    rig.wait_live(other)
    rig.redis.start()
    rig.redis.client().flushall()
    ids = {f"capture_{each.stream_id}" for each in (cam, other)}
    wait_until(lambda: jobs_shown(rig) == ids, 25, "both captures to be shown as jobs again")
    rig.redis.freeze()
    third = rig.add("t1", 314)
    rig.wait_live(third)
    rig.redis.thaw()
    assert rig.pid(cam) == pid
    assert_nothing_is_lost(rig, cam)
    worker.stop(timeout=10)


def jobs_shown(rig: Rig) -> set[str]:
    """What RQ's dashboard lists as started."""
    from rq.registry import StartedJobRegistry

    from cctv import queue

    with rig.app.app_context():
        registry = StartedJobRegistry(queue=queue.queue(queue.CAPTURE))
        return set(registry.get_job_ids(cleanup=False))


def test_captures_go_on_without_the_database_and_are_indexed_once_afterwards(postgres_rig: Rig) -> None:
    rig = postgres_rig
    rig.start()
    cam = rig.add("t1", 315)
    rig.wait_live(cam)
    rig.wait_closed(cam)
    first = rig.pid(cam)
    rig.postgres.kill()
    time.sleep(6)
    os.kill(first, signal.SIGKILL)
    second = rig.pid(cam, other_than=first)  # it is even started again
    time.sleep(6)
    rig.postgres.start()
    files = rig.wait_closed(cam, 4)
    wait_until(lambda: len(rig.runs(cam)) == 2, 15, "the second run")
    assert rig.pid(cam) == second
    assert len({(file.run_id, file.number) for file in files}) == len(files)
    wait_until(lambda: ("offline", "killed") in rig.history(cam), 5, "what happened meanwhile")
    assert rig.stream(cam).state == "live"


def test_a_worker_that_starts_without_a_database_adopts_what_runs(postgres_rig: Rig) -> None:
    rig = postgres_rig
    worker = rig.start()
    cam = rig.add("t1", 316)
    rig.wait_live(cam)
    pid = rig.pid(cam)
    rig.wait_closed(cam)
    rig.postgres.kill()
    worker.kill()
    worker = rig.start()
    wait_until(lambda: "goes on in run" in worker.log.read_text(), 15, "the adoption")
    time.sleep(5)
    rig.postgres.start()
    wait_until(lambda: rig.stream(cam).fence == 2, 10, "the claim")
    rig.wait_closed(cam, 4)
    assert rig.pid(cam) == pid
    assert rig.stream(cam).state == "live"
    assert_nothing_is_lost(rig, cam)


def test_a_locked_database_holds_up_nothing_but_the_index(rig: Rig) -> None:
    rig.start()
    cam = rig.add("t1", 320)
    rig.wait_live(cam)
    rig.wait_closed(cam)
    pid = rig.pid(cam)
    with closing(sqlite3.connect(rig.config.data_dir / "cctv.db", isolation_level=None)) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        time.sleep(8)
        locker.execute("ROLLBACK")
    rig.wait_closed(cam, 4)
    assert rig.pid(cam) == pid
    assert_nothing_is_lost(rig, cam)


def test_a_changed_address_is_captured_at_once_and_a_switched_off_camera_is_not(rig: Rig) -> None:
    from cctv.extensions import begin_writing
    from cctv.models import Stream

    rig.start()
    cam = rig.add("t1", 317)
    rig.wait_live(cam)
    with rig.rows() as session:
        begin_writing()
        stream = session.get_one(Stream, cam.stream_id)
        stream.url, stream.revision = rig.farm.url("t1w", 317), stream.revision + 1
        session.commit()
    wait_until(lambda: rig.stream(cam).width == 480, 10, "the new picture")
    rig.disable(cam)
    rig.wait_state(cam, "off", "disabled", timeout=5)
    assert rig.captures() == []


def test_the_disk_being_absent_stops_writing_until_it_is_back(rig: Rig) -> None:
    rig.start()
    cam = rig.add("t1", 318)
    rig.wait_live(cam)
    marker = rig.config.media_dir / ".cctv-volume"
    text = marker.read_text()
    marker.unlink()
    os.kill(rig.pid(cam), signal.SIGKILL)
    rig.wait_state(cam, "storage", "volume_missing")
    assert rig.captures() == []
    marker.write_text(text)
    rig.wait_live(cam)


def test_an_on_demand_stream_is_made_only_while_somebody_watches(rig: Rig) -> None:
    from cctv.models import Stream, StreamKind
    from cctv.services.camera import captures

    rig.start()
    cam = rig.add("t1", 319)
    rig.wait_live(cam)
    with rig.rows() as session:
        derived = session.query(Stream).filter_by(camera_id=cam.camera_id, kind=StreamKind.P360).one().id
    small = replace(cam, stream_id=derived)
    with rig.rows():
        assert captures.start_on_demand(derived)
    rig.wait_live(small, timeout=10)
    assert len(rig.captures(cam)) == 2
    files = rig.wait_closed(small, 1)
    assert abs(files[0].started_ms - time.time() * 1000) < 15_000
    with rig.app.app_context():
        from cctv import queue

        queue.redis_connection().delete(captures.watch_key(derived))
    rig.wait_state(small, "off", timeout=10)
    assert len(rig.captures(cam)) == 1


def test_a_full_disk_is_told_and_recording_goes_on_when_there_is_room(rig: Rig) -> None:
    media = rig.config.media_dir
    media.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "footage", str(media)], check=True)
    try:
        rig.start()
        cam = rig.add("t1", 321)
        rig.wait_live(cam)
        rig.wait_closed(cam)
        (media / "foreign").touch()
        with (media / "foreign").open("wb") as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        rig.wait_state(cam, "storage", "disk_full", timeout=15)
        assert rig.captures() == []
        (media / "foreign").unlink()
        began = time.monotonic()
        rig.wait_live(cam)
        assert time.monotonic() - began < 10
        files = rig.wait_closed(cam, 3)
        assert all(rig.path(cam, file).stat().st_size >= file.size_bytes for file in files)
        wait_until(lambda: "disk_full" in {gap.cause for gap in rig.gaps(cam)}, 10, "the gap")
    finally:
        rig.close()
        subprocess.run(["umount", "-l", str(media)], check=True)


def test_a_hung_disk_is_told_and_nothing_else_hangs(rig: Rig) -> None:
    """A frozen file system holds every write until it is thawed, as a dead network disk does."""
    media = rig.config.media_dir
    media.mkdir()
    image = rig.config.data_dir / "footage.img"
    image.write_bytes(b"")
    os.truncate(image, 128 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(media)], check=True)
    try:
        rig.start()
        cam = rig.add("t1", 322)
        rig.wait_live(cam)
        rig.wait_closed(cam)
        thaw = ["fsfreeze", "--unfreeze", str(media)]
        # However this test ends, nobody is left waiting for that disk.
        thawer = subprocess.Popen(["sh", "-c", 'sleep 60; exec "$@"', "sh", *thaw], stderr=subprocess.DEVNULL)
        subprocess.run(["fsfreeze", "--freeze", str(media)], check=True)
        try:
            rig.wait_state(cam, "storage", "disk_hung", timeout=30)
            renewed = rig.stream(cam).renewed_ms
            wait_until(lambda: rig.stream(cam).renewed_ms > renewed, 10, "the row to be renewed")
            assert len(rig.captures(cam)) <= 1
        finally:
            subprocess.run(thaw, check=True)
            thawer.kill()
            thawer.wait()
        rig.wait_live(cam)
    finally:
        rig.close()
        subprocess.run(["umount", "-l", str(media)], check=True)
