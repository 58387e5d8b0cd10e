"""Follows a run while ffmpeg is still writing it: new complete fragments, across the borders of its files.
Reads only heads of fragments until asked for bytes; it must never write, lock or delay the writer.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from cctv.media.boxes import Fragment, Init, NotMedia, read_init, scan
from cctv.storage import paths
from cctv.storage.runfile import read_run

_LOOK_ROUND_EVERY = 20  # idle refreshes after which a hole in the numbering is looked for
_SETTLED_NS = (
    50_000_000  # a directory whose change is younger than this may change again in the same clock tick
)


class LocatedFragment(NamedTuple):
    """A fragment and the number of the segment file it lies in."""

    number: int
    fragment: Fragment


class GrowingRun:
    """A reader of one run. Cheap when polled (one fstat, one stat, one pread a new fragment). Not for use
    by several threads at once, except `read`, which opens its own descriptor."""

    def __init__(
        self, media_dir: Path, camera_id: int, run_key: str, *, first_number: int | None = None
    ) -> None:
        """Begin at `first_number`, by default at the file before the newest, so that a live window fills
        at once."""
        self.media_dir = Path(media_dir)
        self.camera_id = camera_id
        self.run_key = run_key
        self.directory = paths.run_dir(self.media_dir, camera_id, run_key)
        self.init: Init | None = None
        self.number = first_number
        self.size_bytes = 0  # of the current file, at the last refresh
        self.written_ms = 0  # when it was last written to, as seen then (epoch, wall clock of this machine)
        self._fd = -1
        self._offset = 0
        self._idle = 0
        self._next_path = ""

    def refresh(self) -> list[LocatedFragment]:
        """The fragments that became complete since the last call, in order; empty when nothing did.

        A file is left only when its successor exists, which ffmpeg opens after it has closed the file.
        """
        found: list[LocatedFragment] = []
        while True:
            if self._fd < 0 and not self._open():
                break
            is_closed = os.path.exists(self._next_path)  # noqa: PTH110 - a string, polled
            self._read_on(found)
            if not is_closed:
                break
            self._leave((self.number or 0) + 1)
        self._idle = 0 if found else self._idle + 1
        if self._idle and self._idle % _LOOK_ROUND_EVERY == 0:
            self._skip_hole()
        return found

    def _open(self) -> bool:
        if self.number is None:
            numbers = paths.list_segments(self.media_dir, self.camera_id, self.run_key)
            if not numbers:
                return False
            self.number = numbers[-2] if len(numbers) > 1 else numbers[-1]
        try:
            self._fd = paths.open_segment(self.media_dir, self.camera_id, self.run_key, self.number)
        except OSError:
            return False
        self._offset = 0
        self._next_path = str(self.directory / paths.segment_name(self.number + 1))
        return True

    def _read_on(self, found: list[LocatedFragment]) -> None:
        status = os.fstat(self._fd)
        self.size_bytes, self.written_ms = status.st_size, status.st_mtime_ns // 1_000_000
        if self._offset == 0:
            if self.init is None and not self._learn_init():
                return
            assert self.init is not None
            self._offset = self.init.size
        if self.init is None or self.size_bytes <= self._offset:
            return
        number = self.number or 0
        fragments = scan(self._fd, self.init, self._offset, end=self.size_bytes)
        if fragments:
            self._offset = fragments[-1].end_offset
            found.extend([LocatedFragment(number, fragment) for fragment in fragments])

    def _learn_init(self) -> bool:
        try:
            self.init = read_init(self._fd)
        except NotMedia:
            return False
        return True

    def _leave(self, number: int) -> None:
        os.close(self._fd)
        self._fd = -1
        self.number = number

    def _skip_hole(self) -> None:
        """Go on with a later file when the next one is gone (expired before it was read)."""
        numbers = paths.list_segments(self.media_dir, self.camera_id, self.run_key)
        later = [number for number in numbers if number > (self.number or 0)]
        if not later or (self._fd < 0 and self.number in numbers):
            return
        if self._fd >= 0:
            self._leave(later[0])
        else:
            self.number = later[0]

    def read(self, located: LocatedFragment) -> bytes:
        """The bytes of a fragment. FileNotFoundError when its file is gone, EOFError when it was cut
        since."""
        return self.read_range(located.number, located.fragment.offset, located.fragment.size)

    def read_range(self, number: int, offset: int, size: int) -> bytes:
        """Some bytes of one file of the run; errors as `read`."""
        descriptor = paths.open_segment(self.media_dir, self.camera_id, self.run_key, number)
        try:
            content = os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)
        if len(content) != size:
            raise EOFError(f"segment {number} of run {self.run_key} is shorter than it was")
        return content

    def read_init_bytes(self) -> bytes:
        """The init of the run, equal in all its files; EOFError before the first file has one."""
        if self.init is None or self.number is None:
            raise EOFError("the run has no init yet")
        for number in reversed(paths.list_segments(self.media_dir, self.camera_id, self.run_key)):
            try:
                content = self.read_range(number, 0, self.init.size)
            except (FileNotFoundError, EOFError):
                continue
            return content
        raise FileNotFoundError(f"run {self.run_key} has no file left")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> GrowingRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_listings: dict[str, tuple[int, list[str]]] = {}


def list_stream_runs(media_dir: Path, camera_id: int, stream_id: int) -> list[str]:
    """The run keys of a stream, oldest first. Runs begun in the same second are ordered by their ordinal."""
    directory = paths.camera_dir(media_dir, camera_id)
    try:
        changed_ns = os.stat(directory).st_mtime_ns  # noqa: PTH116 - polled
    except OSError:
        return []
    remembered = _listings.get(str(directory))
    if remembered is None or remembered[0] != changed_ns:
        keys = paths.list_runs(media_dir, camera_id)
        if time.time_ns() - changed_ns > _SETTLED_NS:
            _listings[str(directory)] = (changed_ns, keys)
    else:
        keys = remembered[1]
    prefix = f"{stream_id}-"
    mine = [key for key in keys if key.startswith(prefix)]
    seconds = [paths.parse_run_key(key).epoch_s for key in mine]
    if len(set(seconds)) == len(seconds):
        return mine
    return sorted(mine, key=lambda key: (paths.parse_run_key(key).epoch_s, _ordinal(directory / key)))


def _ordinal(run_directory: Path) -> int:
    run = read_run(run_directory)
    return run.ordinal if run else -1


def latest_run(media_dir: Path, camera_id: int, stream_id: int) -> str | None:
    """The key of the newest run of a stream on this disk, ended or not; None when there is none."""
    runs = list_stream_runs(media_dir, camera_id, stream_id)
    return runs[-1] if runs else None
