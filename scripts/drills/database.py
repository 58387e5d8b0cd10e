"""The database stopped, frozen, locked, exhausted, damaged or without room (rows 21 to 23).

Footage goes on; pages answer 503 soon; what was recorded meanwhile is indexed exactly once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import psycopg2

from cctv.clock import now_ms
from scripts.drills import invariants
from scripts.drills.catalogue import drill
from scripts.drills.onlooker import PAGE
from scripts.drills.stage import Stage
from scripts.drills.trial import Trial
from tests.fixtures.processes import ROOT, environment_of
from tests.servers import PostgresServer

_REQUIRED = "recording gap 0, indexed once, 503 within 3 s meanwhile, the first request afterwards is 200"


@drill(
    "postgres-stopped",
    "21",
    "PostgreSQL is stopped at once (immediate) and started again",
    _REQUIRED,
    database="postgresql",
)
def stopped(stage: Stage, trial: Trial) -> None:
    server = _server(stage)
    _outage(stage, trial, "stopped", server.kill, server.start, away=trial.pick(8, 60))


@drill(
    "postgres-frozen",
    "22",
    "every process of PostgreSQL is frozen",
    _REQUIRED,
    database="postgresql",
)
def frozen(stage: Stage, trial: Trial) -> None:
    server = _server(stage)

    def each(number: signal.Signals) -> None:
        main = psutil.Process(server.process.pid)
        for process in [main, *main.children(recursive=True)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    _outage(
        stage,
        trial,
        "frozen",
        lambda: each(signal.SIGSTOP),
        lambda: each(signal.SIGCONT),
        away=trial.pick(12, 60),
        limit_s=9.0,
    )


@drill(
    "postgres-locked",
    "22",
    "somebody holds a lock on the tables of the index",
    "lock timeouts, no hang, recording gap 0, indexed once afterwards",
    database="postgresql",
)
def locked(stage: Stage, trial: Trial) -> None:
    with _connection(stage) as connection:
        connection.autocommit = False

        def lock() -> None:
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE segment, stream, gap, run IN ACCESS EXCLUSIVE MODE")

        _outage(stage, trial, "locked", lock, connection.rollback, away=trial.pick(12, 60), limit_s=6.0)


@drill(
    "postgres-exhausted",
    "22",
    "no connection to PostgreSQL is left",
    _REQUIRED,
    database="postgresql",
)
def exhausted(stage: Stage, trial: Trial) -> None:
    server = _server(stage)
    name = stage.config.database_url.rpartition("/")[2]
    taken: list[psycopg2.extensions.connection] = []

    def take_all() -> None:
        for is_last in (False, True):
            with contextlib.suppress(psycopg2.OperationalError):
                while True:
                    taken.append(server.connect())
            if not is_last:  # the pools must not live on what they had
                with taken[0].cursor() as cursor:
                    cursor.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
                    )

    def give_back() -> None:
        for connection in taken:
            connection.close()

    _outage(stage, trial, "no connection left", take_all, give_back, away=trial.pick(8, 60))


@drill(
    "sqlite-locked",
    "23",
    "another program holds the write lock of SQLite for longer than its patience",
    "recording gap 0, pages that only read answer, indexed once afterwards",
    database="sqlite",
)
def sqlite_locked(stage: Stage, trial: Trial) -> None:
    connection = sqlite3.connect(stage.config.data_dir / "cctv.db", isolation_level=None)
    _outage(
        stage,
        trial,
        "locked",
        lambda: connection.execute("BEGIN EXCLUSIVE"),
        lambda: connection.execute("ROLLBACK"),
        away=trial.pick(8, 30),
        reads=True,
    )
    connection.close()


@drill(
    "sqlite-damaged",
    "23",
    "pages of the SQLite file are overwritten; an old backup is put back and the index rebuilt from disk",
    "told at the start, and every file of the footage has its row again",
    database="sqlite",
)
def sqlite_damaged(stage: Stage, trial: Trial) -> None:
    cam = stage.camera()
    stage.wait_row_after(cam, now_ms())
    database, backup = stage.config.data_dir / "cctv.db", stage.top / "backup.db"
    _backup(database, backup)
    at_ms = now_ms()
    stage.wait_row_after(cam, at_ms + 5_000)
    rows = len(stage.rig.segments(cam))
    stage.stop()
    with database.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(min(200_000, database.stat().st_size - 8192)))
    said = _run(stage, "doctor")
    trial.fault = "200 KB of noise in cctv.db, restored from a backup that is older than the newest rows"
    told = said.returncode != 0 and "damaged" in said.stdout + said.stderr
    trial.require(told, f"doctor does not tell it: {(said.stdout + said.stderr)[-300:]}")
    for name in ("cctv.db", "cctv.db-wal", "cctv.db-shm"):
        (stage.config.data_dir / name).unlink(missing_ok=True)
    shutil.copyfile(backup, database)
    stage.start()
    began = time.monotonic()
    done = _run(stage, "reconcile")
    trial.seen.append(f"reconcile took {time.monotonic() - began:.1f} s: {done.stdout.strip()[-200:]}")
    trial.require(done.returncode == 0, done.stderr[-300:])
    found = len(stage.rig.segments(cam))
    trial.require(found >= rows, f"{found} rows of {rows}")
    trial.lost.append(f"{max(0, rows - found)} of {rows} rows")


def _server(stage: Stage) -> PostgresServer:
    assert stage.postgres is not None
    return stage.postgres


@contextlib.contextmanager
def _connection(stage: Stage) -> Iterator[psycopg2.extensions.connection]:
    connection = _server(stage).connect(stage.config.database_url.rpartition("/")[2])
    try:
        yield connection
    finally:
        connection.close()


def _backup(source: os.PathLike[str], target: os.PathLike[str]) -> None:
    with (
        contextlib.closing(sqlite3.connect(source)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def _run(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`flask ...` as an operator types it."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        cwd=ROOT,
        env=environment_of(stage.config),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _outage(
    stage: Stage,
    trial: Trial,
    what: str,
    begin: Callable[[], object],
    end: Callable[[], object],
    *,
    away: float,
    limit_s: float = 3.0,
    reads: bool = False,
) -> None:
    """The same for every way in which a database can be away. `reads`: pages that only read go on."""
    cams = [stage.camera(), stage.camera()]
    pids = [stage.rig.pid(cam) for cam in cams]
    time.sleep(1.0)
    trial.fault = f"{what} for {away:g} s"
    at, at_ms = time.monotonic(), now_ms()
    begin()
    time.sleep(away)
    until = time.monotonic()
    for cam, pid in zip(cams, pids, strict=True):
        trial.require([found.pid for found in stage.rig.captures(cam)] == [pid], "the capture was ended")
    end()
    first = stage.onlooker.ask(PAGE)
    trial.seen.append(f"first page afterwards: {first.status} in {first.seconds:.1f} s")
    trial.require(first.status in (200, 204), f"the first page afterwards was answered {first.status}")
    trial.within("healthy", 15, stage.is_healthy, patience_s=60)
    for cam in cams:
        stage.wait_row_after(cam, now_ms())
        lost_ms, pictures = stage.lost_ms(cam, at_ms), stage.pictures_lost(cam, at_ms)
        trial.lost.append(f"camera {cam.number}: {lost_ms / 1000:.1f} s, {pictures} pictures")
        trial.require(lost_ms == 0 and pictures == 0, "footage was lost")
    _answers(stage, trial, at, until, limit_s=limit_s, reads=reads)


def _answers(stage: Stage, trial: Trial, at: float, until: float, *, limit_s: float, reads: bool) -> None:
    answers = stage.onlooker.since(at, until)
    worst = max((answer.seconds for answer in answers), default=0.0)
    statuses = sorted({(answer.path, answer.status) for answer in answers})
    told = ", ".join(f"{path.rpartition('/')[2] or 'health'} {status}" for path, status in statuses)
    trial.seen.append(f"meanwhile {told}; slowest {worst:.1f} s")
    allowed = (200, 204) if reads else (200, 204, 503)
    slack = 0.0 if trial.is_long else 1.5
    trial.failures += invariants.slow_answers(stage.onlooker, at, limit_s=limit_s + slack, allowed=allowed)
