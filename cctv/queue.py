"""Queue names, job names as strings, and `enqueue` for after the commit.

The database is the truth: a job that could not be enqueued is enqueued by the next tick, so nothing raises.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from flask import current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry as RedisRetry
from rq import Queue, Retry
from rq.serializers import JSONSerializer

CAPTURE = "capture"
HIGH = "high"
DEFAULT = "default"
MAIL = "mail"  # its own: a silent mail server must not keep camera checks waiting

_log = logging.getLogger(__name__)


_AWAY_SECONDS = 2.0  # after a call without an answer


class PatientOnce(Redis):
    """For request paths: a frozen Redis costs a request one wait, not one for each of its calls."""

    _away_until = 0.0

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """As Redis's; fails at once when the last call got no answer a moment ago."""
        self._refuse_while_away()
        try:
            return super().execute_command(*arguments, **options)
        except RedisTimeout:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            raise

    def pipeline(self, *arguments: Any, **options: Any) -> Any:
        """As Redis's."""
        self._refuse_while_away()
        return super().pipeline(*arguments, **options)

    def _refuse_while_away(self) -> None:
        if time.monotonic() < self._away_until:
            raise RedisTimeout("no answer a moment ago")


def media(node_key: str) -> str:
    """The queue of jobs that touch bytes on one node's disk."""
    return f"media-{node_key}"


def activity(node_key: str) -> str:
    """The queue of looking for activity in one node's files. Its own, as it is never done: an export would
    wait behind it, and what waits behind an export for longer than the ring is deep is gone."""
    return f"activity-{node_key}"


def connect(url: str, *, timeout_seconds: float | None = 0.5, kind: type[Redis] = Redis) -> Redis:
    """A connection whose calls end: redis-py's own retries held a request for 37 s (measured).

    `timeout_seconds=None` is for blocking workers, which wait on purpose.
    """
    return kind.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds or 2,
        retry=RedisRetry(NoBackoff(), 0),
        health_check_interval=0,
    )


def redis_connection() -> Redis:
    """The application's connection for request paths."""
    connection = current_app.extensions.get("cctv.redis")
    if connection is None:
        connection = connect(current_app.config["REDIS_URL"], kind=PatientOnce)
        current_app.extensions["cctv.redis"] = connection
    return connection


def queue(name: str, connection: Redis | None = None) -> Queue:
    """An RQ queue whose jobs are JSON: a forged pickle would be code."""
    return Queue(name, connection=connection or redis_connection(), serializer=JSONSerializer)


def has_waiting(name: str) -> bool:
    """Whether a job waits in a queue; False while Redis is away."""
    try:
        return int(queue(name).count) > 0
    except (RedisError, OSError):
        return False


def known(connection: Redis | None = None) -> list[Queue]:
    """Every queue that has ever had a job."""
    return Queue.all(connection=connection or redis_connection(), serializer=JSONSerializer)


def is_idle(queue_name: str) -> bool:
    """Whether no job waits there; also True when Redis does not answer."""
    try:
        return queue(queue_name).count == 0
    except (RedisError, OSError):
        return True


def enqueue(
    queue_name: str,
    function: str,
    *ids: int | str,
    job_id: str | None = None,
    timeout_seconds: int = 300,
    retries: int = 0,
    at_front: bool = False,
    meta: dict[str, Any] | None = None,
) -> bool:
    """Put a job by dotted name on a queue; True when Redis took it. Call it after the commit.

    Job ids hold letters, digits, `_` and `-` only. Retries back off 1, 5, 30, 120 seconds.
    """
    retry = Retry(max=retries, interval=[1, 5, 30, 120]) if retries else None
    try:
        queue(queue_name).enqueue(
            function,
            args=ids,
            job_id=job_id,
            job_timeout=timeout_seconds,
            retry=retry,
            at_front=at_front,
            meta=meta or {},
            result_ttl=60,
            failure_ttl=86_400,
        )
    except (RedisError, OSError) as error:
        _log.warning("queue %s does not take %s now: %s", queue_name, function, error)
        return False
    return True


def enqueue_once(queue_name: str, function: str, *ids: int | str, job_id: str) -> bool:
    """As `enqueue`, unless the job of that id still waits in the queue. For short jobs of a tick."""
    try:
        found = queue(queue_name)
        if found.connection.lpos(found.key, job_id) is not None:
            return True
    except (RedisError, OSError) as error:
        _log.warning("queue %s cannot be asked now: %s", queue_name, error)
        return False
    return enqueue(queue_name, function, *ids, job_id=job_id)
