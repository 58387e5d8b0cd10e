"""Follows the streams that somebody watches now: one thread a process, one tail a stream for all its viewers.

It only says when to look; what was written is in recent.py. Nothing here knows a request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread

from cctv.live.notices import FolderNotices
from cctv.live.recent import Recent
from cctv.storage import paths

LINGER_SECONDS = 5.0  # a tail outlives its last viewer by this: a player that re-attaches finds it warm
IDLE_SECONDS = 60.0  # a stream that nobody asked for keeps its files open for this long
_SAFETY_SECONDS = 0.25  # looked at without any notice: folders on network disks give none
_POLL_SECONDS = 0.02  # when there are no notices at all
_GATHER_SECONDS = 0.002  # a large fragment comes in several writes; look once they are all there

_log = logging.getLogger(__name__)


class _Tail:
    """One followed stream."""

    def __init__(self, recent: Recent) -> None:
        self.recent = recent
        self.viewers = 0
        self.left_at = 0.0
        self.is_in_trouble = False  # told once
        self.folders: dict[Path, int] = {}  # folder -> number of its watch


class Tails:
    """The streams of this process that are known, and those that are followed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._streams: dict[tuple[Path, int, int], Recent] = {}
        self._tails: dict[Recent, _Tail] = {}
        self._thread: Thread | None = None
        self._notices: FolderNotices | None = None

    def stream(self, media_dir: Path, camera_id: int, stream_id: int) -> Recent:
        """The one object of a stream in this process, refreshed by whoever looks."""
        key = (media_dir, camera_id, stream_id)
        with self._lock:
            self._close_idle()
            return self._streams.setdefault(key, Recent(media_dir, camera_id, stream_id))

    @contextmanager
    def following(self, recent: Recent) -> Iterator[None]:
        """Have the stream looked at whenever something is written, while somebody is inside."""
        tail = self._enter(recent)
        try:
            yield
        finally:
            with self._lock:
                tail.viewers -= 1
                tail.left_at = time.monotonic()

    def wait(self, recent: Recent, is_there: Callable[[], bool], *, timeout_seconds: float) -> bool:
        """Sleep until the stream has come so far; False when it did not in time."""
        with self.following(recent), recent.changed:
            return recent.changed.wait_for(is_there, timeout_seconds)

    def count(self) -> int:
        """How many streams are followed now."""
        return len(self._tails)

    def _enter(self, recent: Recent) -> _Tail:
        with self._lock:
            tail = self._tails.get(recent)
            is_new = tail is None
            if tail is None:
                tail = self._tails[recent] = _Tail(recent)
            tail.viewers += 1
            if self._thread is None:
                self._thread = Thread(target=self._run, name="tails", daemon=True)
                self._thread.start()
        if is_new:
            recent.refresh()
        return tail

    def _run(self) -> None:
        try:
            self._notices = FolderNotices()
        except OSError as error:
            _log.warning(
                "no notices of written files (%s): looking every %.0f ms", error, _POLL_SECONDS * 1000
            )
        while tails := self._remaining():
            for tail in self._changed(tails):
                self._look(tail)

    def _remaining(self) -> list[_Tail]:
        """The followed streams; without any for LINGER_SECONDS the thread ends here, under the lock."""
        with self._lock:
            gone_before = time.monotonic() - LINGER_SECONDS
            for tail in list(self._tails.values()):
                if not tail.viewers and tail.left_at < gone_before:
                    self._watch(tail, [])
                    del self._tails[tail.recent]
            if not self._tails:
                if self._notices is not None:
                    self._notices.close()
                self._thread = self._notices = None
            return list(self._tails.values())

    def _changed(self, tails: list[_Tail]) -> list[_Tail]:
        if self._notices is None:
            time.sleep(_POLL_SECONDS)
            return tails
        for tail in tails:
            if not tail.folders:
                self._look(tail)
        watches = self._notices.wait(_SAFETY_SECONDS)
        if not watches:
            return tails
        time.sleep(_GATHER_SECONDS)
        watches |= self._notices.wait(0)
        return [tail for tail in tails if not watches.isdisjoint(tail.folders.values())]

    def _look(self, tail: _Tail) -> None:
        """Read on; the trouble of one stream must not end the looking at all others."""
        try:
            self._read_on(tail)
        except Exception:
            if not tail.is_in_trouble:
                _log.exception("camera %d cannot be followed", tail.recent.camera_id)
            tail.is_in_trouble = True
            time.sleep(_POLL_SECONDS)
        else:
            tail.is_in_trouble = False

    def _read_on(self, tail: _Tail) -> None:
        recent = tail.recent
        recent.refresh()
        newest = [run.growing.directory for run in recent.runs[-2:]]
        self._watch(tail, [paths.camera_dir(recent.media_dir, recent.camera_id), *newest])

    def _watch(self, tail: _Tail, folders: list[Path]) -> None:
        if self._notices is None or set(folders) == set(tail.folders):
            return
        for folder in set(tail.folders) - set(folders):
            watch = tail.folders.pop(folder)
            if not any(watch in other.folders.values() for other in self._tails.values()):
                self._notices.remove(watch)
        for folder in folders:
            if folder in tail.folders:
                continue
            try:
                tail.folders[folder] = self._notices.add(folder)
            except OSError:
                continue  # gone again, or no watches left: the look without notice remains
            tail.recent.refresh()  # what was written before the watch stood gave no notice

    def _close_idle(self) -> None:
        before = time.monotonic() - IDLE_SECONDS
        for key, recent in list(self._streams.items()):
            if recent.used_at < before and recent not in self._tails:
                del self._streams[key]
                recent.close()


tails = Tails()
