"""How long to wait for what: every time constant of the capture engine, with its reason.

Only figures; tests shorten them, nothing else does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, unless the name says otherwise (DECISIONS 5)."""

    tcp: float = 5.0  # until the camera's port answers
    first_fragment: float = 60.0  # until the first picture: some cameras need 40 s
    unanswered: float = 15.0  # without a word, until another connection asks whether the camera would answer
    ask_again: float = 10.0
    silent: float = 10.0  # until a camera that froze, and is called again in vain, is offline
    frozen: float = 5.0  # without bytes, until people are told
    stall: float = 8.0  # without bytes, until the attempt is ended; 3 x the usual spacing when that is more
    content_frozen: float = 10.0  # bytes come, but their time stands still
    # No camera needs as much; one that sends more would push the footage of all others off the disk.
    flood_bits_per_second: float = 100_000_000
    terminate: float = 0.5  # from TERM to KILL: a stalled ffmpeg does not hear TERM
    retry_first: float = 0.2
    retry_longest: float = 10.0
    settled: float = 10.0  # an attempt that lived so long was a good one: the back-off begins anew
    refused_first: float = 300.0  # a login that worked and is refused: many cameras lock after five tries
    refused_later: float = 1800.0
    storage_retry: float = 5.0  # a look at the disk; recording goes on at most 60 s after there is space
    on_demand_idle: float = 2.0  # beyond the life of the watch key
    clock_step: float = 2.0  # of the host's clock
    poll: float = 3.0  # what is wanted, asked once for all streams; a new camera does not wait for it
    renew: float = 5.0  # a third of the lease
    storage_check: float = 15.0  # with `hung`, a dead disk is told within 30 s
    hung: float = 10.0  # a round of watching that takes longer: the disk does not answer
    starts_per_second: float = 10.0  # a start costs 0.1 s of CPU: no storm when a switch comes back
    drift_window: float = 15.0  # over which the least lateness is looked for

    def retry_after(self, failures: int) -> float:
        """Back-off after so many failed attempts in a row (from 1), with jitter."""
        base = min(self.retry_longest, self.retry_first * 2 ** min(failures - 1, 12))
        return base * random.uniform(0.8, 1.2)
