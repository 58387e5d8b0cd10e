"""Lists that many apps ask for at once are made two at a time, first come first served.

Thirty-two threads that all compute in one Python get in one another's way: each answer costs twice as much,
and some wait twice as long as others. Only for answers that are made in milliseconds and wait for nobody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

View = TypeVar("View", bound=Callable[..., Any])

_AT_ONCE = 2  # one computes while the other waits for the database


class Turns:
    """Lets a few through at a time, in the order in which they came."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[threading.Lock] = deque()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait until it is the caller's turn."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def give_back(self) -> None:
        """Let the next one through."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


def in_turn(view: View) -> View:
    """Mark a list whose askers take turns."""
    view.in_turn = True  # type: ignore[attr-defined]
    return view


def register_turns(app: Flask) -> None:
    """Before anything is computed for the request, until its answer is made."""
    turns = Turns(_AT_ONCE)

    def take() -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        if getattr(view, "in_turn", False):
            turns.take()
            g.has_turn = True

    def give_back(_: BaseException | None) -> None:
        if g.pop("has_turn", False):
            turns.give_back()

    app.before_request(take)
    app.teardown_request(give_back)
