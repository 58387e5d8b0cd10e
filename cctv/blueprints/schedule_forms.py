"""What is typed about a schedule: rows of days and times, and their translation to a plan and back.

Shape only; what a plan may say is checked by services/schedule/schedule_plans.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from werkzeug.datastructures import MultiDict

from cctv.errors import Invalid
from cctv.services.schedule import schedule_plans, schedule_words
from cctv.services.schedule.schedule_plans import Plan
from cctv.services.schedule.schedule_times import DAY_MINUTES, Block
from cctv.services.schedule.schedule_words import clock_in_words

_TIME = re.compile(r"(\d{1,2})(?:[:.h]?(\d{2}))?")
_MOST_ROWS = 700  # a week of quarters of an hour that are all different has 672
_OFF = "off"


@dataclass(slots=True)
class Row:
    """Some days, from when to when, and what: as it was typed, or as it is stored."""

    key: str
    days: list[int] = field(default_factory=list)
    start: str = ""
    end: str = ""
    mode: str = schedule_plans.MODES[0]
    problem: str = ""


@dataclass(slots=True)
class DateRow:
    """One date with its own times; several rows of a date belong together."""

    key: str
    day: str = ""
    mode: str = _OFF
    start: str = "00:00"
    end: str = "24:00"
    problem: str = ""


@dataclass(slots=True)
class Typed:
    """A form as it came. `problems` are sentences that belong to no row."""

    name: str
    rows: list[Row]
    dates: list[DateRow]
    cameras: set[int]
    version: int | None
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def is_wrong(self) -> bool:
        """Whether something has to be typed anew."""
        return self.count > 0

    @property
    def count(self) -> int:
        """How many things are wrong."""
        wrong = [row.key for row in self.rows if row.problem] + [row.key for row in self.dates if row.problem]
        return len(self.problems) + len(wrong)


def rows_of(plan: Plan) -> list[Row]:
    """A week as few rows: the same times on several days are one."""
    found: dict[Block, list[int]] = {}
    for weekday, start, end, mode in plan.weekly:
        found.setdefault((start, end, mode), []).append(weekday)
    ordered = sorted(found.items(), key=lambda item: (item[1][0], item[0]))
    return [
        Row(str(number), days, clock_in_words(start), clock_in_words(end), mode)
        for number, ((start, end, mode), days) in enumerate(ordered)
    ]


def dates_of(plan: Plan) -> list[DateRow]:
    """The exceptions, one row for each block of each date."""
    found: list[DateRow] = []
    for one in plan.exceptions:
        blocks = one["blocks"] or [(0, DAY_MINUTES, _OFF)]
        for start, end, mode in blocks:
            found.append(
                DateRow(str(len(found)), one["date"], mode, clock_in_words(start), clock_in_words(end))
            )
    return found


def read(form: MultiDict[str, str]) -> tuple[Typed, Plan | None]:
    """What was typed, and the plan it says: None when something in it is wrong."""
    typed = Typed(
        name=form.get("name", ""),
        rows=[_row(form, key) for key in form.getlist("row")[:_MOST_ROWS]],
        dates=[_date_row(form, key) for key in form.getlist("date-row")[: schedule_plans.MOST_EXCEPTIONS]],
        cameras=set(form.getlist("camera", type=int)),
        version=form.get("version", type=int),
    )
    typed.rows = [row for row in typed.rows if row.days or row.start.strip() or row.end.strip()]
    typed.dates = [row for row in typed.dates if row.day.strip()]
    weekly = [block for row in typed.rows for block in _blocks(row)]
    exceptions = _exceptions(typed.dates)
    if typed.is_wrong:
        return typed, None
    try:
        return typed, schedule_plans.checked(weekly, exceptions)
    except Invalid as error:
        typed.problems |= error.errors
        return typed, None


def minutes(text: str) -> int | None:
    """06:15, 6:15, 0615, 6 or 24:00 as minutes of the day; None for anything else."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    hour, minute = int(match.group(1)), int(match.group(2) or 0)
    total = hour * 60 + minute
    return total if minute < 60 and total <= DAY_MINUTES else None


def _row(form: MultiDict[str, str], key: str) -> Row:
    days = form.getlist(f"day-{key}", type=int)
    return Row(
        key=key[:12],
        days=sorted({day for day in days if day in range(7)}),
        start=form.get(f"from-{key}", "")[:12],
        end=form.get(f"to-{key}", "")[:12],
        mode=form.get(f"mode-{key}", ""),
    )


def _date_row(form: MultiDict[str, str], key: str) -> DateRow:
    return DateRow(
        key=key[:12],
        day=form.get(f"date-{key}", "")[:20],
        mode=form.get(f"date-mode-{key}", _OFF),
        start=form.get(f"date-from-{key}", "")[:12] or "00:00",
        end=form.get(f"date-to-{key}", "")[:12] or "24:00",
    )


def _blocks(row: Row) -> list[list[Any]]:
    """The row for each of its days; one that ends before it starts goes on into the next day."""
    start, end = _times(row)
    if start is None or end is None:
        return []
    if not row.days:
        row.problem = "Choose the days."
    if row.mode not in schedule_plans.MODES:
        row.problem = "Choose continuous or on activity."
    end = end or DAY_MINUTES
    if start < end:
        return [[day, start, end, row.mode] for day in row.days]
    first = [[day, start, DAY_MINUTES, row.mode] for day in row.days if start < DAY_MINUTES]
    return first + [[(day + 1) % 7, 0, end, row.mode] for day in row.days]


def _exceptions(rows: Iterable[DateRow]) -> list[dict[str, Any]]:
    found: dict[str, list[list[Any]]] = {}
    for row in rows:
        try:
            day = date.fromisoformat(row.day.strip()).isoformat()
        except ValueError:
            row.problem = "Type the date as year-month-day, for example 2026-12-25."
            continue
        blocks = found.setdefault(day, [])
        if row.mode == _OFF:
            continue
        start, end = _times(row)
        if start is None or end is None:
            continue
        if row.mode not in schedule_plans.MODES or start >= (end or DAY_MINUTES):
            row.problem = "The end must be after the start, both on this date."
        blocks.append([start, end or DAY_MINUTES, row.mode])
    return [{"date": day, "blocks": blocks} for day, blocks in found.items()]


def _times(row: Row | DateRow) -> tuple[int | None, int | None]:
    """Start and end of a row; a problem where one is no time, or not on a quarter of an hour."""
    start, end = minutes(row.start), minutes(row.end)
    for text, minute in ((row.start, start), (row.end, end)):
        if minute is None:
            row.problem = (
                f"{text} is not a time: 06:15, or 24:00 for midnight." if text else "Type both times."
            )
        elif minute % schedule_plans.STEP_MINUTES:
            row.problem = f"{text}: use quarters of an hour, for example 06:15."
    return start, end


def modes() -> dict[str, str]:
    """What may be painted, with its words."""
    return {mode: schedule_words.MODES[mode].capitalize() for mode in schedule_plans.MODES}
