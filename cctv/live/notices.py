"""Linux's notices of written files (inotify, man 7 inotify), through the C library that Python already uses.

Tells only that a folder changed; what changed is read by those who know the files.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
from pathlib import Path

_IN_MODIFY, _IN_CREATE, _IN_MOVED_TO = 0x2, 0x100, 0x80
_IN_NONBLOCK, _IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_EVENT = struct.Struct("iIII")
_BUFFER_BYTES = 64 * 1024


class FolderNotices:
    """A set of watched folders. One thread waits; any thread may add and remove."""

    def __init__(self) -> None:
        """OSError when the kernel gives no instance (limit of the user, or no inotify)."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def add(self, folder: Path) -> int:
        """Watch a folder; the number that `wait` reports for it. OSError when it is gone, or at the limit."""
        watch = self._libc.inotify_add_watch(
            self._fd, os.fsencode(folder), _IN_MODIFY | _IN_CREATE | _IN_MOVED_TO
        )
        if watch < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        return int(watch)

    def remove(self, watch: int) -> None:
        """Watch a folder no longer; one that is gone already is fine."""
        self._libc.inotify_rm_watch(self._fd, watch)

    def wait(self, timeout_seconds: float) -> set[int]:
        """The watched folders in which something was written; empty after the time is up."""
        if not self._poll.poll(timeout_seconds * 1000):
            return set()
        try:
            events = os.read(self._fd, _BUFFER_BYTES)
        except BlockingIOError:
            return set()
        changed, at = set(), 0
        while at + _EVENT.size <= len(events):
            watch, _, _, name_bytes = _EVENT.unpack_from(events, at)
            changed.add(watch)
            at += _EVENT.size + name_bytes
        return changed

    def close(self) -> None:
        """Give the instance back."""
        os.close(self._fd)
