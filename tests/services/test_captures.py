"""Ownership of streams: one wins, fences rise, leases lapse; what keepers report; what is queued."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select

from cctv import queue
from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Node, StateChange, Stream, StreamKind
from cctv.services.camera import cameras, captures
from cctv.services.site import nodes
from tests.servers import RedisServer

pytestmark = pytest.mark.each_database


@pytest.fixture
def stream_id(context: Flask) -> int:
    camera = cameras.create_camera(cameras.CameraForm(name="Gate", url="rtsp://127.0.0.1:1/x"), None)
    return camera.main.id


@pytest.fixture
def node_id(context: Flask) -> int:
    return nodes.this_node().id


@pytest.fixture
def other_node_id(context: Flask) -> int:
    begin_writing()
    node = Node(key="other", name="other")
    db.session.add(node)
    db.session.commit()
    return node.id


def row(stream_id: int) -> Stream:
    db.session.rollback()  # see what others have committed
    return db.session.get_one(Stream, stream_id)


def test_a_free_stream_is_won_and_its_fence_rises(stream_id: int, node_id: int) -> None:
    won = captures.claim(stream_id, node_id=node_id, worker="1:1")
    assert won is not None
    assert won.fence == row(stream_id).fence == 1
    assert captures.claim(stream_id, node_id=node_id, worker="1:1") == won, "asking again changes nothing"


def test_of_many_claimants_one_wins(app: Flask, stream_id: int, node_id: int) -> None:
    def claim(number: int) -> bool:
        with app.app_context():
            try:
                return captures.claim(stream_id, node_id=node_id, worker=f"{number}:1") is not None
            finally:
                db.session.remove()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(8))) == 1
    assert row(stream_id).fence == 1


def test_a_dead_workers_stream_is_free_at_once_on_its_own_node_only(
    stream_id: int, node_id: int, other_node_id: int
) -> None:
    captures.claim(stream_id, node_id=node_id, worker="1:1")
    assert captures.claim(stream_id, node_id=other_node_id, worker="2:2", is_alive=lambda _: False) is None
    assert captures.claim(stream_id, node_id=node_id, worker="2:2", is_alive=lambda _: True) is None
    won = captures.claim(stream_id, node_id=node_id, worker="2:2", is_alive=lambda _: False)
    assert won is not None
    assert won.fence == 2


def test_another_node_waits_for_the_lease_and_the_history_says_why(
    stream_id: int, node_id: int, other_node_id: int
) -> None:
    start = now_ms() - 60_000
    captures.claim(stream_id, node_id=node_id, worker="1:1", at_ms=start)
    captures.record([captures.Report(stream_id, 1, start, "live")])
    soon, late = start + captures.LEASE_MS, start + captures.LEASE_MS + 1
    assert captures.claim(stream_id, node_id=other_node_id, worker="2:2", at_ms=soon) is None
    assert captures.claim(stream_id, node_id=other_node_id, worker="2:2", at_ms=late) is not None
    changes = db.session.scalars(select(StateChange).order_by(StateChange.id)).all()
    assert [(change.state, change.cause) for change in changes][-2:] == [
        ("offline", "worker_down"),
        ("connecting", None),
    ]
    assert changes[-2].started_ms == start
    assert changes[-2].ended_ms == late


def test_a_reserved_stream_waits_for_its_own_node(stream_id: int, node_id: int, other_node_id: int) -> None:
    captures.claim(stream_id, node_id=node_id, worker="1:1")
    captures.reserve(None, node_id=node_id, worker="1:1")
    late = now_ms() + captures.LEASE_MS + 1000
    assert captures.claim(stream_id, node_id=other_node_id, worker="2:2", at_ms=late) is None
    later = now_ms() + captures.RESERVE_MS + 1000
    assert captures.claim(stream_id, node_id=other_node_id, worker="2:2", at_ms=later) is not None


def test_renewing_tells_what_was_lost(stream_id: int, node_id: int, other_node_id: int) -> None:
    captures.claim(stream_id, node_id=node_id, worker="1:1", at_ms=1)
    assert captures.renew({stream_id: 1}, node_id=node_id, worker="1:1", at_ms=2) == set()
    assert row(stream_id).renewed_ms == 2
    captures.claim(stream_id, node_id=other_node_id, worker="2:2")
    assert captures.renew({stream_id: 1}, node_id=node_id, worker="1:1") == {stream_id}
    assert row(stream_id).owner_worker == "2:2"


def test_a_pinned_camera_is_captured_at_its_own_site(
    stream_id: int, node_id: int, other_node_id: int
) -> None:
    begin_writing()
    db.session.scalars(select(Camera)).one().node_id = other_node_id
    db.session.commit()
    assert captures.claim(stream_id, node_id=node_id, worker="1:1") is None
    assert stream_id not in {wanted.stream_id for wanted in captures.wanted_streams(node_id)}
    assert captures.claim(stream_id, node_id=other_node_id, worker="1:1") is not None


def test_only_the_owner_is_believed_and_only_changes_are_kept(stream_id: int, node_id: int) -> None:
    captures.claim(stream_id, node_id=node_id, worker="1:1")
    captures.record(
        [
            captures.Report(stream_id, 0, 500, "offline", "noroute"),
            captures.Report(stream_id, 1, 1000, "live"),
            captures.Report(stream_id, 1, 2000, "live", facts={"width": 640}),
            captures.Report(stream_id, 1, 3000, "offline", "ended", "said nothing"),
        ]
    )
    changes = db.session.scalars(select(StateChange).order_by(StateChange.id)).all()
    assert [(change.state, change.started_ms, change.ended_ms) for change in changes] == [
        ("live", 1000, 3000),
        ("offline", 3000, None),
    ]
    found = row(stream_id)
    assert (found.state, found.cause, found.detail, found.width) == ("offline", "ended", "said nothing", 640)


def test_a_switched_off_camera_is_neither_wanted_nor_claimed(stream_id: int, node_id: int) -> None:
    begin_writing()
    db.session.scalars(select(Camera)).one().is_enabled = False
    db.session.commit()
    assert captures.wanted_streams() == []
    assert captures.claim(stream_id, node_id=node_id, worker="1:1") is None


def test_a_stream_without_owner_is_queued_once(stream_id: int, node_id: int) -> None:
    jobs = queue.queue(queue.CAPTURE)
    assert jobs.get_job_ids() == [f"capture_{stream_id}"], "adding the camera did it"
    assert captures.dispatch() == 0
    assert len(jobs) == 1
    jobs.empty()
    assert captures.dispatch() == 1
    captures.claim(stream_id, node_id=node_id, worker="1:1")
    jobs.empty()
    assert captures.dispatch() == 0


def test_dispatch_says_when_the_queue_does_not_answer(stream_id: int, app: Flask) -> None:
    server = RedisServer()
    app.extensions["cctv.redis"] = queue.connect(server.url)
    server.close()
    assert captures.dispatch() is None
    assert captures.start_on_demand(stream_id) is False
    assert captures.watched([stream_id]) is None


def test_an_on_demand_stream_is_queued_only_when_somebody_watches(stream_id: int) -> None:
    camera = db.session.scalars(select(Camera)).one()
    small = camera.stream(StreamKind.P360)
    assert small is not None
    jobs = queue.queue(queue.CAPTURE)
    jobs.empty()
    captures.dispatch()
    assert f"capture_{small.id}" not in jobs.get_job_ids()
    assert captures.start_on_demand(small.id)
    assert jobs.get_job_ids()[0] == f"capture_{small.id}"
    assert captures.watched([small.id, stream_id]) == {small.id}


def test_a_job_whose_execution_has_expired_is_put_on_the_queue_again(
    stream_id: int, redis_server: RedisServer
) -> None:
    client, job_id = redis_server.client(), captures.job_id(stream_id)
    client.delete("rq:queue:capture")
    client.hset(f"rq:job:{job_id}", "status", "started")
    at = now_ms() / 1000 + 60
    client.zadd(f"rq:executions:{job_id}", {"gone": at})
    client.zadd("rq:wip:capture", {f"{job_id}:gone": at})
    assert captures.dispatch() == 1
    assert client.lrange("rq:queue:capture", 0, -1) == [job_id.encode()]
    assert client.zcard("rq:wip:capture") == 0


def test_what_is_told_late_never_makes_an_interval_end_before_it_began(stream_id: int) -> None:
    now = now_ms()
    captures.record([captures.Report(stream_id, 0, now, "offline", "worker_down")])
    captures.record([captures.Report(stream_id, 0, now - 60_000, "live")])
    changes = db.session.scalars(select(StateChange).order_by(StateChange.id)).all()
    assert [change.state for change in changes][-2:] == ["offline", "live"]
    assert all(change.ended_ms is None or change.ended_ms >= change.started_ms for change in changes)
