"""Reads stored footage again and says whether it is all there and unchanged, naming the first bad file.

Changes nothing: what is wrong is repaired, or written off, by reconcile.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

from cctv import config
from cctv.clock import now_ms
from cctv.media.boxes import NotMedia, read_init, scan
from cctv.services import hashing, recordings
from cctv.services.finding import FoundSegment, find_segments
from cctv.storage import paths


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading again found; `first_bad` is `<run>/<file>: reason`."""

    is_good: bool
    files: int
    size_bytes: int
    unhashed: int
    first_bad: str
    sentence: str

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return asdict(self)


def verify(recording_id: int) -> Verdict:
    """Read every file of a recording again.

    Raises:
        NotFound: there is no such recording.
    """
    recording = recordings.get_recording(recording_id)
    end_ms = recording.ended_ms or recording.planned_end_ms or now_ms()
    return verify_interval(recording.camera_id, recording.started_ms, end_ms)


def verify_interval(camera_id: int, start_ms: int, end_ms: int) -> Verdict:
    """Read every kept file of a camera that overlaps [start_ms, end_ms) again."""
    found = {entry.id: entry for entry in find_segments(camera_id, start_ms, end_ms, open_file=False)}
    size, unhashed = 0, 0
    for entry in found.values():
        problem = _problem(entry)
        if problem:
            bad = f"{entry.run_key}/{paths.segment_name(entry.number)}: {problem}"
            return Verdict(False, len(found), size, unhashed, bad, f"Bad file: {bad}")
        size += entry.size_bytes
        unhashed += entry.sha256 is None
    if not found:
        return Verdict(True, 0, 0, 0, "", "There is no stored footage in this time.")
    said = f"{len(found)} files, {size / 1e6:.1f} MB: all there and readable"
    said += "." if not unhashed else f"; {unhashed} have no hash yet, so only their structure was checked."
    return Verdict(True, len(found), size, unhashed, "", said)


def _problem(entry: FoundSegment) -> str:
    try:
        descriptor = paths.open_segment(
            config.current().media_dir, entry.camera_id, entry.run_key, entry.number
        )
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"
    try:
        if os.fstat(descriptor).st_size < entry.size_bytes:
            return "the file is shorter than it was"
        init = read_init(descriptor)
        fragments = scan(descriptor, init, init.size, end=entry.size_bytes)
    except NotMedia:
        return "the beginning of the file is damaged"
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"
    finally:
        os.close(descriptor)
    if init.sha256 != entry.init_sha256 or not fragments or fragments[-1].end_offset != entry.size_bytes:
        return "the structure of the file is damaged"
    if entry.sha256 is None:
        return ""
    digest = hashing.file_sha256(entry.camera_id, entry.run_key, entry.number, size_bytes=entry.size_bytes)
    return "" if digest == entry.sha256 else "the file was changed"
