"""A person who looks at the pages all the time: how long each answer took, and which were not good.

Also counts the ffmpegs of each camera; it looks only and never repairs.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

HEALTH = "/v0/api/system/health/"
PAGE = "/wall/status"
_TIMEOUT_S = 12.0


class Answer(NamedTuple):
    """One request. `status` 0: no answer at all."""

    at: float  # monotonic, of the question
    path: str
    status: int
    seconds: float


class Onlooker(threading.Thread):
    """The thread. `note` marks a moment; `since` tells what was seen from it on."""

    def __init__(self, port: int, *, count_captures: Callable[[], Counter[int]]) -> None:
        super().__init__(name="onlooker", daemon=True)
        self.port = port
        self.answers: list[Answer] = []
        self.doubles: list[tuple[float, int]] = []  # (moment, camera) with two ffmpegs
        self._count = count_captures
        self._cookie = ""
        self._is_over = threading.Event()

    def run(self) -> None:
        """Until `close`."""
        while not self._is_over.wait(0.4):
            self.answers.append(self.ask(HEALTH))
            if self._cookie:
                self.answers.append(self.ask(PAGE))
            for camera_id, count in self._count().items():
                if count > 1:
                    self.doubles.append((time.monotonic(), camera_id))

    def close(self) -> None:
        """End the thread."""
        self._is_over.set()
        self.join(timeout=_TIMEOUT_S)

    def ask(self, path: str) -> Answer:
        """One question, with the session of `sign_in`."""
        began = time.monotonic()
        status, _ = self._request("GET", path, {"Cookie": self._cookie, "Accept": "text/html"})
        return Answer(began, path, status, time.monotonic() - began)

    def sign_in(self, email: str, password: str) -> int:
        """Sign in as a browser does; the status of the answer, 303 when it worked."""
        _, page = self._request("GET", "/login", {"Accept": "text/html"})
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.body)
        fields = {"name": email, "password": password, "csrf_token": token[1] if token else ""}
        headers = {
            "Cookie": page.cookie,
            "Accept": "text/html",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        status, answer = self._request("POST", "/login", headers, urllib.parse.urlencode(fields))
        if status == 303:
            self._cookie = answer.cookie
        return status

    def _request(self, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, _Page]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            cookies = [value.partition(";")[0] for value in answer.headers.get_all("Set-Cookie") or []]
            return answer.status, _Page(answer.read().decode("utf-8", "replace"), "; ".join(cookies))
        except (OSError, http.client.HTTPException):
            return 0, _Page("", "")
        finally:
            connection.close()

    def since(self, moment: float, until: float | None = None) -> list[Answer]:
        """Answers to questions asked from `moment` on."""
        end = until or float("inf")
        return [answer for answer in list(self.answers) if moment <= answer.at <= end]


class _Page(NamedTuple):
    body: str
    cookie: str
