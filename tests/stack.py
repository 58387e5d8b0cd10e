"""The whole product as `scripts/run` starts it, on a DATA_DIR of its own.

A test may harm it, and must close it.
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Self

import psutil

from scripts.stack import leftovers
from tests.fixtures.processes import ROOT
from tests.servers import free_port
from tests.waiting import wait_until


class Stack:
    """One `scripts/run` on a DATA_DIR of its own."""

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.output = data_dir.with_name(f"{data_dir.name}.out")
        self._arguments = arguments
        inherited = {name: os.environ[name] for name in os.environ.keys() - {"REDIS_URL", "DATABASE_URL"}}
        self._environment = {**inherited, "DATA_DIR": str(data_dir), **environment}
        self.start()

    def start(self) -> Self:
        self.began = time.monotonic()
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [ROOT / "scripts" / "run", "--port", str(self.port), *self._arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self

    def printed(self) -> str:
        return self.output.read_text()

    def wait_ready(self, timeout: float) -> float:
        """Wait for the block; returns the seconds from the start."""

        def is_ready() -> bool:
            assert self.process.poll() is None, self.printed()
            return "Ready after" in self.printed()

        wait_until(is_ready, timeout, f"the block of {self.output}")
        return time.monotonic() - self.began

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    def printed_link(self) -> str:
        """The link with the set-up code out of the printed block."""
        found = re.search(rf"{re.escape(self.url)}/setup/\w+\?code=\S+", self.printed())
        assert found, self.printed()
        return found.group()

    def health(self) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/v0/api/system/health/")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def pid_of(self, part: str) -> int | None:
        """The process id of the part: of its processes the one that leads a session and is no capture."""
        if part == "redis":
            servers = (found for found in leftovers.find_marked(self.data_dir) if "-server" in found.name)
            return next((found.pid for found in servers), None)
        for found in leftovers.find_marked(self.data_dir):
            try:
                is_it = psutil.Process(found.pid).environ().get("CCTV_PART") == part
            except psutil.Error:
                continue
            if is_it and found.is_session_leader and not found.is_capture:
                return found.pid
        return None

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=5)
        leftovers.end(self.data_dir, with_captures=True, patience_seconds=1)
