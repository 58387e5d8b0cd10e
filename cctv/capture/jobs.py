"""RQ's side of the captures: a worker that runs many jobs in threads of one process.

RQ delivers and shows the work; when Redis is away or empty nothing here ends a capture (DECISIONS 3).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty
from rq.utils import now
from rq.worker import BaseWorker
from sqlalchemy.exc import SQLAlchemyError

from cctv import queue
from cctv.capture.node import CaptureNode
from cctv.capture.steward import Steward
from cctv.errors import CctvError
from cctv.services.camera import captures
from cctv.services.camera.lease import LEASE_MS

_log = logging.getLogger(__name__)

_LEASE_S = LEASE_MS // 1000  # a job of a worker that gave no sign for so long is given to another one
_BEAT_S = 7.0  # twice in a lease
_STACK_BYTES = 256 * 1024  # of a thread that only waits


class CaptureWorker(BaseWorker):
    """RQ 3's BaseWorker, concurrent: `execute_job` starts a thread and returns."""

    death_penalty_class = TimerDeathPenalty
    max_connection_wait_time = 2.0  # between tries while Redis is away

    def __init__(
        self,
        connection: Redis,
        node: CaptureNode,
        steward: Steward,
        *,
        before: CaptureWorker | None = None,
    ) -> None:
        """`before`: the worker of this process whose loop has failed; its jobs go on as this one's."""
        super().__init__(
            [queue.queue(queue.CAPTURE, connection)],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=20,
            maintenance_interval=5,
            job_monitoring_interval=5,
            log_job_description=False,
        )
        self.node = node
        self.steward = steward
        self._jobs: dict[str, Job] = {}  # by execution id
        self._lock = threading.RLock()
        self._attached: set[int] = set()  # streams with a job here
        if before is not None:
            self._jobs, self._lock, self._attached = before._jobs, before._lock, before._attached
            self.executions = before.executions
        self._has_ended = threading.Event()
        self.is_leaving = False

    # --- RQ's life cycle -----------------------------------------------------------------------------

    def _install_signal_handlers(self) -> None:
        """Signals belong to the main thread (worker.py), which this is not."""

    def bootstrap(self, *arguments: Any, **options: Any) -> None:
        """As RQ's, and begin to renew the leases of all jobs."""
        super().bootstrap(*arguments, **options)
        threading.Thread(target=self._beat_for_ever, name="beats", daemon=True).start()

    def teardown(self) -> None:
        """As RQ's; without Redis there is nothing to take leave from."""
        for step in (self.register_death, self.unsubscribe):
            with contextlib.suppress(RedisError, OSError):
                step()

    def unsubscribe(self) -> None:
        """As RQ's; its thread ends also when Redis does not hear of it."""
        if self.pubsub_thread is not None:
            self.pubsub_thread.stop()
        super().unsubscribe()

    def let_go(self) -> None:
        """After the loop: nothing of it is left but the jobs, which go on. They connect anew at their end."""
        self._stop_requested = True
        self._has_ended.set()
        with contextlib.suppress(RedisError, OSError):
            self.unsubscribe()
        if self.pubsub is not None:
            self.pubsub.close()
        self.connection.connection_pool.disconnect()

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """The lease of a job: short, so that a dead worker's are given to another one soon."""
        return _LEASE_S

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Busy while any capture runs, whatever the loop of the queue says."""
        super().set_state("busy" if self._jobs and state == "idle" else state, pipeline)

    # --- jobs ----------------------------------------------------------------------------------------

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Win the stream, or leave the job to whoever has it; then let a thread wait for its end."""
        stream_id = int(job.args[0])
        try:
            keeper = None if self.is_leaving else self.steward.ensure(stream_id)
        except (SQLAlchemyError, CctvError, OSError) as error:
            _log.warning("stream %d: not claimed, %s", stream_id, type(error).__name__)
            keeper = None
        with self._lock:
            if keeper is None or stream_id in self._attached:
                self._drop(job, queue, is_put_back=self.is_leaving)
                return
            self._attached.add(stream_id)
        execution = self.prepare_execution(job)
        with self._lock:
            self._jobs[execution.id] = job
        job.started_at = now()
        previous = threading.stack_size(_STACK_BYTES)
        try:
            threading.Thread(
                target=self._perform,
                args=(job, queue, execution, stream_id),
                name=f"job-{stream_id}",
                daemon=True,
            ).start()
        finally:
            threading.stack_size(previous)

    def _drop(self, job: Job, queue: Queue, *, is_put_back: bool) -> None:
        """Take the job off our hands: the database says who captures, a second job says nothing."""
        with self.connection.pipeline() as pipeline:
            pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
            if is_put_back:
                pipeline.lpush(queue.key, job.id)
            pipeline.execute()

    def _perform(self, job: Job, queue: Queue, execution: Execution, stream_id: int) -> None:
        try:
            self.perform_job(job, queue, execution)
        except (RedisError, OSError) as error:
            _log.info("stream %d: its job could not be closed: %s", stream_id, error)
        finally:
            with self._lock:
                self._attached.discard(stream_id)
                self._jobs.pop(execution.id, None)
                self.executions.pop(execution.id, None)

    # --- commands (RQ's dashboard) -------------------------------------------------------------------

    def request_stop_execution(self, execution_id: str) -> None:
        """Somebody stopped the job by hand: the capture ends here and is offered again by the next tick."""
        job = self._jobs.get(execution_id)
        if job is not None:
            self._stop(job)

    def handle_payload(self, message: dict[str, Any]) -> None:
        """RQ's own stop-job knows only one job per worker; a shutdown by command is not offered."""
        from rq.command import parse_payload

        payload = parse_payload(message)
        if payload.get("command") == "stop-job":
            for job in list(self._jobs.values()):
                if job.id == payload.get("job_id"):
                    self._stop(job)
        elif payload.get("command") == "stop-execution":
            self.request_stop_execution(str(payload.get("execution_id", "")))

    def _stop(self, job: Job) -> None:
        with self._lock:
            self._stopped_job_id = job.id
        self.steward.give_back(int(job.args[0]))

    def handle_job_failure(self, job: Job, *arguments: Any, **options: Any) -> None:
        """One field of RQ's says which job was stopped: one at a time."""
        with self._lock:
            super().handle_job_failure(job, *arguments, **options)

    # --- leases --------------------------------------------------------------------------------------

    def _beat_for_ever(self) -> None:
        while not self._has_ended.wait(_BEAT_S) and not self._stop_requested:
            try:
                self._beat()
                self._attach_missing()
            except (RedisError, OSError):
                continue
            except Exception:  # the leases of all jobs hang on this thread
                _log.exception("the leases were not renewed")

    def _beat(self) -> None:
        """Renew all leases in one pipeline; what an emptied Redis has lost is registered again."""
        with self._lock:
            running = [
                (self.executions[key], job) for key, job in self._jobs.items() if key in self.executions
            ]
        with self.connection.pipeline() as pipeline:
            self.heartbeat(self.worker_ttl + 60, pipeline=pipeline)
            pipeline.exists(*(job.key for _, job in running)) if running else pipeline.ping()
            for execution, job in running:
                execution.heartbeat(job.started_job_registry, _LEASE_S, pipeline=pipeline)
            results = pipeline.execute()
        is_forgotten = results[0] == 1  # HSET made the field: the worker's hash was gone
        if is_forgotten or (running and results[3] < len(running)):
            self._register_again(running)

    def _register_again(self, running: list[tuple[Execution, Job]]) -> None:
        with self.connection.pipeline() as pipeline:
            pipeline.hset(self.key, mapping=self.serialize())
            pipeline.sadd(self.redis_workers_keys, self.key)
            for name in self.queue_names():
                pipeline.sadd(f"rq:workers:{name}", self.key)
            for execution, job in running:
                job.save(pipeline=pipeline)
                pipeline.hset(job.key, "status", "started")
                pipeline.persist(job.key)
                execution.save(ttl=_LEASE_S, pipeline=pipeline)
                job.started_job_registry.add_execution(execution, pipeline=pipeline, ttl=_LEASE_S, xx=False)
            pipeline.execute()

    def _attach_missing(self) -> None:
        """Every capture is shown: one that was adopted, or begun without Redis, gets its job now."""
        for stream_id, keeper in self.node.held().items():
            if stream_id in self._attached or keeper.is_leaving or self.is_leaving or not keeper.fence:
                continue
            captures_queue = self.queues[0]
            job = captures_queue.fetch_job(captures.job_id(stream_id))
            if job is not None:
                captures_queue.remove(job.id)
            with self.connection.pipeline() as pipeline:
                job = captures_queue.create_job(captures.JOB, **captures.job_options(stream_id))
                job.origin = captures_queue.name
                job.save(pipeline=pipeline)
                pipeline.execute()
            self.execute_job(job, captures_queue)


