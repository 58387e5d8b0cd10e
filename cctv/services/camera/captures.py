"""The work of capturing as a queue of jobs, and the one door to who owns a stream and how it fares.

The database decides and Redis only delivers, so that a capture never depends on a queue (DECISIONS 3).
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from redis.exceptions import RedisError
from rq import Retry
from rq.job import Job, JobStatus
from rq.utils import as_text
from sqlalchemy import select

from cctv import queue
from cctv.extensions import db
from cctv.models import Stream
from cctv.services.camera import lease
from cctv.services.camera.lease import LEASE_MS
from cctv.services.camera.ownership import (
    RESERVE_MS,
    Claim,
    Wanted,
    beat,
    claim,
    is_derived,
    release,
    renew,
    reserve,
    revision_of,
    wanted_streams,
)
from cctv.services.camera.stream_states import Report, record, set_state

__all__ = [
    "LEASE_MS",
    "RESERVE_MS",
    "Claim",
    "Report",
    "Wanted",
    "attach_keepers",
    "beat",
    "claim",
    "dispatch",
    "hold",
    "is_derived",
    "record",
    "release",
    "renew",
    "reserve",
    "revision_of",
    "set_state",
    "start_on_demand",
    "wanted_streams",
    "watched",
]

_log = logging.getLogger(__name__)

WATCH_SECONDS = 15  # life of the sign that somebody watches an on-demand stream
JOB = "cctv.jobs.captures.capture"
_WITHOUT_END = 1_000_000_000  # retries: a capture is never given up


class Keepers(Protocol):
    """What the capture worker of this process offers to the jobs that RQ gives it."""

    def hold(self, stream_id: int) -> bool:
        """Keep the stream captured until told otherwise; True when somebody else should go on."""


_keepers: list[Keepers] = []


def attach_keepers(keepers: Keepers) -> None:
    """Make the keepers of this process known to its jobs."""
    _keepers[:] = [keepers]


def hold(stream_id: int) -> Retry | None:
    """The body of the RQ job: lives as long as the capture does; a Retry gives it to another worker."""
    if not _keepers:
        return None  # a stock worker took it; the next dispatch finds the stream still free
    return Retry(max=_WITHOUT_END) if _keepers[0].hold(stream_id) else None


def dispatch() -> int | None:
    """Put every wanted stream without a live owner on the queue, unless it waits there; how many were put.

    None: the queue does not answer.
    Called by the periodic tick, after each change of a camera, and by workers that see a lapsed row.
    """
    free = [row.stream_id for row in wanted_streams() if row.is_free() and not row.is_on_demand]
    db.session.commit()
    return _enqueue(free)


def start_on_demand(stream_id: int) -> bool:
    """Somebody wants to watch a stream that is captured only then: start it now if nobody has it.

    Call it again at least every WATCH_SECONDS; False when the queue does not answer.
    """
    try:
        queue.redis_connection().set(watch_key(stream_id), 1, ex=WATCH_SECONDS)
    except (RedisError, OSError):
        return False
    row = db.session.execute(
        select(Stream.owner_node_id, Stream.renewed_ms, lease.clock().label("asked_ms")).where(
            Stream.id == stream_id
        )
    ).one_or_none()
    if row is None:
        return False
    if row.owner_node_id is None or row.renewed_ms < row.asked_ms - LEASE_MS:
        _enqueue([stream_id], at_front=True)
    return True


def watched(stream_ids: list[int]) -> set[int] | None:
    """Which of the on-demand streams somebody watches; None when Redis cannot tell."""
    if not stream_ids:
        return set()
    try:
        found = queue.redis_connection().mget([watch_key(stream_id) for stream_id in stream_ids])
    except (RedisError, OSError):
        return None
    return {stream_id for stream_id, value in zip(stream_ids, found, strict=True) if value is not None}


def watch_key(stream_id: int) -> str:
    """The Redis key that says that an on-demand stream is watched."""
    return f"cctv:watch:{stream_id}"


def job_id(stream_id: int) -> str:
    """The fixed id of a stream's job: the same stream is never queued twice."""
    return f"capture_{stream_id}"


def job_options(stream_id: int) -> dict[str, Any]:
    """How the job of a stream is made: without an end, and never given up."""
    return {
        "args": (stream_id,),
        "job_id": job_id(stream_id),
        "description": f"Capture of stream {stream_id}",
        "timeout": -1,
        "retry": Retry(max=_WITHOUT_END),
        "result_ttl": 0,
        "failure_ttl": 86_400,
    }


def _enqueue(stream_ids: list[int], *, at_front: bool = False) -> int | None:
    if not stream_ids:
        return 0
    try:
        captures = queue.queue(queue.CAPTURE)
        waiting = set(captures.get_job_ids())
        idle = [stream_id for stream_id in stream_ids if job_id(stream_id) not in waiting]
        for stream_id in idle:
            _forget_stale(stream_id)
            captures.enqueue_call(JOB, **job_options(stream_id), at_front=at_front)
    except (RedisError, OSError) as error:
        _log.warning("the capture queue does not answer: %s", error)
        return None
    return len(idle)


def _forget_stale(stream_id: int) -> None:
    """Remove what a dead worker left of the job, so that RQ does not bring it back a second time."""
    captures = queue.queue(queue.CAPTURE)
    job = captures.fetch_job(job_id(stream_id))
    if isinstance(job, Job) and job.get_status(refresh=False) != JobStatus.QUEUED:
        try:
            job.delete()
        except ValueError:  # RQ cannot delete a job of which an execution has expired (rq 3.0)
            _forget_executions(job)
            job.delete()


def _forget_executions(job: Job) -> None:
    """Take the executions of a job out of its own list and out of the list of what runs."""
    running, own = job.started_job_registry, job.execution_registry
    known: Any = own.connection.zrange(own.key, 0, -1)
    with own.connection.pipeline() as pipeline:
        for name in known:
            pipeline.zrem(running.key, f"{job.id}:{as_text(name)}")
        pipeline.delete(own.key)
        pipeline.execute()
