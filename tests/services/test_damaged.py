"""Pictures that were damaged on the way are kept, and their file is marked for everybody who looks."""

from __future__ import annotations

import pytest

from cctv.extensions import db
from cctv.models import RecordingMode, Segment
from cctv.services.footage import damaged, segments, timeline
from cctv.services.movement import activity_watch
from cctv.services.proof import hashing, verification
from cctv.services.site import nodes
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run

pytestmark = [pytest.mark.each_database, pytest.mark.usefixtures("context")]

E0 = EPOCH_S * 1000


def test_a_file_with_pictures_that_cannot_be_decoded_is_marked_and_stays() -> None:
    node = nodes.this_node()
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=E0)
    directory = put_real_run(camera, node=node)
    files = closed_files(directory)
    offset = files[1].segment.gops[2][0]  # a key frame in the middle of the second file
    content = bytearray((directory / "00001.mp4").read_bytes())
    start = content.index(b"mdat", offset) + 200
    for at in range(start, start + 1500):
        content[at] = at * 37 & 0xFF  # as the bytes of lost or foreign packets
    (directory / "00001.mp4").write_bytes(content)
    segments.index(files)
    hashing.hash_some(node.id, seconds=5)
    assert activity_watch.watch(node.id, at_ms=E0 + 20_000) == 3
    rows = db.session.query(Segment).order_by(Segment.number).all()
    assert [(row.is_damaged, row.damage) for row in rows] == [(False, ""), (True, "transit"), (False, "")]
    assert verification.verify_all().is_good  # it is what the camera sent
    (lane,) = timeline.lanes([camera.id], E0 + 5_000, E0 + 12_000, at_ms=E0 + 12_000)
    assert [(one.started_ms, one.ended_ms, one.code) for one in lane.damaged] == [
        (E0 + 5_000, E0 + 8_000, "transit")
    ]
    assert lane.recorded == [(E0 + 5_000, E0 + 12_000)]
    assert damaged.mark([rows[1].id], "changed") == 0  # told once
