"""Whether the system answers, and the one block that tells a person where it is.

Asks the same address as any load balancer; knows nothing else of the application.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from pathlib import Path

from scripts.stack.options import Options

HEALTH_PATH = "/v0/api/system/health/"
_FIRST_WORD_AFTER_SECONDS = 8.0
# Often while a start is normal, then seldom: each question is a line in the access log.
_ASK_EVERY_SECONDS = 0.2
_ASK_SELDOM_SECONDS = 2.0


def address(options: Options) -> str:
    """The address that a person types; for a wildcard the machine's own name."""
    host = socket.gethostname() if options.host in {"0.0.0.0", "::"} else options.host
    return f"http://[{host}]:{options.port}" if ":" in host else f"http://{host}:{options.port}"


def missing_parts(host: str, port: int) -> list[str] | None:
    """Names of what is not there yet; an empty list when ready, None while nothing answers."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = http.client.HTTPConnection(local, port, timeout=2)
    try:
        connection.request("GET", HEALTH_PATH)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if answer.status == 200:
        return []
    try:
        return [str(name) for name in json.loads(body)["missing"]]
    except (ValueError, KeyError, TypeError):
        return [f"an answer other than {answer.status} of {HEALTH_PATH}"]


class Announcer:
    """Prints the block once the system is ready, and before that, now and then, what it waits for."""

    def __init__(self, options: Options, data_dir: Path, setup_path: str | None) -> None:
        self._options = options
        self._data_dir = data_dir
        self._setup_path = setup_path
        self._began = time.monotonic() - options.spent_seconds
        self._speak_at = time.monotonic() + _FIRST_WORD_AFTER_SECONDS
        self._is_late = False
        self.is_ready = False

    def use_setup_path(self, path: str) -> None:
        """The set-up link; None until now, because the database was away at the start."""
        self._setup_path = path

    def tick(self) -> float | None:
        """Look once; returns when to look again, None when there is nothing left to say."""
        if self.is_ready:
            return None
        missing = missing_parts(self._options.host, self._options.port)
        if missing == [] and self._setup_path is not None:
            self.is_ready = True
            print(self._block(), flush=True)
            return None
        if time.monotonic() >= self._speak_at:
            names = ", ".join(missing or ["web" if missing is None else "database"])
            print(f"Still waiting for: {names}. See {self._data_dir / 'logs'}", flush=True)
            self._speak_at = time.monotonic() + 4 * _FIRST_WORD_AFTER_SECONDS
            self._is_late = True
        return _ASK_SELDOM_SECONDS if self._is_late else _ASK_EVERY_SECONDS

    def _block(self) -> str:
        first = address(self._options)
        path = self._setup_path or ""
        lines = [
            ("Set up" if path else "Open", first + path),
            ("Stop", f"Ctrl-C here, or: kill {os.getpid()}"),
            ("Data", str(self._data_dir)),
            ("Logs", str(self._data_dir / "logs")),
        ]
        body = "\n".join(f"  {name:<7} {text}" for name, text in lines)
        return f"\nReady after {time.monotonic() - self._began:.1f} s\n\n{body}\n"
