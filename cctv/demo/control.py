"""A client for the control port, for tests, drills and the benchmark.
Blocking and small on purpose: one connection a command, an exception when a command was not understood."""

from __future__ import annotations

import json
import socket
from typing import Any


class ControlRefused(Exception):
    """The server did not understand the command."""


class Control:
    """Faults of a running demo server: `Control(port)("hang", 3)`; the commands stand in demo/faults.py."""

    def __init__(self, port: int, *, timeout_seconds: float = 30.0) -> None:
        self._address = ("127.0.0.1", port)
        self._timeout_seconds = timeout_seconds

    def __call__(self, verb: str, *words: object) -> dict[str, Any]:
        """Sends one command and answers what the server said. Raises ControlRefused, OSError."""
        line = " ".join(map(str, (verb, *words))) + "\n"
        with socket.create_connection(self._address, timeout=self._timeout_seconds) as connection:
            connection.sendall(line.encode())
            with connection.makefile("rb") as answers:
                said: dict[str, Any] = json.loads(answers.readline())
        if not said.pop("ok"):
            raise ControlRefused(said["error"])
        return said

    def stats(self, number: int) -> dict[str, Any]:
        """What was counted for one camera number."""
        counted: dict[str, Any] = self("stats", number)["cameras"][str(number)]
        return counted
