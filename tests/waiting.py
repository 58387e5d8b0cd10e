"""Waiting with an end: tests poll for what they expect and never just sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    predicate: Callable[[], T | None], timeout: float, what: str, *, every_seconds: float = 0.05
) -> T:
    """Poll until `predicate()` is true and return its value.

    Raises:
        AssertionError: `timeout` seconds passed; the message says what was waited for and the last value.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"after {timeout:g} s still waiting for: {what} (last value: {value!r})")
        time.sleep(every_seconds)
