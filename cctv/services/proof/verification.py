"""Reads stored footage again and says whether it is all there and unchanged, naming the first bad file.

Changes nothing: what is wrong is repaired, or written off, by reconcile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import select

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import db
from cctv.media.boxes import NotMedia, read_init, scan
from cctv.models import Camera, Run, Segment, SegmentState, Stream
from cctv.services.footage import damage
from cctv.services.footage.finding import LONGEST_FILE_MS, NOT_KEPT, stream_id_of
from cctv.services.proof import chain_check, hashing
from cctv.services.proof.chain_check import Finding
from cctv.services.recording import recordings
from cctv.storage import paths

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading again found; `first_bad` is `<run>/<file>: reason`, or the sentence of a broken chain."""

    is_good: bool
    files: int
    size_bytes: int  # that were read
    unhashed: int
    first_bad: str
    sentence: str
    links: int = 0  # of chains that were followed
    elsewhere: int = 0  # files that are in the cloud or on another machine, and were not read
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def bytes_per_second(self) -> int:
        """How fast files were read and hashed."""
        return round(self.size_bytes / self.seconds) if self.seconds else 0

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return asdict(self) | {
            "findings": [finding.as_dict() for finding in self.findings],
            "bytes_per_second": self.bytes_per_second,
        }


class StoredFile(NamedTuple):
    """A row as far as its file can be checked against it."""

    id: int
    camera_id: int
    node_id: int
    run_key: str
    number: int
    started_ms: int
    ended_ms: int
    size_bytes: int
    init_sha256: str
    sha256: str | None
    state: str
    damage: str

    @property
    def where(self) -> str:
        """Run and file."""
        return f"{self.run_key}/{paths.segment_name(self.number)}"


@dataclass(slots=True)
class _Tally:
    files: int = 0
    size_bytes: int = 0
    unhashed: int = 0
    elsewhere: int = 0
    seconds: float = 0.0


def verify(recording_id: int) -> Verdict:
    """Read every file of a recording again, and follow the chain of its camera.

    Raises:
        NotFound: there is no such recording.
    """
    recording = recordings.get_recording(recording_id)
    end_ms = recording.ended_ms or recording.planned_end_ms or now_ms()
    return verify_interval(recording.camera_id, recording.started_ms, end_ms)


def verify_interval(camera_id: int, start_ms: int, end_ms: int) -> Verdict:
    """Read every kept file of a camera that overlaps [start_ms, end_ms) again, and follow the whole chain.

    Of the chain only what touches the interval, or is at no known time, counts.
    """
    links, found = chain_check.check(camera_id)
    around = [
        one
        for one in found
        if (one.started_ms is None or one.started_ms < end_ms)
        and (one.ended_ms is None or one.ended_ms > start_ms)
    ]
    tally = _Tally()
    around += _read_all([camera_id], start_ms, end_ms, tally)
    return _verdict(tally, links, around)


def verify_all(camera_ids: Iterable[int] | None = None) -> Verdict:
    """Read every kept file that lies on this machine again, and follow the chain of every camera."""
    known = list(db.session.scalars(select(Camera.id).order_by(Camera.id)))
    db.session.commit()
    ids = known if camera_ids is None else [one for one in known if one in set(camera_ids)]
    tally, links, findings = _Tally(), 0, []
    for camera_id in ids:
        count, found = chain_check.check(camera_id)
        links += count
        findings += found
        findings += _read_all([camera_id], -(2**53), 2**53, tally)
    return _verdict(tally, links, findings)


def problem_of(entry: StoredFile, *, after_each: Callable[[int], None] | None = None) -> str:
    """What is wrong with a file now: a code of damage.py; empty when it is as it was stored.

    A file with a hash is read as a whole; of one without only the structure is looked at. `after_each` is
    told of the bytes read; with it the reading leaves no trace in memory.
    """
    try:
        descriptor = paths.open_segment(
            config.current().media_dir, entry.camera_id, entry.run_key, entry.number
        )
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
    try:
        if os.fstat(descriptor).st_size < entry.size_bytes:
            return "truncated"
        if entry.sha256 is None:
            return _problem_of_structure(descriptor, entry)
        digest = hashing.sha256_of(descriptor, size_bytes=entry.size_bytes, after_each=after_each)
        return "" if digest == entry.sha256 else "changed"
    except OSError:
        return "unreadable"
    finally:
        if after_each is not None:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def stored_files(*criteria: Any, order: Any = Segment.id, limit: int = _PAGE) -> list[StoredFile]:
    """Kept files that meet the criteria."""
    query = (
        select(
            Segment.id,
            Stream.camera_id,
            Run.node_id,
            Run.key,
            Segment.number,
            Segment.started_ms,
            Segment.ended_ms,
            Segment.size_bytes,
            Run.init_sha256,
            Segment.sha256,
            Segment.state,
            Segment.damage,
        )
        .join(Run, Run.id == Segment.run_id)
        .join(Stream, Stream.id == Segment.stream_id)
        .where(Segment.state.not_in(NOT_KEPT), *criteria)
        .order_by(order)
        .limit(limit)
    )
    found = [StoredFile(*row) for row in db.session.execute(query)]
    db.session.commit()
    return found


