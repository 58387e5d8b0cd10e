"""`scripts/run` as a person uses it: one system is started, harmed and stopped; tests run in this order."""

from __future__ import annotations

import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.stack import leftovers
from tests.servers import PostgresServer
from tests.stack import Stack
from tests.waiting import wait_until

READY_SECONDS = 60
SECOND_START_SECONDS = 10
STOP_SECONDS = 15


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack") / "data")
    yield stack
    stack.close()


def test_it_prints_the_address_with_the_set_up_code_once_everything_answers(stack: Stack) -> None:
    stack.wait_ready(READY_SECONDS)
    assert stack.health() == 200
    block = stack.printed()
    assert re.search(rf"http://127\.0\.0\.1:{stack.port}/setup/\w+\?code=\S+", block)
    assert f"kill {stack.process.pid}" in block
    assert str(stack.data_dir / "logs") in block


def test_every_part_runs_and_has_a_log(stack: Stack) -> None:
    names = (
        "redis",
        "demo",
        "web",
        "capture",
        "jobs-high",
        "jobs-default",
        "jobs-mail",
        "jobs-media",
        "scheduler",
    )
    for name in names:
        wait_until(lambda name=name: stack.pid_of(name), 10, f"{name} to run")
        assert (stack.data_dir / "logs" / f"{name}.log").exists()


def test_secrets_and_the_socket_are_for_this_user_only(stack: Stack) -> None:
    for name in ("secret_key", "setup_code"):
        assert stat.S_IMODE((stack.data_dir / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((stack.data_dir / "redis.sock").stat().st_mode) == 0o700
    redis = stack.pid_of("redis")
    assert redis is not None
    assert psutil.Process(redis).net_connections("inet") == []


def test_a_second_start_on_the_same_data_is_refused(stack: Stack) -> None:
    second = Stack(stack.data_dir)
    assert second.process.wait(timeout=30) == 1
    assert (
        f"already running at http://127.0.0.1:{stack.port} (process {stack.process.pid})" in second.printed()
    )
    assert stack.health() == 200


def test_a_port_in_use_is_refused_with_a_way_out(stack: Stack, tmp_path: Path) -> None:
    second = Stack(tmp_path / "other", "--port", str(stack.port))
    assert second.process.wait(timeout=30) == 1
    assert f"./scripts/run --port {stack.port + 1}" in second.printed()
    assert leftovers.find_marked(tmp_path / "other") == []


@pytest.mark.parametrize("part", ["web", "capture", "scheduler", "redis"])
def test_a_killed_part_is_started_again_at_once(stack: Stack, part: str) -> None:
    pid = wait_until(lambda: stack.pid_of(part), 20, f"{part} to run")
    os.kill(pid, signal.SIGKILL)
    killed_at = time.monotonic()
    wait_until(lambda: stack.pid_of(part) not in {None, pid}, 10, f"{part} to be started again")
    assert time.monotonic() - killed_at < 1
    assert f"{part} ended (signal KILL); starting it again at once." in stack.printed()
    wait_until(lambda: stack.health() == 200, 20, "health")


def test_its_parts_end_by_themselves_when_it_is_killed_and_the_next_start_is_quick(stack: Stack) -> None:
    stack.process.kill()
    stack.process.wait(timeout=5)
    wait_until(
        lambda: all(process.is_capture for process in leftovers.find_marked(stack.data_dir)),
        STOP_SECONDS,
        "the parts to end",
    )
    stack.start()
    assert stack.wait_ready(READY_SECONDS) < SECOND_START_SECONDS
    assert stack.health() == 200


def test_term_ends_every_process_within_15_seconds(stack: Stack) -> None:
    began = time.monotonic()
    stack.process.terminate()
    assert stack.process.wait(timeout=STOP_SECONDS) == 0
    assert time.monotonic() - began < STOP_SECONDS
    assert leftovers.find_marked(stack.data_dir) == []
    assert stack.printed().rstrip().endswith("Stopped.")


def test_it_starts_before_its_database_and_heals_when_that_comes(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    name = postgres.create_database()
    postgres.kill()
    stack = Stack(tmp_path / "late", DATABASE_URL=postgres.url(name))
    try:
        wait_until(lambda: stack.health() == 503, 30, "the pages to answer without a database")
        assert "The database does not answer" in stack.printed()
        postgres.start()
        stack.wait_ready(READY_SECONDS)
        assert "/setup/" in stack.printed()
        stack.process.terminate()
        assert stack.process.wait(timeout=STOP_SECONDS) == 0
    finally:
        stack.close()
