"""Readiness tells of a Redis that answers and still does not do what it is needed for."""

from __future__ import annotations

import pytest
from flask import Flask

from cctv.services.site import health
from tests.servers import RedisServer


@pytest.mark.usefixtures("context")
def test_a_redis_without_room_is_not_ready(app: Flask, redis_server: RedisServer) -> None:
    assert health.components()["redis"]
    client = redis_server.client()
    client.config_set("maxmemory", 1)
    try:
        assert not health.components()["redis"]
    finally:
        client.config_set("maxmemory", 0)
    assert health.components()["redis"]
