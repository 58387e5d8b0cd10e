"""The newest seconds of a stream as cells of one second: where their bytes lie in the growing files.

One object a stream and process, shared by every face; never a copy of media bytes, never a row.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Lock
from typing import NamedTuple

from cctv.live.bell import Bell
from cctv.media.boxes import TICKS_PER_SECOND, Fragment, Init
from cctv.storage import mapping, paths
from cctv.storage.growing import GrowingRun, list_stream_runs
from cctv.storage.runfile import read_run

KEEP_SECONDS = 30  # of cells behind the newest: a slow player may still ask for what its playlist listed
_RUNS_BACK = 3  # runs before the newest that a fresh process looks at: the last seconds of a flapping camera
_REREAD_SECONDS = 5.0  # age at which the mapping in run.json is read again


class Part(NamedTuple):
    """A fragment and its file. The name says where the one before ended, so that it is known in advance."""

    number: int
    fragment: Fragment
    name: str

    @property
    def is_key(self) -> bool:
        """Whether a player can begin here."""
        return self.fragment.is_key and self.fragment.has_video


class Entry:
    """A part in the order of play. `position` counts up by one in this process, and only there."""

    __slots__ = ("content", "part", "position", "run")

    def __init__(self, position: int, run: LiveRun, part: Part) -> None:
        self.position = position
        self.run = run
        self.part = part
        self.content: bytes | None = None  # held for a moment while several viewers want the same bytes


class Cell:
    """The fragments of one second of a run; `number` is the epoch second, read off the decode time."""

    __slots__ = ("number", "parts", "run")

    def __init__(self, run: LiveRun, number: int) -> None:
        self.run = run
        self.number = number
        self.parts: list[Part] = []

    @property
    def first(self) -> Fragment:
        """The fragment that the cell begins with; it always holds a picture."""
        return self.parts[0].fragment

    @property
    def duration_ticks(self) -> int:
        """From the start of the first picture to the end of the last, 90 kHz."""
        last = next(part.fragment for part in reversed(self.parts) if part.fragment.has_video)
        return last.end_ticks - self.first.start_ticks

    def ranges(self) -> list[tuple[int, int, int]]:
        """(file number, offset, size) of its bytes: one range, two where a file ends inside the second."""
        ranges: list[tuple[int, int, int]] = []
        for number, fragment, _ in self.parts:
            if ranges and ranges[-1][0] == number and sum(ranges[-1][1:]) == fragment.offset:
                ranges[-1] = (number, ranges[-1][1], ranges[-1][2] + fragment.size)
            else:
                ranges.append((number, fragment.offset, fragment.size))
        return ranges


@dataclass(eq=False)
class LiveRun:
    """One run as far as it is of interest now. Cells ascend; the last one may still grow."""

    growing: GrowingRun
    floor: int = 0  # its first cell has at least this number
    cut_at: int | None = None  # from this number on the seconds belong to a newer run
    ordinal: int = 0
    mapping: list[tuple[int, int]] = field(default_factory=list)
    cells: deque[Cell] = field(default_factory=deque)
    _facts_read_at: float = 0.0
    _next_name: str = ""

    @property
    def key(self) -> str:
        """The run key."""
        return self.growing.run_key

    @property
    def init(self) -> Init | None:
        """What its files begin with."""
        return self.growing.init

    def wall_ms(self, ticks: int) -> int:
        """The true time of a decode time."""
        return mapping.wall_ms(self.mapping, ticks // 90)

    def read_facts(self) -> None:
        """Learn ordinal and mapping from run.json; the owner refines the mapping while the run lives."""
        now = time.monotonic()
        if self._facts_read_at and now - self._facts_read_at < _REREAD_SECONDS:
            return
        self._facts_read_at = now
        facts = read_run(self.growing.directory)
        if facts is not None:
            self.ordinal, self.mapping = facts.ordinal, facts.mapping

    def age_seconds(self) -> float:
        """Seconds since ffmpeg last wrote to its newest file; infinite without one."""
        growing = self.growing
        number = growing.number
        if number is None:
            numbers = paths.list_segments(growing.media_dir, growing.camera_id, growing.run_key)
            if not numbers:
                return float("inf")
            number = numbers[-1]
        path = paths.segment_path(growing.media_dir, growing.camera_id, growing.run_key, number)
        try:
            return max(0.0, time.time() - path.stat().st_mtime)
        except OSError:
            return float("inf")

    @property
    def next_name(self) -> str:
        """The name that the next part will have."""
        return self._next_name

    def add(self, number: int, fragment: Fragment) -> Part | None:
        """Sort a fragment of file `number` into its cell; None when no player may see it.

        What comes before the first key frame cannot be decoded. Sound alone stays with the picture before it.
        A decode time that steps back stays in its cell, so that numbers never fall inside a run.
        """
        second = fragment.start_ticks // TICKS_PER_SECOND
        if self.cells:
            last = self.cells[-1].number
            second = max(second, last) if fragment.has_video else last
        elif fragment.has_video and fragment.is_key:
            second = max(second, self.floor)
        else:
            return None
        if self.cut_at is not None and second >= self.cut_at:
            return None
        if not self.cells or self.cells[-1].number != second:
            self.cells.append(Cell(self, second))
        part = Part(number, fragment, self._next_name or f"{number}-{fragment.offset}")
        self._next_name = f"{number}-{fragment.end_offset}"
        self.cells[-1].parts.append(part)
        return part


class Recent:
    """The newest seconds of one stream across its runs. Any thread may call."""

    def __init__(self, media_dir: Path, camera_id: int, stream_id: int) -> None:
        self.media_dir = media_dir
        self.camera_id = camera_id
        self.stream_id = stream_id
        self.runs: list[LiveRun] = []  # oldest first; replaced, never changed in place
        self.used_at = time.monotonic()
        self.changed = Condition(Lock())  # notified after each refresh that found something
        self.bell = Bell()  # the same for direct viewers, who are many
        self.entries: deque[Entry] = deque()
        self._lock = Lock()
        self._position = 0

    def refresh(self) -> bool:
        """Read what was written since the last call and wake who waits for it; whether there was anything."""
        with self._lock:
            self.used_at = time.monotonic()
            before = self._position
            self._find_runs()
            for run in self.runs[-2:]:
                self._read_on(run)
            if self._position == before:
                return False
            self._forget()
        self.bell.ring()
        with self.changed:
            self.changed.notify_all()
        return True

    def entries_from(self, position: int) -> list[Entry]:
        """The remembered fragments at and after a position, in the order of play."""
        with self._lock:
            found: list[Entry] = []
            for entry in reversed(self.entries):
                if entry.position < position:
                    break
                found.append(entry)
        found.reverse()
        return found

    def is_past(self, position: int) -> bool:
        """Whether a fragment of that position has been read."""
        return self._position >= position

    def newest_key(self) -> Entry | None:
        """Where a viewer who wants the present begins."""
        with self._lock:
            return next((entry for entry in reversed(self.entries) if entry.part.is_key), None)

    def content(self, entry: Entry) -> bytes:
        """The bytes of a fragment, read once for all viewers of the moment. OSError or EOFError when gone."""
        content = entry.content
        if content is None:
            fragment = entry.part.fragment
            content = entry.run.growing.read_range(entry.part.number, fragment.offset, fragment.size)
            entry.content = content
        return content

    def cells(self) -> list[Cell]:
        """Every remembered cell, ascending by number."""
        with self._lock:
            return [cell for run in self.runs for cell in run.cells]

    def newest(self) -> LiveRun | None:
        """The newest run that has a picture."""
        return next((run for run in reversed(self.runs) if run.cells), None)

    def find_run(self, run_key: str) -> LiveRun | None:
        """The run of that key, while it is remembered."""
        return next((run for run in self.runs if run.key == run_key), None)

    def find_cell(self, run_key: str, number: int) -> Cell | None:
        """A cell that a playlist listed lately."""
        return next((c for c in self.cells() if c.number == number and c.run.key == run_key), None)

    def find_part(self, run_key: str, name: str) -> tuple[LiveRun, Part] | None:
        """A part that a playlist listed or announced lately."""
        for cell in reversed(self.cells()):
            if cell.run.key == run_key:
                for part in cell.parts:
                    if part.name == name:
                        return cell.run, part
        return None

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            for run in self.runs:
                run.growing.close()
            self.runs = []

    def _find_runs(self) -> None:
        keys = list_stream_runs(self.media_dir, self.camera_id, self.stream_id)
        known = {run.key for run in self.runs}
        if not keys or keys[-1] in known:
            return
        older = [] if self.runs else keys[-1 - _RUNS_BACK : -1]
        for key in older:
            run = self._run(key)
            if run.age_seconds() < KEEP_SECONDS:
                self.runs = [*self.runs, run]
                self._read_on(run)
        self.runs = [*self.runs, self._run(keys[-1])]
        self._forget()  # of a camera that is away every attempt leaves a run without a picture

    def _run(self, key: str) -> LiveRun:
        """A run from the file on that holds what is remembered: every process lists the same window."""
        where = (self.media_dir, self.camera_id, key)
        numbers = paths.list_segments(*where)
        since = time.time() - KEEP_SECONDS
        first = None
        for number in reversed(numbers):
            first = number
            try:
                if paths.segment_path(*where, number - 1).stat().st_mtime < since:
                    break
            except (OSError, ValueError):
                break
        return LiveRun(GrowingRun(*where, first_number=first))

    def _read_on(self, run: LiveRun) -> None:
        for number, fragment in run.growing.refresh():
            if not run.cells and fragment.is_key:
                self._take_over(run, fragment)
            part = run.add(number, fragment)
            if part is not None:
                self._position += 1
                self.entries.append(Entry(self._position, run, part))
                run.read_facts()

    def _take_over(self, run: LiveRun, first: Fragment) -> None:
        """Cut the runs before at the second in which the new one begins; the new one gets the next number.

        So a cell is never rewritten after a player saw it, unless the clock of the host stepped back.
        """
        for older in self.runs[: self.runs.index(run)]:
            begun = [c.number for c in older.cells if c.first.start_ticks < first.start_ticks]
            run.floor = max(run.floor, begun[-1] + 1 if begun else 0)
            older.cut_at = max(run.floor, first.start_ticks // TICKS_PER_SECOND)
            while older.cells and older.cells[-1].number >= older.cut_at:
                older.cells.pop()

    def _forget(self) -> None:
        newest = self.newest()
        if newest is not None:
            horizon = newest.cells[-1].number - KEEP_SECONDS
            for run in self.runs:
                while run.cells and run.cells[0].number < horizon:
                    run.cells.popleft()
        self._forget_entries()
        kept = [run for run in self.runs if run.cells or run is self.runs[-1]]
        for run in self.runs:
            if run not in kept:
                run.growing.close()
        self.runs = kept

    def _forget_entries(self) -> None:
        """Viewers begin at the newest key frame; one who reads slowly still gets the group before it."""
        keys = [entry.position for entry in self.entries if entry.part.is_key]
        oldest = keys[-2] if len(keys) > 1 else 0
        while self.entries and self.entries[0].position < oldest:
            self.entries.popleft()


def is_complete(cell: Cell, newest: LiveRun) -> bool:
    """Whether nothing will be added: its run went on to the next second, or a newer run took over."""
    return cell.run is not newest or cell is not newest.cells[-1]
