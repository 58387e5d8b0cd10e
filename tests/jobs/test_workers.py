"""The workers of the queues and the scheduler, as real processes on a real Redis."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from flask import Flask

from cctv import queue
from cctv.config import Config
from cctv.jobs import periodic
from tests.fixtures.processes import ProductProcess
from tests.servers import RedisServer
from tests.waiting import wait_until


@pytest.fixture
def worker(config: Config) -> Iterator[ProductProcess]:
    """A worker of the default queue."""
    worker = ProductProcess("jobs", [sys.executable, "worker.py", "jobs", "default"], config)
    yield worker
    worker.close()


@pytest.fixture
def scheduler(context: Flask, redis_server: RedisServer) -> periodic.PeriodicScheduler:
    """The scheduler, driven by the test pass by pass."""
    return periodic.PeriodicScheduler(queue_name=queue.DEFAULT, connection=redis_server.client(), interval=1)


def _pid_in(path: Path) -> int | None:
    return int(path.read_text()) if path.exists() and path.read_text() else None


def _catches_term(pid: int) -> bool:
    """Bit n - 1 of SigCgt in proc(5) status tells whether signal n has a handler."""
    caught = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt")
    )
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_job_enqueued_after_the_commit_runs_in_a_process_of_its_own(
    context: Flask, worker: ProductProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    assert queue.enqueue(queue.DEFAULT, "tests.jobs.samples.write", str(mark))
    pid = wait_until(lambda: _pid_in(mark), 20, "the job to run")
    assert pid != worker.process.pid


def test_a_running_job_dies_with_its_killed_worker(
    context: Flask, worker: ProductProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    queue.enqueue(queue.DEFAULT, "tests.jobs.samples.stay", str(mark))
    pid = wait_until(lambda: _pid_in(mark), 20, "the job to run")
    worker.kill()
    wait_until(lambda: not psutil.pid_exists(pid), 5, "the job to be gone")


def test_a_stop_does_not_wait_for_a_long_job(context: Flask, worker: ProductProcess, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    queue.enqueue(queue.DEFAULT, "tests.jobs.samples.stay", str(mark))
    pid = wait_until(lambda: _pid_in(mark), 20, "the job to run")
    worker.stop(signal.SIGTERM, timeout=10)
    wait_until(lambda: not psutil.pid_exists(pid), 5, "the job to be gone")


def test_an_idle_worker_stops_at_once(worker: ProductProcess) -> None:
    wait_until(lambda: _catches_term(worker.process.pid), 30, "the worker to listen to signals")
    assert worker.stop(timeout=5) == 0


def test_registering_twice_schedules_each_periodic_job_once(scheduler: periodic.PeriodicScheduler) -> None:
    periodic.schedule_all(scheduler)
    first = dict(scheduler.get_jobs(with_times=True))
    periodic.schedule_all(scheduler)
    assert dict(scheduler.get_jobs(with_times=True)) == first
    assert {job.id for job in first} == {job.job_id for job in periodic.PERIODIC}


def test_the_schedule_is_there_again_after_redis_came_back_empty(
    scheduler: periodic.PeriodicScheduler, redis_server: RedisServer
) -> None:
    scheduler.enqueue_jobs()
    redis_server.empty()
    scheduler.enqueue_jobs()
    assert scheduler.count() == len(periodic.PERIODIC)


def test_periodic_jobs_do_not_pile_up_while_no_worker_is_there(
    scheduler: periodic.PeriodicScheduler, redis_server: RedisServer
) -> None:
    tick = periodic.PERIODIC[0].job_id
    for _ in range(3):
        scheduler.enqueue_jobs()
        now = datetime.now(UTC).timestamp() - 1
        redis_server.client().zadd(scheduler.scheduled_jobs_key, {tick: now})
    waiting = queue.queue(queue.DEFAULT).get_job_ids()
    assert waiting.count(tick) == 1


def test_a_periodic_job_names_a_function_that_exists(scheduler: periodic.PeriodicScheduler) -> None:
    periodic.schedule_all(scheduler)
    for job in scheduler.get_jobs():
        assert callable(job.func)
        assert not job.args  # () or, after its way through JSON, []
