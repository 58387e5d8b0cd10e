"""What a keeper says of its stream: its state and the cause of it, each once, as a history without a hole.

Says it to the node; writes nothing and decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cctv.capture.outside import Outside
from cctv.causes import get as cause_of

if TYPE_CHECKING:
    from cctv.capture.keeper import Keeper


class Voice:
    """That of one keeper."""

    def __init__(self, keeper: Keeper, outside: Outside) -> None:
        self.state: str | None = None
        self.cause: str | None = None
        self._keeper = keeper
        self._outside = outside
        self._told_ms = 0

    def tell(self, state: str, cause: str | None, *, detail: str = "", at_ms: int | None = None) -> None:
        """Say it, unless it was said last."""
        if (state, cause) == (self.state, self.cause):
            return
        self.state, self.cause = state, cause
        # Intervals of the history follow one another, also when the beginning is known afterwards.
        self._told_ms = max(self._told_ms, at_ms or self._outside.wall_ms())
        self._outside.tell(self._keeper, state, cause, detail, self._told_ms)

    def tell_cause(self, cause: str, detail: str, *, at_ms: int | None = None) -> None:
        """Say the state that a cause leads to."""
        # What looks like a fault of the camera is none while the disk does not take its pictures.
        cause = self._outside.storage_trouble() or cause
        state = cause_of(cause).state
        # Trying again is told only once: a camera that is away for days has one interval, not thousands.
        self.tell("offline" if state == "live" else state, cause, detail=detail, at_ms=at_ms)

    def repeat(self) -> None:
        """Say it again: somebody else wrote another state meanwhile."""
        state, cause = self.state, self.cause
        self.state = None
        if state:
            self.tell(state, cause)
