"""Lists that many apps ask for at once are made once a second for all who may see the same.

Who may see what is asked at every request and is part of the key; only states may be a second old. Whatever
is changed through this process is seen by the next request.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from flask import Flask, Response, current_app, request
from marshmallow import Schema

_SECONDS = 1.0
_MOST = 500
_SAFE = {"GET", "HEAD", "OPTIONS"}


class Answers:
    """JSON texts of the last second."""

    def __init__(self) -> None:
        self._found: dict[Hashable, tuple[float, int, str]] = {}
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self._changes = 0

    def forget(self) -> None:
        """Something was changed."""
        with self._lock:
            self._changes += 1

    def get(self, key: Hashable, make: Callable[[], str]) -> str:
        """The text of this key; whoever asks while it is made waits for it."""
        with self._lock:
            if len(self._found) > _MOST:
                self._found.clear()
                self._making.clear()
            making = self._making.setdefault(key, threading.Lock())
        with making:
            until, changes, text = self._found.get(key, (0.0, -1, ""))
            if until < time.monotonic() or changes != self._changes:
                began, changes = time.monotonic(), self._changes
                text = make()
                self._found[key] = (began + _SECONDS, changes, text)
            return text


def register_shared(app: Flask) -> None:
    """Forget all of it whenever somebody changes something."""
    answers = app.extensions["cctv.api.answers"] = Answers()

    def after(response: Response) -> Response:
        if request.method not in _SAFE:
            answers.forget()
        return response

    app.after_request(after)


def shared(key: Hashable, make: Callable[[], Mapping[str, Any]], shape: Schema) -> Response:
    """The answer of `make`, or that of the last second; `key` holds everything that it depends on."""
    answers: Answers = current_app.extensions["cctv.api.answers"]
    text = answers.get((shape.__class__, key), lambda: json.dumps(shape.dump(make()), separators=(",", ":")))
    return Response(text, mimetype="application/json")
