"""The states of streams as keepers report them, and their history as intervals.

Only the owner with the right fence is believed; what the states mean is said in causes.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import case, select, update

from cctv.clock import now_ms
from cctv.extensions import begin_writing, db
from cctv.models import Run, StateChange, Stream


class Report(NamedTuple):
    """What a keeper has to tell about its stream. Only the owner with the right fence is believed."""

    stream_id: int
    fence: int
    at_ms: int
    state: str | None = None  # None: the state is as it was
    cause: str | None = None  # causes.py
    detail: str | None = None  # technical, masked
    facts: Mapping[str, object] | None = None  # columns of Stream that were learnt
    ended_run: tuple[str, str] | None = None  # key of a run and why it ended


def record(reports: list[Report]) -> None:
    """Write what keepers reported, in order, in one transaction."""
    begin_writing()
    for report in reports:
        row = db.session.execute(
            select(Stream.state, Stream.cause, Stream.fence).where(Stream.id == report.stream_id)
        ).one_or_none()
        if row is None or row.fence != report.fence:
            continue
        values = dict(report.facts or {})
        if report.state is not None and (row.state, row.cause) != (report.state, report.cause):
            _change_state(report)
            values |= {"state": report.state, "cause": report.cause, "state_since_ms": report.at_ms}
        if report.state is not None:
            values["detail"] = report.detail
        if report.ended_run is not None:
            key, cause = report.ended_run
            db.session.execute(update(Run).where(Run.key == key).values(ended_cause=cause))
        if values:
            db.session.execute(
                update(Stream)
                .where(Stream.id == report.stream_id)
                .values(values)
                .execution_options(synchronize_session=False)
            )
    db.session.commit()


def set_state(stream_id: int, state: str, cause: str | None = None, detail: str | None = None) -> None:
    """Tell a state from outside the keepers, whoever owns the stream."""
    fence = db.session.scalar(select(Stream.fence).where(Stream.id == stream_id))
    if fence is not None:
        record([Report(stream_id, fence, now_ms(), state, cause, detail)])


def _change_state(report: Report) -> None:
    end_open_changes(report.stream_id, report.at_ms)
    db.session.add(
        StateChange(
            stream_id=report.stream_id,
            state=report.state,
            cause=report.cause,
            detail=report.detail,
            started_ms=report.at_ms,
        )
    )
    db.session.flush()


def end_open_changes(stream_id: int, at_ms: int) -> None:
    """Close the interval that is open; part of the caller's transaction.

    It never ends before it began, also when what is told began earlier: a capture that went on while nobody
    watched, a clock that was set back.
    """
    started_ms = StateChange.started_ms
    db.session.execute(
        update(StateChange)
        .where(StateChange.stream_id == stream_id, StateChange.ended_ms.is_(None))
        .values(ended_ms=case((started_ms > at_ms, started_ms), else_=at_ms))
        .execution_options(synchronize_session=False)
    )