def is_still_stored(entry: StoredFile) -> bool:
    """Whether the row still says that this file is here: it may have gone while it was read, as it should."""
    now = stored_files(Segment.id == entry.id)
    return bool(now) and now[0].state == entry.state and now[0].size_bytes == entry.size_bytes


def _problem_of_structure(descriptor: int, entry: StoredFile) -> str:
    try:
        init = read_init(descriptor)
        fragments = scan(descriptor, init, init.size, end=entry.size_bytes)
    except NotMedia:
        return "structure"
    is_same = init.sha256 == entry.init_sha256 and fragments and fragments[-1].end_offset == entry.size_bytes
    return "" if is_same else "structure"


def _read_all(camera_ids: list[int], start_ms: int, end_ms: int, tally: _Tally) -> list[Finding]:
    from cctv.services.site import nodes

    own = nodes.this_node().id
    findings = []
    for entry in _files(camera_ids, start_ms, end_ms):
        tally.files += 1
        if entry.node_id != own or entry.state == SegmentState.CLOUD:
            tally.elsewhere += 1
            continue
        began = time.monotonic()
        problem = problem_of(entry)
        tally.seconds += time.monotonic() - began
        if problem and is_still_stored(entry):
            findings.append(finding_of(entry, problem))
        elif not problem:
            tally.size_bytes += entry.size_bytes
            tally.unhashed += entry.sha256 is None
    return findings


def _files(camera_ids: list[int], start_ms: int, end_ms: int) -> Iterator[StoredFile]:
    """In order of time, a page at a time: nothing is locked or held while files are read."""
    for camera_id in camera_ids:
        after = start_ms - LONGEST_FILE_MS
        seen: set[int] = set()
        while True:
            page = stored_files(
                Segment.stream_id == stream_id_of(camera_id),
                Segment.started_ms >= after,
                Segment.started_ms < end_ms,
                Segment.ended_ms > start_ms,
                Segment.id.not_in(seen),
                order=Segment.started_ms,
            )
            yield from page
            if len(page) < _PAGE:
                break
            after = page[-1].started_ms
            seen = {entry.id for entry in page if entry.started_ms == after}


def finding_of(entry: StoredFile, problem: str) -> Finding:
    """A bad file with its camera and time."""
    name = db.session.scalar(select(Camera.name).where(Camera.id == entry.camera_id)) or "A camera"
    db.session.commit()
    return Finding(
        camera_id=entry.camera_id,
        camera=name,
        kind=problem,
        started_ms=entry.started_ms,
        ended_ms=entry.ended_ms,
        link=None,
        what=f"the file {damage.words(problem)}",
        where=entry.where,
    )


def _verdict(tally: _Tally, links: int, findings: list[Finding]) -> Verdict:
    findings = sorted(findings, key=lambda one: (one.started_ms or 0, one.camera_id))
    first_bad, said = "", "There is no stored footage in this time."
    if findings:
        first = findings[0]
        first_bad = f"{first.where}: {first.what}" if first.where else first.what
        said = f"Bad file: {first.sentence}" if first.where else f"Bad chain: {first.sentence}"
        if len(findings) > 1:
            said += f" And {len(findings) - 1} more."
    elif tally.files:
        said = f"{tally.files} files, {tally.size_bytes / 1e6:.1f} MB: all there and readable"
        said += (
            "."
            if not tally.unhashed
            else (f"; {tally.unhashed} have no hash yet, so only their structure was checked.")
        )
        if tally.elsewhere:
            said += f" {tally.elsewhere} of them are in the cloud or on another machine, and were not read."
    return Verdict(
        is_good=not findings,
        files=tally.files,
        size_bytes=tally.size_bytes,
        unhashed=tally.unhashed,
        first_bad=first_bad,
        sentence=said,
        links=links,
        elsewhere=tally.elsewhere,
        seconds=round(tally.seconds, 3),
        findings=findings,
    )
