"""A Redis that does not answer costs a request one wait."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from redis.exceptions import RedisError

from cctv import queue
from tests.servers import RedisServer
from tests.waiting import wait_until


def _answers() -> bool:
    try:
        return bool(queue.redis_connection().set("cctv:test", 1))
    except RedisError:
        return False


def test_of_many_calls_to_a_frozen_redis_only_the_first_waits(
    context: Flask, redis_server: RedisServer
) -> None:
    assert _answers()
    redis_server.freeze()
    try:
        began = time.monotonic()
        for _ in range(10):
            with pytest.raises(RedisError):
                queue.redis_connection().ping()
            assert not queue.enqueue(queue.DEFAULT, "cctv.jobs.tick.tick")
        assert time.monotonic() - began < 1.5
    finally:
        redis_server.thaw()
    wait_until(_answers, 5, "Redis to be asked again")
