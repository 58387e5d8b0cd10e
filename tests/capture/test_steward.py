"""One camera's trouble never costs another its capture: what the steward does with rows it cannot use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from cctv.capture import steward as stewards
from cctv.capture.node import CaptureNode
from cctv.capture.patience import Patience
from cctv.capture.steward import Steward
from cctv.clock import now_ms
from cctv.config import Config
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Stream
from cctv.services.camera import cameras
from cctv.services.camera.captures import Report
from cctv.services.site import nodes
from tests.waiting import wait_until


@pytest.fixture
def steward(context: Flask, config: Config) -> Iterator[Steward]:
    node = CaptureNode(context, config, patience=Patience(poll=0.1, storage_retry=60.0))
    node.volume.state = "missing"  # no attempt is made
    node.rounds.start()
    steward = Steward(node, is_alone=False)
    steward.node_id = nodes.this_node().id
    yield steward
    node.leave_all(state=None, cause=None, requeue=False, timeout=2)
    node.rounds.stop()


def a_camera(name: str) -> Camera:
    form = cameras.CameraForm(name=name, url="rtsp://127.0.0.1:1/x", username="u", password="p")
    return cameras.create_camera(form, None)


def state_of(stream_id: int) -> tuple[str, str | None]:
    db.session.rollback()
    stream = db.session.get_one(Stream, stream_id)
    return stream.state, stream.cause


def test_a_password_that_cannot_be_opened_does_not_hold_up_other_cameras(
    steward: Steward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stewards, "_OFFERED_S", -1.0)  # nobody works on the queue here
    first, second = a_camera("First"), a_camera("Second")
    bad, good = first.main.id, second.main.id
    begin_writing()
    first.password_encrypted = "sealed with another key"
    db.session.commit()
    for now in (0.0, 1.0, 2.0):
        steward._poll(now)
    assert steward.node.find(bad) is None
    assert state_of(bad) == ("refused", "sealed")
    wait_until(lambda: steward.node.find(good), 2, "the other camera to be kept")


def test_a_stream_that_the_queue_brings_to_nobody_is_taken_after_a_while(steward: Steward) -> None:
    stream_id = a_camera("Gate").main.id
    steward._poll(0.0)
    assert steward.node.find(stream_id) is None, "it is offered to every worker first"
    steward._poll(stewards._OFFERED_S + 1.0)
    wait_until(lambda: steward.node.find(stream_id), 2, "it to be kept")


@pytest.mark.each_database
@pytest.mark.parametrize("bad", [{"detail": "a \0 in the log"}, {"cause": "x" * 80}], ids=["nul", "long"])
def test_a_report_that_cannot_be_stored_does_not_hold_up_what_follows(
    steward: Steward, bad: dict[str, str]
) -> None:
    first, second = a_camera("First").main.id, a_camera("Second").main.id
    steward.node.reports += [
        Report(first, 0, now_ms(), state="offline", **{"cause": "noroute", **bad}),
        Report(second, 0, now_ms(), state="live"),
    ]
    steward.reporter.write()
    assert state_of(second) == ("live", None)
    assert not steward.node.reports


def test_a_worker_that_has_given_its_rows_back_gives_no_further_sign_of_life(steward: Steward) -> None:
    steward.finish(reserve=False)
    steward._work(1e9)
    assert nodes.this_node().seen_ms == 0
