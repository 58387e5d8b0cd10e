"""Plans in words: a week as a sentence, what holds now, and how many hours a week that is.

Pure spelling of what is given; never a row, never the time of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from cctv.clock import from_ms, site_day
from cctv.models import RecordingMode
from cctv.services.recording.planned import Now
from cctv.services.schedule.schedule_times import DAY_MINUTES, Block

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MODES = {RecordingMode.CONTINUOUS.value: "continuous", RecordingMode.ACTIVITY.value: "on activity"}
_NOW = {
    RecordingMode.CONTINUOUS.value: "continuous",
    RecordingMode.ACTIVITY.value: "on activity",
    None: "off",
}


def week_in_words(weekly: Iterable[Sequence[Any]]) -> str:
    """Mon-Fri 06:00-19:00 continuous, 19:00-22:00 on activity; Sat-Sun off."""
    days = days_of(weekly)
    if all(day == days[0] for day in days):
        return _day_in_words(days[0], is_all_week=True)
    groups: list[tuple[list[int], list[Block]]] = []
    for number, day in enumerate(days):
        same = next((group for group in groups if group[1] == day), None)
        if same:
            same[0].append(number)
        else:
            groups.append(([number], day))
    recorded = [(numbers, day) for numbers, day in groups if day]
    words = [f"{_days_in_words(numbers)} {_day_in_words(day)}" for numbers, day in recorded]
    return "; ".join(words) + ("; else off" if len(recorded) < len(groups) else "")


def exceptions_in_words(exceptions: Iterable[Mapping[str, Any]]) -> str:
    """25 Dec 2026 off; 31 Dec 2026 all day continuous. Empty when there are none."""
    words = []
    for one in sorted(exceptions, key=lambda one: one["date"]):
        day = date.fromisoformat(one["date"])
        words.append(f"{date_in_words(day)} {_day_in_words(_sorted(one['blocks']))}")
    return "; ".join(words)


def date_in_words(day: date) -> str:
    """25 Dec 2026."""
    return f"{day.day} {day:%b %Y}"


def hours_a_week(weekly: Iterable[Sequence[Any]]) -> dict[str, float]:
    """Hours a week by mode, exceptions not counted."""
    hours = dict.fromkeys(MODES, 0.0)
    for _weekday, start, end, mode in weekly:
        hours[mode] += (end - start) / 60
    return hours


def hours_in_words(hours: float) -> str:
    """65 h, 7 h 15 min."""
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def now_in_words(now: Now, zone: ZoneInfo, *, at_ms: int) -> str:
    """On activity until 22:00; off until Monday 06:00; continuous."""
    words = _NOW[now.mode]
    if now.until_ms is None:
        return words
    local, today = from_ms(now.until_ms).astimezone(zone), site_day(at_ms, zone)
    ahead = (local.date() - today).days
    clock = f"{local:%H:%M}"
    if ahead == 1 and clock == "00:00":
        return f"{words} until midnight"
    day = {0: "", 1: "tomorrow "}.get(ahead, f"{LONG_DAYS[local.weekday()]} ")
    return f"{words} until {day}{clock}"


def clock_in_words(minute: int) -> str:
    """06:15; 24:00 is the end of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def days_of(weekly: Iterable[Sequence[Any]]) -> list[list[Block]]:
    """The blocks of each day, Monday first, in order."""
    days: list[list[Block]] = [[] for _ in range(7)]
    for weekday, start, end, mode in weekly:
        days[weekday].append((start, end, mode))
    return [sorted(day) for day in days]


def _sorted(blocks: Iterable[Sequence[Any]]) -> list[Block]:
    return sorted((start, end, mode) for start, end, mode in blocks)


def _day_in_words(day: list[Block], *, is_all_week: bool = False) -> str:
    if not day:
        return "never" if is_all_week else "off"
    if [(start, end) for start, end, _mode in day] == [(0, DAY_MINUTES)]:
        mode = MODES[day[0][2]]
        always = "all the time" if is_all_week else "all day"
        return f"{always}, {mode}" if is_all_week else f"{always} {mode}"
    words = [f"{clock_in_words(start)}–{clock_in_words(end)} {MODES[mode]}" for start, end, mode in day]
    return ("every day " if is_all_week else "") + ", ".join(words)


def _days_in_words(numbers: list[int]) -> str:
    """Mon-Fri, Sat and Sun: runs of three and more are spelled as from-to."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = []
    for run in runs:
        if len(run) > 2:
            words.append(f"{DAYS[run[0]]}–{DAYS[run[-1]]}")
        else:
            words += [DAYS[number] for number in run]
    return ", ".join(words)
