"""Reads all stored files again over time, slowly, so that a failing disk or a changed file is told early.

Repairs and removes nothing; a file that is missing or cut short is reconcile's business.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sqlalchemy import select, update

from cctv import config
from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Camera, Event, Run, Segment, SegmentState
from cctv.services.footage.damage import SINCE_STORED
from cctv.services.proof import chain_check, verification
from cctv.services.proof.verification import StoredFile

PASS_SECONDS = 40.0  # of the five minutes between two passes
BYTES_PER_SECOND = 64_000_000  # an idle hard disk has two to four times as much: others hardly notice
ROUND_MS = 7 * 86_400_000  # a new round begins no sooner
_PAGE = 100
_RECONCILED = {
    "missing",
    "truncated",
}  # reconcile writes these off, and knows a disk that is away from a loss
_IOPRIO_WHO_PROCESS, _IOPRIO_IDLE, _SYS_IOPRIO_SET = 1, 3 << 13, {"x86_64": 251, "aarch64": 30}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """How far the current round of this machine is. Times in epoch milliseconds."""

    after_id: int = 0  # files up to this row have been read
    began_ms: int = 0
    finished_ms: int | None = None
    files: int = 0
    size_bytes: int = 0
    bad: int = 0


def scrub_some(
    node_id: int,
    *,
    seconds: float = PASS_SECONDS,
    bytes_per_second: int = BYTES_PER_SECOND,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Round:
    """Read files of this node again for about `seconds`; where the round stands then.

    Ends early when `may_go_on` says so between two files. What is bad is marked in its row and told once.
    """
    state = _begin(read_round())
    if state.finished_ms is not None:
        return state
    pace = _Pace(bytes_per_second)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and may_go_on():
        page = verification.stored_files(
            Segment.id > state.after_id,
            Segment.sha256.is_not(None),
            Segment.state != SegmentState.CLOUD,
            Run.node_id == node_id,
            limit=_PAGE,
        )
        if not page:
            state = replace(state, finished_ms=now_ms())
            break
        state = _read(page, state, pace, deadline, may_go_on)
        _keep(state)
    _keep(state)
    return state


def read_round() -> Round:
    """Where the round of this machine stands."""
    try:
        return Round(**json.loads(_path().read_text()))
    except (OSError, ValueError, TypeError):
        return Round()


def check_chains(*, hour: int | None = None) -> int:
    """Follow the chains of cameras and tell each place that is not whole, once; how many there are.

    With `hour` only a 24th of the cameras, another one each hour of the day: a month of one takes a second.
    """
    ids = list(db.session.scalars(select(Camera.id).where(Camera.chain_number > 0).order_by(Camera.id)))
    db.session.commit()
    count = 0
    for camera_id in [one for one in ids if hour is None or one % 24 == hour]:
        _links, findings = chain_check.check(camera_id)
        news = [one for one in findings if one.kind != "lost"]  # told when it was found
        count += len(news)
        if news:
            more = f" And {len(news) - 1} more." if len(news) > 1 else ""
            _tell(camera_id, f"The chain of stored footage is not whole. {news[0].sentence}{more}")
    return count


def give_way() -> None:
    """Let every other process have the processor and the disk first; for a process of one job."""
    os.nice(10)
    call = _SYS_IOPRIO_SET.get(os.uname().machine)
    if call is not None:  # ioprio_set(2), which the C library does not wrap
        ctypes.CDLL(None).syscall(call, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)


class _Pace:
    """Slows reading down to so many bytes a second."""

    def __init__(self, bytes_per_second: int) -> None:
        self._rate = bytes_per_second
        self._due = time.monotonic()

    def wait(self, size_bytes: int) -> None:
        self._due = max(self._due, time.monotonic() - 1.0) + size_bytes / self._rate
        time.sleep(max(0.0, self._due - time.monotonic()))


def _begin(state: Round) -> Round:
    """The round to go on with: a new one when the last is finished and old."""
    is_over = state.finished_ms is not None
    if state.began_ms == 0 or (is_over and now_ms() - state.began_ms >= ROUND_MS):
        return Round(began_ms=now_ms())
    return state


def _read(
    page: list[StoredFile], state: Round, pace: _Pace, deadline: float, may_go_on: Callable[[], bool]
) -> Round:
    good: list[int] = []
    bad: list[tuple[StoredFile, str]] = []
    for entry in page:
        if time.monotonic() >= deadline or not may_go_on():
            break
        problem = verification.problem_of(entry, after_each=pace.wait)
        state = replace(
            state, after_id=entry.id, files=state.files + 1, size_bytes=state.size_bytes + entry.size_bytes
        )
        if not problem:
            good.append(entry.id)
        elif problem not in _RECONCILED and verification.is_still_stored(entry):
            bad.append((entry, problem))
    _mark(good, bad)
    return replace(state, bad=state.bad + len(bad))


def _mark(good: list[int], bad: list[tuple[StoredFile, str]]) -> None:
    if not good and not bad:
        return
    begin_writing()
    db.session.execute(
        update(Segment)
        .where(Segment.id.in_([*good, *(entry.id for entry, _problem in bad)]))
        .values(checked_ms=now_ms())
        .execution_options(synchronize_session=False)
    )
    for entry, problem in bad:
        db.session.execute(
            update(Segment)
            .where(Segment.id == entry.id)
            .values(is_damaged=True, damage=problem)
            .execution_options(synchronize_session=False)
        )
    db.session.commit()
    news = [(entry, problem) for entry, problem in bad if entry.damage not in SINCE_STORED]
    for camera_id in sorted({entry.camera_id for entry, _problem in news}):
        of_camera = [one for one in news if one[0].camera_id == camera_id]
        first = verification.finding_of(*of_camera[0])
        more = f" And {len(of_camera) - 1} more." if len(of_camera) > 1 else ""
        _tell(camera_id, f"Stored footage is damaged: {first.sentence}{more}")


def _tell(camera_id: int, sentence: str) -> None:
    _log.error("%s", sentence)
    begin_writing()
    text = sentence[:500]
    told = select(Event.id).where(Event.kind == "storage", Event.text == text).limit(1)
    if db.session.scalar(told) is None:
        event = Event(at_ms=now_ms(), kind="storage", severity="bad", camera_id=camera_id, text=text)
        db.session.add(event)
    db.session.commit()


def _path() -> Path:
    return config.current().data_dir / "scrub.json"


def _keep(state: Round) -> None:
    fresh = _path().with_suffix(".new")
    fresh.write_text(json.dumps(asdict(state)))
    fresh.replace(_path())
