"""The worker of a disk sends what is due; killed in the middle of a file it goes on where the bucket was."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from cctv.config import Config
from cctv.extensions import db
from cctv.models import Transfer, TransferState
from cctv.services.bucket import cloud, transfers
from tests.bucket_server import Emulator, Front
from tests.fixtures.bucket import in_cloud
from tests.fixtures.processes import ProductProcess
from tests.servers import RedisServer
from tests.services.stored import again, ask, footage_of, path_of
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("context")

WORKER = [sys.executable, "worker.py", "jobs", "media"]
MB = 1 << 20


@pytest.fixture
def config(config: Config, front: Front) -> Config:
    cloud._buckets.clear()
    return in_cloud(config, front)


@pytest.fixture
def worker(config: Config) -> Iterator[ProductProcess]:
    process = ProductProcess("media", WORKER, config)
    yield process
    process.close()


def is_verified(transfer: Transfer) -> bool:
    found = again(transfer).state == TransferState.VERIFIED
    db.session.commit()
    return found


def sent(front: Front) -> int:
    return sum(one.sent_bytes for one in front.asked)


def test_a_worker_killed_in_the_middle_of_a_file_goes_on_at_the_buckets_offset(
    worker: ProductProcess, front: Front, emulator: Emulator, redis_server: RedisServer
) -> None:
    first, second = footage_of([3 * MB, 1000])
    made = ask([first, second])
    front.bytes_per_second = 2 * MB
    transfers.dispatch()
    wait_until(lambda: sent(front) > MB, 30, "a third of the file to be sent")
    worker.kill()
    assert again(made[0]).state == TransferState.UPLOADING
    redis_server.client().delete(*redis_server.client().keys("cctv:transfers:*"))  # the turn ends after 45 s
    front.bytes_per_second = 0
    worker.start()
    transfers.dispatch()
    wait_until(lambda: all(is_verified(one) for one in made), 40, "both files to be verified")
    assert len(emulator.objects()) == 2
    assert emulator.content(again(made[0]).object_name) == path_of(first).read_bytes()
    assert front.count("^POST .*uploadType=resumable") == 2
    assert sent(front) < 4 * MB


def test_jobs_neither_pile_up_nor_get_lost_with_redis(config: Config, redis_server: RedisServer) -> None:
    from cctv import queue
    from cctv.services.site import nodes

    ask(footage_of([1000]))
    name = queue.media(nodes.key())
    for _ in range(3):
        transfers.dispatch()
    assert queue.queue(name).count == 1
    redis_server.empty()
    transfers.dispatch()
    assert queue.queue(name).count == 1
    (job,) = queue.queue(name).get_jobs()
    node_id, turn = job.args
    redis_server.client().set(transfers._turn_key(nodes.this_node()), "of a newer job")
    transfers.run(node_id, turn)  # its turn is over
    assert db.session.query(Transfer).one().state == TransferState.PENDING
