"""What people remove ends in seconds and leaves nothing behind; what they did not name stays (FAULTS 50)."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from cctv.models import Camera, Recording, Role, Stream, StreamKind
from cctv.services.camera import cameras, captures
from cctv.services.footage import reconcile
from cctv.services.person import users
from cctv.services.site import nodes
from cctv.storage import paths
from tests.capture.rig import Cam, Rig
from tests.waiting import wait_until

ENDS_WITHIN_S = 10


def folders(rig: Rig, cam: Cam) -> list[Path]:
    folder = paths.camera_dir(rig.config.media_dir, cam.camera_id)
    return [path for path in folder.iterdir() if any(path.glob("*.mp4"))] if folder.exists() else []


def test_a_removed_small_stream_ends_and_its_files_go(rig: Rig) -> None:
    rig.start()
    cam = rig.add("t1", 340, sub_url=rig.farm.url("t1", 341))
    rig.wait_live(cam)
    pid = rig.pid(cam)
    with rig.rows() as session:
        small = session.query(Stream.id).filter_by(camera_id=cam.camera_id, kind=StreamKind.SUB).scalar()

    def is_watched() -> bool:
        with rig.rows():
            captures.start_on_demand(small)
        return len(rig.captures(cam)) == 2 and len(folders(rig, cam)) == 2

    wait_until(is_watched, 20, "the small stream to be captured", every_seconds=1)
    rig.wait_closed(cam, 2)
    with rig.rows() as session:
        camera = session.get_one(Camera, cam.camera_id)
        form = replace(cameras.stored_form(camera), sub_url="")
        began = time.monotonic()
        cameras.update_camera(camera.id, form, None)
    wait_until(lambda: len(rig.captures(cam)) == 1, ENDS_WITHIN_S, "its ffmpeg to end")
    assert time.monotonic() - began < ENDS_WITHIN_S
    with rig.rows():
        reconcile.run(nodes.this_node())
    assert [path.name.partition("-")[0] for path in folders(rig, cam)] == [str(cam.stream_id)]
    assert rig.pid(cam) == pid
    files = rig.segments(cam)
    assert all(rig.path(cam, file).exists() for file in files)


def test_a_deleted_camera_ends_and_only_locked_footage_of_it_stays(rig: Rig) -> None:
    rig.start()
    cam, other = rig.add("t1", 342), rig.add("t1", 343)
    rig.wait_live(cam, other)
    first, *_ = rig.wait_closed(cam, 3, timeout=30)
    with rig.rows() as session:
        owner = users.create_user("Olive", "o@example.org", password="long enough!", role=Role.SUPER_ADMIN)
        lock = Recording(camera_id=cam.camera_id, kind="manual", locked_by="Olive")
        lock.started_ms, lock.ended_ms = first.started_ms, first.ended_ms - 1
        session.add(lock)
        session.commit()
        began = time.monotonic()
        cameras.delete_camera(session.get_one(Camera, cam.camera_id), owner, typed_name="t1 342")
    wait_until(lambda: not rig.captures(cam), ENDS_WITHIN_S, "its ffmpeg to end")
    assert time.monotonic() - began < ENDS_WITHIN_S
    wait_until(lambda: len(rig.segments(cam)) == 1, 40, "the footage to go")
    wait_until(lambda: sum(len(list(path.glob("*.mp4"))) for path in folders(rig, cam)) == 1, 10, "the files")
    (kept,) = rig.segments(cam)
    assert kept.started_ms == first.started_ms
    assert rig.path(cam, kept).exists()
    assert len(rig.captures(other)) == 1
