"""A worker that loses and wins its streams or its queue again and again does not grow (FAULTS 47)."""

from __future__ import annotations

import psutil
from sqlalchemy import update

from cctv.extensions import begin_writing
from cctv.models import Node, Stream
from cctv.services.camera import captures
from tests.capture.rig import Cam, Rig
from tests.capture.test_worker_faults import jobs_shown
from tests.waiting import wait_until

CYCLES = 4
POOLED = 2


def worker_of(rig: Rig) -> psutil.Process:
    assert rig.worker is not None
    return psutil.Process(rig.worker.process.pid)


def wait_until_as_small(rig: Rig, threads: int, descriptors: int) -> None:
    """Threads of what has just ended may live for a moment. Pools of threads and of connections may still
    have grown by a few since; one left behind by each stream in each cycle would be more."""
    worker = worker_of(rig)

    def sizes() -> tuple[int, int]:
        return worker.num_threads(), worker.num_fds()

    def is_small() -> bool:
        return sizes()[0] <= threads + POOLED and sizes()[1] <= descriptors + 2 * POOLED

    try:
        wait_until(is_small, 15, "it to shrink")
    except AssertionError as error:
        raise AssertionError(f"{error}: {sizes()} instead of {(threads, descriptors)}") from None


def settled(rig: Rig, cams: list[Cam]) -> None:
    rig.wait_live(*cams)
    ids = {f"capture_{cam.stream_id}" for cam in cams}
    wait_until(lambda: jobs_shown(rig) == ids, 25, "every capture to have its job")


def hand_to_another_node(rig: Rig, cam: Cam) -> int:
    """As another machine that won the row does; the fence."""
    with rig.rows() as session:
        begin_writing()
        node = session.query(Node).filter_by(key="other").one_or_none() or Node(key="other", name="other")
        session.add(node)
        session.flush()
        session.execute(
            update(Stream)
            .where(Stream.id == cam.stream_id)
            .values(owner_node_id=node.id, owner_worker="1:1", fence=Stream.fence + 1)
        )
        session.commit()
        return int(session.get_one(Stream, cam.stream_id).fence)


def give_back(rig: Rig, cam: Cam) -> None:
    with rig.rows() as session:
        node_id = session.get_one(Stream, cam.stream_id).owner_node_id
        assert node_id is not None
        captures.release([cam.stream_id], node_id=node_id, worker="1:1")


def test_streams_that_are_lost_and_won_again_leave_nothing_behind(rig: Rig) -> None:
    rig.start()
    cams = [rig.add("t1", number) for number in (350, 351)]
    settled(rig, cams)
    for cycle in range(CYCLES + 1):
        fences = [hand_to_another_node(rig, cam) for cam in cams]
        wait_until(lambda: not rig.captures(), 10, "the captures to end")
        for cam in cams:
            give_back(rig, cam)
        for cam, fence in zip(cams, fences, strict=True):
            wait_until(lambda cam=cam, fence=fence: rig.stream(cam).fence > fence, 10, "the stream to be won")
        settled(rig, cams)
        if cycle == 0:
            threads, descriptors = worker_of(rig).num_threads(), worker_of(rig).num_fds()
    wait_until_as_small(rig, threads, descriptors)


def test_a_queue_that_fails_again_and_again_leaves_nothing_behind(rig: Rig) -> None:
    rig.start()
    cams = [rig.add("t1", number) for number in (352, 353)]
    settled(rig, cams)
    threads, descriptors = worker_of(rig).num_threads(), worker_of(rig).num_fds()
    pids = [rig.pid(cam) for cam in cams]
    client = rig.redis.client()
    for _ in range(CYCLES):
        failures = failures_of(rig)
        client.config_set("maxmemory", 1)  # full: it refuses every write
        wait_until(lambda before=failures: failures_of(rig) > before, 15, "the loop to fail")
        client.config_set("maxmemory", 0)
        wait_until(lambda: client.scard("rq:workers") > 0, 10, "the worker to be there again")
    settled(rig, cams)
    wait_until_as_small(rig, threads, descriptors)
    assert [rig.pid(cam) for cam in cams] == pids, "the captures went on"


def failures_of(rig: Rig) -> int:
    assert rig.worker is not None
    return rig.worker.log.read_text().count("does not answer")
