"""Real servers that a test may kill, freeze and start again: Redis and PostgreSQL.

Each lives in a folder of its own and dies with the test process; nothing here knows the product.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import psycopg2
import redis

from tests.waiting import wait_until


def free_port() -> int:
    """A TCP port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def program(*names: str) -> str:
    """The first of these programs that is installed.

    Raises:
        RuntimeError: none is; a test never skips itself because of that.
    """
    for name in names:
        found = shutil.which(name) or next(
            (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
        )
        if found:
            return found
    raise RuntimeError(f"{' or '.join(names)} is not installed; ./scripts/test installs it.")


class Server:
    """A process that can be killed, frozen and started again."""

    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """kill -9; `start()` brings it back with what it had on disk."""
        self.thaw()
        self.process.kill()
        self.process.wait(timeout=10)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """The end of `freeze`."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)


class RedisServer(Server):
    """A Redis on a private socket, set as the product's own is: append-only file, nothing evicted."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.url = f"unix://{self.folder}/redis.sock"
        self.start()

    def start(self) -> Self:
        """Start, or start again after `kill`, and wait until it answers."""
        options = {
            "port": "0",
            "unixsocket": str(self.folder / "redis.sock"),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
        }
        argv = [part for name, value in options.items() for part in (f"--{name}", value)]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program("redis-server", "valkey-server"), *argv],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "log").open("ab"),
        )
        wait_until(self._answers, 10, "Redis to answer")
        return self

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        """A connection of the test's own."""
        return redis.Redis.from_url(self.url)

    def empty(self) -> None:
        """Forget everything, as a Redis that came back without its disk."""
        self.client().flushall()

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresServer(Server):
    """A PostgreSQL on a TCP port: as in production, TCP timeouts apply. fsync is off for speed."""

    def __init__(self) -> None:
        # Not pytest's tmp_path: the user `postgres` may not enter it.
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        self.port = free_port()
        self._databases = 0
        initdb = [program("initdb"), "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust"]
        self._run([*initdb, "--no-sync", "--no-locale", "-E", "UTF8"])
        self.start()

    def _run(self, argv: list[str]) -> None:
        done = subprocess.run(
            [*self._as_user, *argv], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{argv[0]} failed: {done.stderr}")

    def start(self) -> Self:
        """Start, or start again after `kill`, and wait until it answers."""
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        settings = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB"]
        settings += ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}"]
        options = [part for setting in settings for part in ("-c", setting)]
        postgres = [program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *options]
        self.process = subprocess.Popen(
            [*self._as_user, "setpriv", "--pdeathsig", "INT", *postgres],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
        )
        wait_until(self._answers, 20, "PostgreSQL to answer")
        return self

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """A connection of the test's own, in autocommit."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname=database, connect_timeout=3
        )
        connection.autocommit = True
        return connection

    def url(self, database: str) -> str:
        """The address of a database as SQLAlchemy wants it."""
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str = "template0") -> str:
        """A new database, a copy of `template`; returns its name."""
        self._databases += 1
        name = f"test_{self._databases}"
        with self.connect().cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, also one that is still in use."""
        with self.connect().cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def kill(self) -> None:
        """QUIT is `pg_ctl stop -m immediate`: no checkpoint, as after kill -9, and no backend left over."""
        self.thaw()
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=10)

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
