"""Files whose row the database refuses: left where they are and told of, so that the others get theirs.

Nothing here touches a file. Reconcile tries each again, so that a repaired cause needs nobody's help.
"""

from __future__ import annotations

import logging
import re
import struct
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Event, Run, Segment
from cctv.storage import paths
from cctv.storage.measure import ClosedFile

KIND = "file_refused"  # of the event; its text begins with the file's place below MEDIA_DIR
# What one file's facts can cause and waiting cannot cure: a number that no column holds, a text with a NUL.
ERRORS = (DataError, IntegrityError, ValueError, OverflowError, struct.error)

_PLACE = re.compile(r"([0-9]+)/([0-9a-f-]+)/([0-9]+)\.mp4 ")
_log = logging.getLogger(__name__)


def tell(file: ClosedFile, error: Exception) -> None:
    """Write the event, once a file."""
    place = f"{file.run.camera_id}/{file.run.run}/{paths.segment_name(file.segment.number)}"
    reason = type(getattr(error, "orig", None) or error).__name__
    _log.error("file %s is left where it is, its row is refused: %s", place, reason)
    begin_writing()
    is_known = select(Event.id).where(Event.kind == KIND, Event.text.startswith(f"{place} ")).limit(1)
    if db.session.scalar(is_known) is None:
        sentence = f"{place} is kept but cannot be played back: the database refuses its facts ({reason})."
        db.session.add(Event(at_ms=now_ms(), kind=KIND, severity="bad", text=sentence))
    db.session.commit()


def here() -> list[str]:
    """The places below this machine's MEDIA_DIR of files that were refused and still have no row."""
    texts = db.session.scalars(select(Event.text).where(Event.kind == KIND).order_by(Event.id)).all()
    found = [match for text in texts if (match := _PLACE.match(text))]
    media_dir = config.current().media_dir
    left = [match.group().strip() for match in found if _is_left(media_dir, match)]
    db.session.commit()
    return left


def _is_left(media_dir: Path, match: re.Match[str]) -> bool:
    camera, key, number = match.groups()
    if not (media_dir / camera / key / f"{number}.mp4").exists():
        return False
    row = select(Segment.id).join(Run, Run.id == Segment.run_id)
    return db.session.scalar(row.where(Run.key == key, Segment.number == int(number))) is None
