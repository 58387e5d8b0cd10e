"""The calendar of the playback page: a month as weeks, with what is recorded on which day.

Shape only; which days have footage is known by services/footage/timeline.py.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from cctv.services.footage import timeline

_FIRST, _LAST = date(2000, 1, 1), date(2099, 12, 31)


@dataclass(frozen=True, slots=True)
class Day:
    """One cell; days of the months around are there to fill the weeks."""

    day: date
    is_inside: bool
    is_recorded: bool
    is_manual: bool
    is_locked: bool

    @property
    def said(self) -> str:
        """22 November, recorded, with a recording that somebody started."""
        facts = ["recorded"]
        facts += ["with a recording that somebody started"] * self.is_manual + ["locked"] * self.is_locked
        return f"{self.day:%-d %B}, {', '.join(facts)}"


@dataclass(frozen=True, slots=True)
class Month:
    """One month; `before` and `after` are the first days of its neighbours, `after` None for the present."""

    first: date
    weeks: list[list[Day]]
    before: date
    after: date | None


def month_around(day: date, camera_ids: Iterable[int], *, today: date) -> Month:
    """The month of a day, Monday first."""
    first = min(max(day, _FIRST), _LAST).replace(day=1)
    days = timeline.month_of(camera_ids, f"{first:%Y-%m}")
    weeks = [
        [
            Day(
                each,
                each.month == first.month,
                each in days.recorded,
                each in days.manual,
                each in days.locked,
            )
            for each in week
        ]
        for week in calendar.Calendar().monthdatescalendar(first.year, first.month)
    ]
    following = (first + timedelta(days=32)).replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    return Month(first, weeks, before, following if following <= today else None)
