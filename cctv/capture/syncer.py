"""Brings growing files to the disk every few seconds: the setting is the footage that a power cut can cost.

Only files of cameras whose footage somebody wants now, or may want once it is looked at; a hung disk hangs
this thread and nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from cctv.config import Config
from cctv.extensions import db
from cctv.services.recording import wanted
from cctv.storage import disk

_log = logging.getLogger(__name__)

_MANY = 4  # from so many files on, the whole file system is cheaper


class Syncer(threading.Thread):
    """The thread."""

    def __init__(self, app: Flask, config: Config, open_files: Callable[[], list[tuple[int, Path]]]) -> None:
        super().__init__(name="syncer", daemon=True)
        self._app = app
        self._every_s = config.fsync_seconds
        self._media_dir = config.media_dir
        self._open_files = open_files

    def run(self) -> None:
        """For ever."""
        while True:
            began = time.monotonic()
            files = self._open_files()
            cameras = self._wanted() if files else set()
            self._sync([path for camera, path in files if cameras is None or camera in cameras])
            time.sleep(max(0.5, self._every_s - (time.monotonic() - began)))

    def _wanted(self) -> set[int] | None:
        """None: the database is away, so everything may be wanted."""
        with self._app.app_context():
            try:
                return wanted.cameras_to_sync()
            except (SQLAlchemyError, OSError):
                return None
            finally:
                db.session.remove()

    def _sync(self, wanted_files: list[Path]) -> None:
        try:
            if len(wanted_files) >= _MANY:
                disk.sync_filesystem(self._media_dir)
                return
        except OSError as error:
            _log.warning("%s: %s", self._media_dir, error)
        for path in wanted_files:
            try:
                disk.fdatasync_path(path)
            except OSError as error:
                _log.debug("%s: %s", path, error)
