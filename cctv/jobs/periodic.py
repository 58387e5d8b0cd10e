"""The periodic jobs: which, how often, on which queue; and the process that enqueues them.

Everything here is only enqueued by dotted name: a periodic job is short and enqueues the real ones.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq_scheduler import Scheduler

from cctv import create_app, queue
from cctv.config import Config

_log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 1


@dataclass(frozen=True)
class Periodic:
    """One periodic job. Its id is fixed, so that a second registration changes nothing."""

    job_id: str
    function: str
    interval_seconds: int
    queue_name: str = queue.DEFAULT


PERIODIC = (
    Periodic("periodic_tick", "cctv.jobs.tick.tick", 10),
    Periodic("periodic_mail", "cctv.jobs.mail.tick", 10),
    Periodic("periodic_transfers", "cctv.jobs.transfers.tick", 10),
    Periodic("periodic_transfer_rules", "cctv.jobs.transfers.plan", 60),
    Periodic("periodic_transfer_rules_all", "cctv.jobs.transfers.plan_all", 3600),
    Periodic("periodic_hashes", "cctv.jobs.tick.hashes", 300),
    Periodic("periodic_rules", "cctv.jobs.tick.rules", 60),
    Periodic("periodic_hourly", "cctv.jobs.tick.hourly", 3600),
    Periodic("periodic_heads", "cctv.jobs.tick.heads", 3600),
    Periodic("periodic_daily", "cctv.jobs.tick.daily", 86_400),
)


class JsonJob(Job):
    """RQ's job, written as JSON also where rq-scheduler offers no choice of the serializer."""

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> Job:
        """As Job.create, with the serializer of our workers."""
        return super().create(*args, **{"serializer": JSONSerializer, **kwargs})

    @classmethod
    def fetch(cls, *args: Any, **kwargs: Any) -> Job:
        """As Job.fetch, with the serializer of our workers."""
        return super().fetch(*args, **{"serializer": JSONSerializer, **kwargs})


class PeriodicScheduler(Scheduler):
    """rq-scheduler that survives an emptied Redis and does not pile up jobs while no worker is there."""

    job_class = JsonJob

    def enqueue_jobs(self) -> Any:
        """One pass; the schedule is registered again when Redis came back without it."""
        schedule_all(self)
        return super().enqueue_jobs()

    def enqueue_job(self, job: Job) -> None:
        """All runs share one job id: one that still waits in its queue is not put there again."""
        waiting = self.get_queue_for_job(job)
        is_waiting = (
            job.get_status() == JobStatus.QUEUED and self.connection.lpos(waiting.key, job.id) is not None
        )
        if not is_waiting:
            super().enqueue_job(job)
            return
        due = datetime.now(UTC).timestamp() + int(job.meta["interval"])
        self.connection.zadd(self.scheduled_jobs_key, {job.id: due})


def schedule_all(scheduler: Scheduler) -> None:
    """Register every periodic job that is not registered; safe to call at any time."""
    for periodic in PERIODIC:
        if periodic.job_id in scheduler and scheduler.connection.exists(Job.key_for(periodic.job_id)):
            continue
        _log.info("every %d s: %s", periodic.interval_seconds, periodic.function)
        scheduler.schedule(
            datetime.now(UTC),
            periodic.function,
            interval=periodic.interval_seconds,
            id=periodic.job_id,
            queue_name=periodic.queue_name,
            timeout=300,
        )


def run_scheduler() -> int:
    """Enqueue periodic jobs until TERM. Several may run: a lock in Redis lets one act."""
    logging.getLogger("rq_scheduler").setLevel(logging.WARNING)
    app = create_app(Config.from_environment(), has_pages=False)
    with app.app_context():
        # The process ends when Redis goes away; whoever watches it starts it again.
        connection = queue.connect(app.config["REDIS_URL"], timeout_seconds=5)
        PeriodicScheduler(queue_name=queue.DEFAULT, connection=connection, interval=_INTERVAL_SECONDS).run()
    return 0
