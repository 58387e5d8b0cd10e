"""The capture worker keeps its disk in order, and leaves a disk in trouble alone."""

from __future__ import annotations

import time

from flask import Flask

from cctv import queue
from cctv.capture.housekeeper import Housekeeper
from cctv.extensions import db
from cctv.models import RecordingMode, Segment
from cctv.services.footage import segments
from cctv.services.site import nodes
from tests.services.footage import closed_files, make_camera, put_real_run
from tests.waiting import wait_until


def count() -> int:
    found = db.session.query(Segment).count()
    db.session.rollback()
    return found


def test_old_ring_files_go_once_the_disk_is_well_and_the_start_is_reconciled(context: Flask) -> None:
    trouble: list[str | None] = ["disk_hung"]
    node = nodes.this_node()
    camera = make_camera(RecordingMode.MANUAL, since_ms=0)
    directory = put_real_run(camera, node=node, shift_ms=-86_400_000)
    segments.index(closed_files(directory))
    Housekeeper(context, trouble=lambda: trouble[0], every_s=0.05).start()
    try:
        wait_until(lambda: len(list(directory.glob("*.mp4"))) == 3, 1, "nothing to happen")
        assert count() == 3
        trouble[0] = None
        wait_until(lambda: count() == 0, 10, "the ring files to go")
        wait_until(lambda: not list(directory.glob("*.mp4")), 5, "their files to go")
        jobs = queue.queue(queue.media(node.key))
        wait_until(lambda: jobs.count, 5, "the start to be reconciled")
        jobs.empty()
        trouble[0] = "volume_missing"
        time.sleep(0.2)
        trouble[0] = None
        wait_until(lambda: jobs.count, 5, "the return of the disk to be reconciled")
    finally:
        trouble[0] = "disk_hung"  # the thread ends with the process
