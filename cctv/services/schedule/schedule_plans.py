"""Plans as data: what a weekly plan may look like, its one way of being written, and the ready-made ones.

Pure; never a row, never a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from cctv.errors import Invalid
from cctv.models import RecordingMode
from cctv.services.schedule.schedule_times import DAY_MINUTES, Block
from cctv.services.schedule.schedule_words import LONG_DAYS, clock_in_words, date_in_words

STEP_MINUTES = 15
MOST_EXCEPTIONS = 200
MODES = (RecordingMode.CONTINUOUS.value, RecordingMode.ACTIVITY.value)

_CONTINUOUS, _ACTIVITY = MODES


class Plan(NamedTuple):
    """A week and its exceptions as they are stored (models/schedule.py)."""

    weekly: list[list[Any]]
    exceptions: list[dict[str, Any]]


class Template(NamedTuple):
    """A ready-made week."""

    key: str
    name: str
    says: str
    weekly: list[list[Any]]


def _week(days: Iterable[int], *blocks: Block) -> list[list[Any]]:
    return [[day, *block] for day in days for block in blocks]


_ALL, _WORK, _WEEKEND = range(7), range(5), (5, 6)
TEMPLATES = (
    Template("always", "Always", "Every second of the week.", _week(_ALL, (0, DAY_MINUTES, _CONTINUOUS))),
    Template(
        "office",
        "Office hours",
        "Mon to Fri 06:00 to 19:00, in the evening on activity.",
        _week(_WORK, (6 * 60, 19 * 60, _CONTINUOUS), (19 * 60, 22 * 60, _ACTIVITY)),
    ),
    Template(
        "closed",
        "Nights and weekends",
        "When nobody should be there.",
        _week(_WORK, (0, 7 * 60, _CONTINUOUS), (19 * 60, DAY_MINUTES, _CONTINUOUS))
        + _week(_WEEKEND, (0, DAY_MINUTES, _CONTINUOUS)),
    ),
    Template(
        "moving",
        "On activity, always",
        "Day and night, but only while something moves.",
        _week(_ALL, (0, DAY_MINUTES, _ACTIVITY)),
    ),
)


def checked(weekly: Iterable[Sequence[Any]], exceptions: Iterable[Mapping[str, Any]]) -> Plan:
    """The plan in its one way of being written: in order, neighbours of one mode joined.

    Raises:
        Invalid: keys weekly, exceptions.
    """
    days: list[list[Block]] = [[] for _ in range(7)]
    errors: dict[str, str] = {}
    try:
        for weekday, start, end, mode in weekly:
            if weekday not in range(7):
                raise _Refused("Choose days from Monday to Sunday.")
            days[weekday].append((start, end, mode))
        days = [_checked_day(blocks, LONG_DAYS[number]) for number, blocks in enumerate(days)]
    except (_Refused, TypeError, ValueError) as error:
        errors["weekly"] = str(error) if isinstance(error, _Refused) else "This is not a weekly plan."
    by_date: dict[str, list[Block]] = {}
    try:
        by_date = _checked_exceptions(exceptions)
    except _Refused as error:
        errors["exceptions"] = str(error)
    if errors:
        raise Invalid(errors)
    return Plan(
        [[number, *block] for number, blocks in enumerate(days) for block in blocks],
        [{"date": day, "blocks": [list(block) for block in blocks]} for day, blocks in by_date.items()],
    )


def is_never(plan: Plan) -> bool:
    """Whether the plan records nothing at all."""
    return not plan.weekly and not any(one["blocks"] for one in plan.exceptions)


def uses_activity(plan: Plan) -> bool:
    """Whether it asks anywhere for what moves."""
    blocks = [*plan.weekly, *(["", *block] for one in plan.exceptions for block in one["blocks"])]
    return any(block[3] == _ACTIVITY for block in blocks)


class _Refused(Exception):
    """Its text is the sentence."""


def _checked_exceptions(exceptions: Iterable[Mapping[str, Any]]) -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for one in exceptions:
        try:
            day = date.fromisoformat(one["date"])
        except (TypeError, ValueError):
            raise _Refused(f"{one['date'] or 'An empty field'} is not a date.") from None
        if not 2000 <= day.year <= 2099:
            raise _Refused("Choose dates from 2000 to 2099.")
        if day.isoformat() in found:
            raise _Refused(f"{date_in_words(day)} is there twice.")
        blocks = [(start, end, mode) for start, end, mode in one["blocks"]]
        found[day.isoformat()] = _checked_day(blocks, date_in_words(day))
    if len(found) > MOST_EXCEPTIONS:
        raise _Refused(f"Use at most {MOST_EXCEPTIONS} exceptions.")
    return dict(sorted(found.items()))


def _checked_day(blocks: list[Block], name: str) -> list[Block]:
    result: list[Block] = []
    for start, end, mode in sorted(blocks, key=lambda block: block[:2]):
        if mode not in MODES:
            raise _Refused("Choose continuous or on activity.")
        if not 0 <= start < end <= DAY_MINUTES:
            raise _Refused(f"{name}: the end must be after the start, both between 00:00 and 24:00.")
        if start % STEP_MINUTES or end % STEP_MINUTES:
            raise _Refused(f"{name}: use quarters of an hour, for example 06:15.")
        if result and start <= result[-1][1] and mode == result[-1][2]:
            result[-1] = (result[-1][0], max(end, result[-1][1]), mode)
        elif result and start < result[-1][1]:
            twice = f"{clock_in_words(start)} to {clock_in_words(min(end, result[-1][1]))}"
            raise _Refused(f"{name}: {twice} is there twice, continuous and on activity.")
        else:
            result.append((start, end, mode))
    return result
