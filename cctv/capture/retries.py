"""When to try again: back-off for ever, long pauses after refusals, none after what a new run cures.

Counts failures of one stream; knows no process and no clock.
"""

from __future__ import annotations

from cctv.capture.patience import Patience

_STORAGE = ("disk_full", "disk_error", "disk_hung", "volume_missing")
_CURED_BY_A_NEW_RUN = ("changed", "clock_step", "frozen")
_UNTIL_CHANGED = ("auth", "badurl")  # a login that never worked would only lock the account
_REFUSALS = ("locked", "forbidden", "redirected", "flood")  # asking again changes nothing, or does harm
_CLOCK_STEPS_UNTIL_DISTRUST = 3


class Retries:
    """The failures of one stream."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._refusals = 0
        self._clock_steps = 0

    @property
    def distrusts_clock(self) -> bool:
        """The camera's clock jumped so often that arrival times are better."""
        return self._clock_steps >= _CLOCK_STEPS_UNTIL_DISTRUST

    def forget(self) -> None:
        """Address or login are new."""
        self._failures = self._refusals = self._clock_steps = 0

    def answered(self) -> None:
        """It is there again: the next attempt need not wait."""
        self._failures = 0

    def accepted(self) -> None:
        """The camera let us in."""
        self._refusals = 0

    def settled(self) -> None:
        """The attempt was a good one."""
        self._failures = 0

    def pause_after(self, cause: str, *, was_good: bool) -> float:
        """Seconds until the next attempt; infinite when only a person can help."""
        self._failures = 1 if cause in _CURED_BY_A_NEW_RUN and was_good else self._failures + 1
        if cause in ("clock_step", "frozen"):
            self._clock_steps += 1
        if cause in _UNTIL_CHANGED:
            return float("inf")
        if cause in _REFUSALS:
            self._refusals += 1
            return self._patience.refused_first if self._refusals == 1 else self._patience.refused_later
        if cause in _STORAGE:
            return self._patience.storage_retry
        if was_good and self._failures == 1:
            return 0.0  # it ran well until now: each moment of waiting is a moment of the gap
        return self._patience.retry_after(self._failures)
