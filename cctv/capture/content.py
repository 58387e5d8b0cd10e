"""Judges what an ffmpeg writes, once a second: which files are finished, whether their time can be trusted.

Reads heads of fragments only; starts, stops and records nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from cctv.capture.lateness import Lateness
from cctv.capture.patience import Patience
from cctv.clock import now_ms
from cctv.media.boxes import TICKS_PER_SECOND, Fragment, parameter_sets_differ
from cctv.models import StreamKind
from cctv.storage.growing import GrowingRun, LocatedFragment
from cctv.storage.mapping import wall_ms
from cctv.storage.measure import AHEAD_MS, LONG_TICKS, STEP_TICKS, TICKS_PER_MS, MeasuredSegment, Tally
from cctv.storage.runfile import RunFile

_FROZEN_SHARE = 0.2  # content that advances less than this share of the wall clock stands still


@dataclass(slots=True)
class Look:
    """What one look found."""

    fragments: int = 0  # new ones, with picture
    closed: list[MeasuredSegment] = field(default_factory=list)
    trouble: str | None = None  # cause for which the run must end now
    has_new_mapping: bool = False


class Content:
    """The content of one run while it grows. One thread only."""

    def __init__(self, growing: GrowingRun, run: RunFile, patience: Patience) -> None:
        self.run = run
        self.growing = growing
        self.spacing_s = 0.0  # usual time between fragments, by their own times
        self.is_over = False  # what comes now does not count any more
        self._patience = patience
        self._is_derived = StreamKind(run.kind).is_derived  # its times are those of the run it is made from
        self._lateness = Lateness(run.mapping, window_s=patience.drift_window)
        self._tally: Tally | None = None
        self._first_key: Fragment | None = None
        # (time, content end, fragments so far, bytes so far)
        self._progress: deque[tuple[float, int, int, int]] = deque()
        self._seen = 0
        self._bytes = 0
        self._end_ticks = -1  # of the newest picture that counts
        self._newest_ms = 0  # end of the newest picture of this look

    @property
    def has_picture(self) -> bool:
        """Whether a key frame has come."""
        return self._first_key is not None

    @property
    def start_ms(self) -> int | None:
        """Wall time of the first picture; None before it."""
        return None if self._first_key is None else wall_ms(self.run.mapping, self._first_key.start_ms)

    @property
    def end_ms(self) -> int | None:
        """Wall time of the end of what counts; None before the first key frame."""
        return wall_ms(self.run.mapping, self._end_ticks // TICKS_PER_MS) if self._end_ticks >= 0 else None

    def age_s(self) -> float:
        """Seconds since the file was written to, as of the last look; not negative."""
        return max(0.0, (now_ms() - self.growing.written_ms) / 1000)

    def look(self, now: float) -> Look:
        """Take in what was written since the last look."""
        found = Look()
        written = self.growing.refresh()
        self._newest_ms = max((one.fragment.end_ms for one in written if one.fragment.has_video), default=0)
        for located in written:
            if self.is_over:
                break
            self._take(located, found)
        if found.fragments and not self.is_over:
            self._follow(found, now)
        return found

    def finish(self, now: float) -> Look:
        """The last look, after the writer has ended: its open file is closed too."""
        found = self.look(now)
        self._close(found)
        return found

    def _take(self, located: LocatedFragment, found: Look) -> None:
        fragment = located.fragment
        if self._tally is None:
            self._tally = Tally(located.number)
        elif located.number > self._tally.number:
            self._meet(fragment)
            self._close(found)
            self._tally = Tally(located.number)
        if fragment.is_key and fragment.has_video and self._is_other_picture(fragment):
            found.trouble, self.is_over = "changed", True
            return
        if self._is_jump(fragment):
            found.trouble, self.is_over = "clock_step", True
            return
        self._tally.add(fragment)
        self._bytes += fragment.size
        if fragment.has_video and self.has_picture:
            self._end_ticks = fragment.end_ticks
            found.fragments += 1
            seconds = fragment.duration_ticks / TICKS_PER_SECOND
            self.spacing_s += (seconds - self.spacing_s) / 8

    def _is_other_picture(self, fragment: Fragment) -> bool:
        assert self.growing.init is not None
        if self._first_key is None:
            self._first_key = fragment
            return False
        return parameter_sets_differ(fragment, self.growing.init, first=self._first_key)

    def _is_jump(self, fragment: Fragment) -> bool:
        """Backwards, or forwards by more than the wall clock: lost pictures leave holes, too (FAULTS C4)."""
        if not fragment.has_video or self._end_ticks < 0:
            return False
        hole = fragment.start_ticks - self._end_ticks
        if hole < -STEP_TICKS:
            return True
        is_long = hole > STEP_TICKS or fragment.duration_ticks > LONG_TICKS
        # The newest picture has just been written; this one may have been up to a look ago.
        return is_long and self._lateness.ahead_ms(self._newest_ms, self.growing.written_ms) > AHEAD_MS

    def _follow(self, found: Look, now: float) -> None:
        """Keep the mapping and see whether content keeps pace with the wall clock."""
        end_ms = self._end_ticks // TICKS_PER_MS
        if not self._is_derived:
            if self._lateness.sample(end_ms, self.growing.written_ms, now):
                found.has_new_mapping = True
            if self._lateness.points != self.run.mapping:
                self.run = replace(self.run, mapping=list(self._lateness.points))
        self._seen += found.fragments
        progress = self._progress
        progress.append((now, end_ms, self._seen, self._bytes))
        span = self._patience.content_frozen
        while len(progress) > 2 and now - progress[1][0] >= span:
            progress.popleft()
        then, then_ms, then_seen, then_bytes = progress[0]
        if now - then < span:
            return
        is_slow = end_ms - then_ms < (now - then) * 1000 * _FROZEN_SHARE
        if is_slow and self._seen - then_seen >= 2:
            found.trouble, self.is_over = "frozen", True
        elif (self._bytes - then_bytes) * 8 > (now - then) * self._patience.flood_bits_per_second:
            found.trouble, self.is_over = "flood", True

    def _meet(self, fragment: Fragment) -> None:
        """Only the first picture of the next file tells how long the last one of this file lasts."""
        tally = self._tally
        if tally is None or not tally.has_content or not fragment.has_video:
            return
        if abs(tally.hole_ticks(fragment)) <= STEP_TICKS and fragment.start_ticks > tally.start_ticks:
            tally.end_ticks = fragment.start_ticks

    def _close(self, found: Look) -> None:
        tally, self._tally = self._tally, None
        if tally is None or self.growing.init is None:
            return
        if self._lateness.settle():
            found.has_new_mapping = True  # rows are made from it now: whoever adopts must go on with it
        measured = tally.measured(self.run, init_size=self.growing.init.size, is_damaged=self.is_over)
        if measured:
            found.closed.append(measured)
