"""Leases between machines whose clocks are minutes apart: only the database's clock counts."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select, update

from cctv import queue
from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Node, StateChange, Stream
from cctv.services.camera import cameras, captures, lease, status
from cctv.services.footage import gaps
from cctv.services.site import nodes

MINUTES = 600_000
Clock = Callable[[int], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Make the clock of this process go ahead (or behind) by some milliseconds."""
    real = time.time_ns

    def shift(ahead_ms: int) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: real() + ahead_ms * 1_000_000)

    return shift


@pytest.fixture
def stream_id(context: Flask) -> int:
    return a_camera().main.id


def a_camera() -> Camera:
    return cameras.create_camera(cameras.CameraForm(name="Gate", url="rtsp://127.0.0.1:1/x"), None)


@pytest.fixture
def other_node_id(context: Flask) -> int:
    begin_writing()
    node = Node(key="other", name="other")
    db.session.add(node)
    db.session.commit()
    return node.id


def let_lapse(stream_id: int) -> None:
    """As if the owner had been silent since a lease and a second ago."""
    begin_writing()
    silent_ms = lease.LEASE_MS + 1_000
    db.session.execute(
        update(Stream).where(Stream.id == stream_id).values(renewed_ms=Stream.renewed_ms - silent_ms)
    )
    db.session.commit()


def claim(stream_id: int, node_id: int) -> captures.Claim | None:
    return captures.claim(stream_id, node_id=node_id, worker=f"{node_id}:1")


@pytest.mark.each_database
def test_the_clock_of_the_database_is_the_one_of_this_machine(context: Flask) -> None:
    before = now_ms()
    asked = db.session.scalars(select(lease.clock())).one()
    assert before - 1 <= asked <= now_ms() + 1
    assert before <= lease.now() <= now_ms() + 1
    assert lease.own_ms(before, asked) == before, "a difference that is only the way there is none"
    assert lease.own_ms(0, asked + MINUTES) == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("ahead_ms", [MINUTES, -MINUTES])
def test_a_lease_is_neither_stolen_nor_kept_for_ever_by_a_wrong_clock(
    stream_id: int, other_node_id: int, set_clock: Clock, ahead_ms: int
) -> None:
    owner = nodes.this_node().id
    won = claim(stream_id, owner)
    assert won is not None
    captures.record([captures.Report(stream_id, won.fence, now_ms(), "live")])
    queue.queue(queue.CAPTURE).empty()
    set_clock(ahead_ms)
    assert claim(stream_id, other_node_id) is None
    assert captures.dispatch() == 0
    assert not any(row.is_free(node_id=other_node_id) for row in captures.wanted_streams())
    camera = db.session.get_one(Stream, stream_id).camera
    assert status.of_camera(camera).state == "live"
    let_lapse(stream_id)
    assert status.of_camera(camera).state == "unknown"
    assert captures.dispatch() == 1
    assert claim(stream_id, other_node_id) is not None
    set_clock(0)
    assert captures.renew({stream_id: won.fence}, node_id=owner, worker=f"{owner}:1") == {stream_id}
    assert captures.renew({stream_id: 2}, node_id=other_node_id, worker=f"{other_node_id}:1") == set()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("ahead_ms", [MINUTES, -MINUTES])
def test_the_history_lies_on_the_clock_of_whoever_goes_on(
    stream_id: int, other_node_id: int, set_clock: Clock, ahead_ms: int
) -> None:
    claim(stream_id, nodes.this_node().id)
    let_lapse(stream_id)
    set_clock(ahead_ms)
    claim(stream_id, other_node_id)
    silence = db.session.scalars(select(StateChange).where(StateChange.cause == "worker_down")).one()
    assert silence.ended_ms is not None
    assert abs(silence.ended_ms - now_ms()) < 2_000
    assert abs(silence.ended_ms - silence.started_ms - lease.LEASE_MS - 1_000) < 2_000


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("ahead_ms", [MINUTES, -MINUTES])
def test_an_open_gap_is_put_down_to_a_silent_owner_only_when_it_is_silent(
    context: Flask, set_clock: Clock, ahead_ms: int
) -> None:
    set_clock(ahead_ms)
    owner, camera = nodes.this_node().id, a_camera()
    camera_id, stream_id = camera.id, camera.main.id
    won = claim(stream_id, owner)
    assert won is not None
    at_ms = now_ms() + 10_000
    captures.record([captures.Report(stream_id, won.fence, now_ms() - 1_000, "offline", "noroute")])
    captures.renew({stream_id: won.fence}, node_id=owner, worker=f"{owner}:1")
    gap = gaps.open_gap(camera_id, at_ms=at_ms)
    assert gap is not None
    assert gap.cause == "noroute"
    let_lapse(stream_id)
    gap = gaps.open_gap(camera_id, at_ms=at_ms)
    assert gap is not None
    assert gap.cause == "worker_down"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_reserved_row_stays_reserved_for_a_wrong_clock(
    stream_id: int, other_node_id: int, set_clock: Clock
) -> None:
    owner = nodes.this_node().id
    claim(stream_id, owner)
    captures.reserve(None, node_id=owner, worker=f"{owner}:1")
    let_lapse(stream_id)
    set_clock(MINUTES)
    assert claim(stream_id, other_node_id) is None
