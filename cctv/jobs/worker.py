"""The worker of one queue: RQ's own, in the application's context. Jobs are JSON and run in a process each.

Knows no job; DEPENDENCIES' facts about RQ that concern a stock worker are kept here.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import threading
from typing import Any

from rq import Worker
from rq.serializers import JSONSerializer

from cctv import create_app, queue
from cctv.config import Config
from cctv.services.site import nodes

_log = logging.getLogger(__name__)

# A stop waits so long for the job at hand; then it is ended and run again later (jobs are safe to run twice).
_PATIENCE_SECONDS = 6.0
# RQ's own scheduler dies when Redis goes away and is only started again here: by default after ten minutes,
# in which no retry is made.
_MAINTENANCE_SECONDS = 20
_PR_SET_PDEATHSIG = 1  # prctl(2)


class JobWorker(Worker):
    """A stock worker whose running job ends with it, however the worker ends."""

    def main_work_horse(self, job: Any, queue: Any) -> None:
        """Runs in the forked child: without this a job goes on for ever after kill -9 of its worker."""
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the worker ended before the line above
            os._exit(1)
        super().main_work_horse(job, queue)

    def handle_warm_shutdown_request(self) -> None:
        """A second TERM is RQ's way to end a job that takes too long."""
        timer = threading.Timer(_PATIENCE_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        timer.start()


def work(name: str) -> int:
    """Run the jobs of queue `name` until TERM; `media` and `activity` mean those of this machine's disk.

    The worker has no fixed name: one left by a crash would block the next for minutes.
    """
    app = create_app(Config.from_environment(), has_pages=False)
    with app.app_context():
        queue_name = _queue_name(name)
        connection = queue.connect(app.config["REDIS_URL"], timeout_seconds=None)
        worker = JobWorker(
            [queue.queue(queue_name, connection)],
            connection=connection,
            serializer=JSONSerializer,
            default_result_ttl=60,
            maintenance_interval=_MAINTENANCE_SECONDS,
        )
        _log.info("jobs of queue %s", queue_name)
        # Retry intervals and enqueue_in need one worker with RQ's own scheduler; one is enough.
        worker.work(with_scheduler=name == queue.DEFAULT, logging_level="WARNING")
    return 0


def _queue_name(name: str) -> str:
    if name == "activity":
        # Before the fork of each job: importing numpy takes longer than a look at a camera. Its threads for
        # large matrices would only be in the way of the fork.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        importlib.import_module("cctv.jobs.activity")

        return queue.activity(nodes.key())
    return queue.media(nodes.key()) if name == "media" else name
