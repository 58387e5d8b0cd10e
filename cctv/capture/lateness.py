"""How late content is written, second by second, and the mapping to wall time that follows from it.

The least lateness of a window counts: delay only ever adds to it (DECISIONS 4). It reads no clock of its own.
"""

from __future__ import annotations

from cctv.storage.mapping import offset_ms

Points = list[tuple[int, int]]  # (content_ms, offset_ms)

HELD_BACK_MS = 40  # ffmpeg hands a frame on when the next one comes (measured, ENGINE 11.2)
MOVES_MS = 40  # smaller changes of the estimate are noise
SLEW_MS = 5_000  # content time over which a new offset is reached, so that no two moments become one
FIRST_MS = 3_000  # a camera may send its last group of pictures at once: until then the start is a guess


class Lateness:
    """The mapping of one run while it grows."""

    def __init__(self, points: Points, *, window_s: float) -> None:
        self.points = list(points)
        self._window_s = window_s
        self._is_guess = not points
        self._first_ms: int | None = None
        self._least: int | None = None  # of the window at hand
        self._least_before: int | None = None  # of the window before
        self._window_ends = 0.0

    def sample(self, content_end_ms: int, written_ms: int, now: float) -> bool:
        """Take in when the newest content was written; True when the mapping is worth being stored anew."""
        late = written_ms - content_end_ms - HELD_BACK_MS
        if self._first_ms is None:
            self._first_ms = content_end_ms
            self._window_ends = now + self._window_s
        self._least = late if self._least is None else min(self._least, late)
        if self._is_guess:
            return self._guess(content_end_ms)
        if now < self._window_ends:
            return False
        return self._close_window(content_end_ms, now)

    def ahead_ms(self, content_end_ms: int, written_ms: int) -> int:
        """How much newer the content claims to be than the moment it was written."""
        return content_end_ms + offset_ms(self.points, content_end_ms) - written_ms + HELD_BACK_MS

    def settle(self) -> bool:
        """The start is no guess any more, because a row is made from it; True when it was one until now."""
        was_guess, self._is_guess = self._is_guess, False
        return was_guess

    def _guess(self, content_end_ms: int) -> bool:
        assert self._least is not None and self._first_ms is not None
        self._is_guess = content_end_ms - self._first_ms < FIRST_MS
        self.points = [(self._first_ms, self._least)]
        return not self._is_guess

    def _close_window(self, content_end_ms: int, now: float) -> bool:
        candidates = [value for value in (self._least, self._least_before) if value is not None]
        least = min(candidates)
        self._least_before, self._least = self._least, None
        self._window_ends = now + self._window_s
        held = offset_ms(self.points, content_end_ms)
        if abs(least - held) <= MOVES_MS or content_end_ms < self.points[-1][0]:
            return False
        # What was told so far stays true: the old offset is pinned here, the new one reached from here on.
        # Slowly enough that true time never stands still: a camera may have begun many seconds late.
        slew_ms = max(SLEW_MS, 2 * abs(least - held))
        self.points += [(content_end_ms, held), (content_end_ms + slew_ms, least)]
        return True
