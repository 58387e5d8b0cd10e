"""Signed heads in the bucket: there once, never replaced, and later when the bucket was away."""

from __future__ import annotations

import json

import pytest

from cctv.config import Config
from cctv.models import RecordingMode
from cctv.services.footage import segments
from cctv.services.proof import chain_heads, hashing, head_copies
from cctv.services.site import nodes
from tests.bucket_server import Emulator, Front
from tests.fixtures.bucket import in_cloud
from tests.media.loops import EPOCH_S
from tests.services.footage import closed_files, make_camera, put_real_run

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def config(config: Config, front: Front) -> Config:
    return in_cloud(config, front)


def test_a_head_is_copied_once_and_waits_while_the_bucket_is_away(emulator: Emulator, front: Front) -> None:
    node = nodes.this_node()
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=EPOCH_S * 1000)
    segments.index(closed_files(put_real_run(camera, node=node)))
    hashing.hash_some(node.id, seconds=5)
    chain_heads.sign_due(at_ms=EPOCH_S * 1000 + 3 * 86_400_000)
    front.answer(r"^POST .*upload", 503, times=1)
    assert head_copies.send() == 0
    front.lose_answer(r"^POST .*upload")
    assert head_copies.send() == 0
    assert head_copies.send() == 1  # it was there already
    assert head_copies.send() == 0
    (head,) = chain_heads.list_heads(camera.id)
    assert head.is_in_cloud
    name = head_copies.object_name("", head)
    assert [one for one in emulator.objects() if "heads/" in one] == [name]
    assert emulator.content(name) == chain_heads.head_document(head)
    assert json.loads(emulator.content(name))["signature"] == head.signature