class Jobs(threading.Thread):
    """Runs a CaptureWorker whenever Redis is there."""

    def __init__(self, url: str, node: CaptureNode, steward: Steward) -> None:
        super().__init__(name="jobs", daemon=True)
        self._url = url
        self._node = node
        self._steward = steward
        self._worker: CaptureWorker | None = None
        self._is_stopping = False

    def run(self) -> None:
        """Until stopped; a Redis that is away is asked again every second."""
        with self._node.app.app_context():
            while not self._is_stopping:
                try:
                    connection = queue.connect(self._url, timeout_seconds=None)
                    self._worker = CaptureWorker(connection, self._node, self._steward, before=self._worker)
                    self._worker.work(logging_level="WARNING")
                except (RedisError, OSError, ValueError) as error:
                    _log.warning("the capture queue does not answer: %s", error)
                except Exception:  # the captures go on whatever RQ meets
                    _log.exception("the queue's loop failed")
                if self._worker is not None and not self._is_stopping:
                    self._worker.let_go()
                time.sleep(1.0)

    def leave(self) -> None:
        """Take no more jobs; the threads of those at hand end with their captures."""
        self._is_stopping = True
        if self._worker is not None:
            self._worker.is_leaving = True
            self._worker._stop_requested = True

    def finish(self, timeout: float) -> None:
        """Wait until the jobs at hand are back in the queue, and take leave from RQ."""
        worker = self._worker
        if worker is None:
            return
        deadline = time.monotonic() + timeout
        while worker._jobs and time.monotonic() < deadline:
            time.sleep(0.02)
        try:
            worker.register_death()
        except (RedisError, OSError):
            pass
