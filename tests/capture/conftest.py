"""The rigs: one shared by the camera faults of a module, and one of its own for tests that kill things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cameras import CameraFarm
from tests.capture.rig import Rig, open_rig
from tests.fixtures.application import make_config, migrate
from tests.servers import PostgresServer, RedisServer


@pytest.fixture(scope="module")
def shared_rig(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, farm: CameraFarm
) -> Iterator[Rig]:
    """A running worker for all tests of a module: each adds its own camera, and they fail side by side."""
    redis = RedisServer()
    rig = open_rig(tmp_path_factory.mktemp("rig"), migrated_sqlite, redis.url, farm)
    rig.start()
    yield rig
    rig.close()
    redis.close()


@pytest.fixture
def rig(tmp_path: Path, migrated_sqlite: Path, farm: CameraFarm) -> Iterator[Rig]:
    """A node whose worker the test starts, kills and starts again; its Redis is its own."""
    redis = RedisServer()
    rig = open_rig(tmp_path, migrated_sqlite, redis.url, farm)
    rig.redis = redis
    yield rig
    rig.close()
    redis.close()


@pytest.fixture
def postgres_rig(tmp_path: Path, farm: CameraFarm) -> Iterator[Rig]:
    """As `rig`, with a PostgreSQL of its own that the test may kill."""
    redis, postgres = RedisServer(), PostgresServer()
    url = postgres.url(postgres.create_database())
    config = make_config(tmp_path, database_url=url, redis_url=redis.url)
    migrate(config)
    rig = Rig(config, farm)
    rig.redis, rig.postgres = redis, postgres
    yield rig
    rig.close()
    postgres.close()
    redis.close()
