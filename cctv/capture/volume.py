"""The disk of the footage as the captures see it: is it ours, does it take a write, how much room is there.

Asks through a child process, because a hung disk hangs whoever touches it; starts and stops no capture.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
import uuid
from pathlib import Path

from cctv.storage import disk

_log = logging.getLogger(__name__)

_CAUSES = {
    "full": "disk_full",
    "read_only": "disk_error",
    "error": "disk_error",
    "hung": "disk_hung",
    "missing": "volume_missing",
}
_LOWEST_FREE_BYTES = 64 * 1024**2  # below it a start would only make torn files
_LOWEST_FREE_SHARE = 20  # a small disk has its floor above it as well


class Volume(threading.Thread):
    """The thread that looks, and the verdict of its last look."""

    def __init__(self, media_dir: Path, data_dir: Path, *, every_s: float, hung_after_s: float) -> None:
        super().__init__(name="volume", daemon=True)
        self.state = "ok"  # as Node.storage_state
        self.detail = ""
        self.free_bytes: int | None = None
        self.total_bytes: int | None = None
        self.write_lag_ms: int | None = None
        self._media_dir = media_dir
        self._id_file = data_dir / "volume_id"
        self._every_s = every_s
        self._hung_after_s = hung_after_s
        self._again = threading.Event()

    @property
    def trouble(self) -> str | None:
        """Cause for which nothing may be written now."""
        return _CAUSES.get(self.state)

    def prepare(self) -> None:
        """At the first start of all, declare MEDIA_DIR to be the footage volume; later only look."""
        if not self._id_file.exists() or not self._id_file.read_text().strip():
            self._media_dir.mkdir(parents=True, exist_ok=True)
            disk.write_marker(self._media_dir, uuid.uuid4().hex)
            self._id_file.write_text(disk.read_marker(self._media_dir) or "")
            # A power cut must not leave the name without the id: no disk would ever be the right one again.
            disk.fsync_file(self._id_file)
            disk.fsync_directory(self._id_file.parent)
        self.look()

    def report(self, error: OSError) -> None:
        """Somebody met an error of the disk: believe it and look again soon."""
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        self.state, self.detail = ("full" if is_full else "error"), error.strerror or str(error)
        self._again.set()

    def is_there(self) -> bool:
        """Whether MEDIA_DIR is the footage disk at this moment, and not the empty folder below its mount."""
        return disk.is_volume(self._media_dir, self._id_file.read_text().strip())

    def look(self) -> None:
        """One look; takes as long as a hung disk is allowed to."""
        if not self.is_there():
            self._say("missing", "the marker of the footage disk is not there")
            return
        check = disk.check_write(self._media_dir, timeout_s=self._hung_after_s)
        if check.state in ("ok", "full"):
            usage = disk.usage(self._media_dir)
            self.free_bytes, self.total_bytes = usage.free_bytes, usage.total_bytes
            lowest = min(_LOWEST_FREE_BYTES, usage.total_bytes // _LOWEST_FREE_SHARE)
            if usage.free_bytes < lowest or usage.free_inodes in range(16):
                check = check._replace(state="full", detail="no room left")
        self.write_lag_ms = check.elapsed_ms
        self._say(check.state, check.detail)

    def _say(self, state: str, detail: str) -> None:
        if state != self.state:
            _log.warning("storage: %s %s", state, detail)
        self.state, self.detail = state, detail

    def run(self) -> None:
        """For ever."""
        while True:
            try:
                self.look()
            except OSError as error:
                self._say("error", str(error))
            self._again.wait(self._every_s)
            if self._again.is_set():
                time.sleep(1.0)
                self._again.clear()

    def columns(self) -> dict[str, object]:
        """For the node's row."""
        state = self.state if self.state in ("ok", "full", "read_only", "hung", "missing") else "read_only"
        return {
            "storage_state": state,
            "storage_detail": self.detail[:300],
            "free_bytes": self.free_bytes,
            "total_bytes": self.total_bytes,
            "write_lag_ms": self.write_lag_ms,
        }
