"""The time from the start of an attempt to its first picture: how long which silence is borne.

Decides and asks the kernel; ends nothing and never waits.
"""

from __future__ import annotations

from cctv.capture import heard, process
from cctv.capture.attempt import Attempt
from cctv.capture.patience import Patience


class Beginning:
    """That of one attempt."""

    def __init__(self, attempt: Attempt, patience: Patience, now: float) -> None:
        self.began_at = now
        self._attempt = attempt
        self._patience = patience
        self._ask_at = now + patience.unanswered

    def verdict(self, now: float) -> str | None:
        """The cause for which the attempt should end, or None while it may still come to something."""
        waited = now - self.began_at
        if waited > self._patience.first_fragment:
            return "silent"
        if waited > self._patience.tcp and self._attempt.port and not self._is_connected():
            return "noroute"
        return None

    def should_ask(self, now: float) -> bool:
        """Whether it is time to find out if the camera would answer another connection (heard.answers).

        Only when it has not said one word on this one: a camera that is slow to describe its stream or to
        send its first picture has answered OPTIONS before, and is waited for.
        """
        if now < self._ask_at:
            return False
        self._ask_at = now + self._patience.ask_again
        return self.is_unheard()

    def is_unheard(self) -> bool:
        """Whether the camera took the call and has said nothing at all."""
        return bool(self._attempt.allowed) and heard.is_unheard(self._attempt.pid, *self._attempt.allowed[0])

    def _is_connected(self) -> bool:
        if process.has_connection(self._attempt.pid, self._attempt.port):
            self._attempt.port = 0  # asked once
            return True
        return False
