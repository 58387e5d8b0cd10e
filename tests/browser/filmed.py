"""A site with real footage: two cameras captured by a real worker, one with a hole, both still recorded.

The same pictures are there again two days earlier, in the index as files of a run of that time. Nothing here
knows the pages.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cctv.clock import now_ms
from cctv.extensions import db
from cctv.models import Camera, Recording, Role
from cctv.services.footage import segments
from cctv.services.person import users
from cctv.storage import paths
from cctv.storage.runfile import read_run, write_run
from tests.cameras import CameraFarm
from tests.capture.rig import Cam, Rig, open_rig
from tests.fixtures.application import OWNER_PASSWORD
from tests.fixtures.processes import LiveServer
from tests.servers import RedisServer
from tests.services.footage import closed_files
from tests.waiting import wait_until

PROFILE = "t1"
DAY_MS = 86_400_000
EARLIER_MS = 2 * DAY_MS
_FILMED_BEFORE_THE_HOLE_MS = 7_500
_HOLE_SECONDS = 6


@dataclass(frozen=True, slots=True)
class Filmed:
    """The site and where its footage lies, epoch milliseconds."""

    rig: Rig
    url: str
    gate: Cam  # with the hole
    yard: Cam  # without
    started_ms: int  # the first picture of the gate
    hole_ms: tuple[int, int]

    @property
    def earlier_ms(self) -> tuple[int, int]:
        """The footage of the gate two days earlier."""
        return self.started_ms - EARLIER_MS, self.hole_ms[0] - EARLIER_MS


@contextmanager
def film(farm: CameraFarm, folder: Path, database: Path) -> Iterator[Filmed]:
    """Start the site and film until there is footage on both sides of the hole."""
    redis = RedisServer()
    rig = open_rig(folder, database, redis.url, farm)
    server = LiveServer(rig.config)
    try:
        rig.start()
        gate, yard = _add(rig, "Gate", 1), _add(rig, "Yard", 2)
        with rig.rows():
            users.create_user(
                "Olive Owner", "owner@example.org", password=OWNER_PASSWORD, role=Role.SUPER_ADMIN
            )
        rig.wait_live(gate, yard)
        server.wait()
        started = now_ms()
        wait_until(lambda: now_ms() - started > _FILMED_BEFORE_THE_HOLE_MS, 20, "some footage")
        _break(rig, gate)
        rig.wait_state(gate, "offline", timeout=10)
        rig.wait_live(gate)
        before, after = wait_until(lambda: _sides(rig, gate), 20, "footage on both sides of the hole")
        started_ms = rig.segments(gate)[0].started_ms
        copy_earlier(rig, gate)
        yield Filmed(rig, server.url, gate, yard, started_ms, (before, after))
    finally:
        server.close()
        rig.close()
        redis.close()


def _add(rig: Rig, name: str, number: int) -> Cam:
    cam = rig.add(PROFILE, number)
    with rig.rows() as session:
        session.get_one(Camera, cam.camera_id).name = name
        session.commit()
    return cam


def _break(rig: Rig, cam: Cam) -> None:
    """Its ffmpeg is killed, and the camera is gone for some seconds."""
    os.kill(rig.pid(cam), signal.SIGKILL)
    rig.farm.control("down", cam.number, _HOLE_SECONDS)


def _sides(rig: Rig, cam: Cam) -> tuple[int, int] | None:
    """The end of the first run and the start of the second, once both have rows."""
    rows = rig.segments(cam)
    first = [row for row in rows if row.run_id == rows[0].run_id]
    second = [row for row in rows if row.run_id != rows[0].run_id]
    return (first[-1].ended_ms, second[0].started_ms) if second else None


def copy_earlier(rig: Rig, cam: Cam, *, by_ms: int = EARLIER_MS) -> None:
    """Put the first run of a camera there once more, as if it had been recorded that much earlier."""
    first = rig.runs(cam)[0]
    source = paths.run_dir(rig.config.media_dir, cam.camera_id, first.key)
    run = read_run(source)
    assert run is not None
    epoch_ms = run.epoch_ms - by_ms
    mapping = [
        (content_ms, offset_ms - by_ms) for content_ms, offset_ms in run.mapping or [(run.epoch_ms, 0)]
    ]
    key = paths.new_run_key(cam.stream_id, epoch_ms // 1000)
    target = source.with_name(key)
    target.mkdir()
    for row in rig.segments(cam):
        if row.run_id == first.id:  # the kill may have left a file without a picture as well
            name = paths.segment_name(row.number)
            shutil.copyfile(source / name, target / name)
    write_run(target, replace(run, run=key, ordinal=run.ordinal + 1000, mapping=mapping, pid=None))
    with rig.rows():
        files = closed_files(target)
        segments.index(files, keep_unwanted=True)
        start_ms, end_ms = files[0].segment.started_ms, files[-1].segment.ended_ms
        db.session.add(
            Recording(camera_id=cam.camera_id, kind="manual", started_ms=start_ms, ended_ms=end_ms)
        )
        db.session.commit()
