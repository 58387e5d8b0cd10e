"""What this machine remembers of the newest links, in DATA_DIR: who has the database cannot reach it there.

Signed heads tell the same of whole days; this tells it of the minutes since.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cctv import config
from cctv.services.proof import chain_links
from cctv.services.proof.chain import START, Tip

_log = logging.getLogger(__name__)


def keep(camera_id: int, before: Tip, after: Tip) -> None:
    """Remember the newest link of a camera, after the commit that went from `before` to `after`.

    A tip that the chain contradicts stays: it is evidence, until `replace`.
    """
    try:
        with _file() as file:
            known = _parse(os.pread(file, os.fstat(file).st_size, 0))
            if not _is_followed(camera_id, known.get(camera_id, Tip(0, START)), before):
                _log.error(
                    "camera %d: its chain is not the remembered one; see flask recording verify", camera_id
                )
                return
            _write(file, {**known, camera_id: after})
    except OSError as error:
        _log.error("the newest links cannot be remembered: %s", error)


def of_camera(camera_id: int) -> Tip | None:
    """What is remembered of a camera; None when nothing is."""
    try:
        return _parse(_path().read_bytes()).get(camera_id)
    except OSError:
        return None


def replace(tips: Mapping[int, Tip]) -> None:
    """Believe these from now on, for example after a restored backup."""
    with _file() as file:
        _write(file, dict(tips))


def _is_followed(camera_id: int, known: Tip, before: Tip) -> bool:
    if known == before or known.number == 0:
        return True
    if known.number >= before.number:  # whoever kept it had committed first, and one at a time adds links
        return False
    found = chain_links.hash_of(camera_id, known.number)
    return found is None or found == known.hash


@contextmanager
def _file() -> Iterator[int]:
    file = os.open(_path(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _path() -> Path:
    return config.current().data_dir / "chain_tips.json"


def _parse(text: bytes) -> dict[int, Tip]:
    try:
        return {
            int(camera): Tip(int(number), str(digest))
            for camera, (number, digest) in json.loads(text).items()
        }
    except (ValueError, TypeError, AttributeError):
        return {}


def _write(file: int, tips: dict[int, Tip]) -> None:
    text = json.dumps({str(camera): [tip.number, tip.hash] for camera, tip in sorted(tips.items())}).encode()
    os.pwrite(file, text, 0)
    os.ftruncate(file, len(text))
