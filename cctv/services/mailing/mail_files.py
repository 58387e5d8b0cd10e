"""Without a mail server: each mail is a file that only the operator can read, and a line in the log names it.

Codes are in these files and never in a log; a file goes away when what it says is over.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from datetime import datetime
from pathlib import Path

from cctv import config

_log = logging.getLogger(__name__)


def folder() -> Path:
    """DATA_DIR/mail, for the owner of the process alone."""
    path = config.current().data_dir / "mail"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def path_of(message_id: int, template: str) -> Path:
    """The file of one mail."""
    return folder() / f"{message_id}-{template}.eml"


def write(message_id: int, template: str, content: bytes, *, until: datetime) -> Path:
    """Keep a mail as a file with mode 600; its time of change is the moment when it goes away."""
    path = path_of(message_id, template)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.utime(path, (until.timestamp(), until.timestamp()))
    _log.warning("EMAIL_HOST is not set: mail %d (%s) is in %s", message_id, template, path)
    return path


def forget_old() -> None:
    """Remove the files whose mails are over."""
    now = time.time()
    for path in folder().glob("*.eml"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < now:
                path.unlink()
