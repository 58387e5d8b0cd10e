"""What a weekly plan with exceptions means for moments: pure, on the clock of the site.

An instant belongs to a block when the clock on the wall stands inside it: in spring the hour that is left out
is in none, in autumn the hour that comes twice is in its block twice. Never a row, never the time of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cctv.clock import from_ms

Span = tuple[int, int, str]  # [start_ms, end_ms) and the mode
Block = tuple[int, int, str]  # [start minute, end minute) of a day and the mode; 1440 is midnight

DAY_MINUTES = 1440
_MINUTE_MS = 60_000
_DAY_MS = DAY_MINUTES * _MINUTE_MS
_LOOK_MS = 6 * 3_600_000  # clocks are not changed twice within so short a time
_EPOCH = date(1970, 1, 1)


def expand(
    weekly: Iterable[Sequence[Any]],
    exceptions: Iterable[Mapping[str, Any]],
    zone: ZoneInfo,
    start_ms: int,
    end_ms: int,
) -> list[Span]:
    """The parts of [start_ms, end_ms) in which the plan records, with their modes; in order, joined.

    weekly: [weekday 0 (Monday) to 6, start minute, end minute, mode]; exceptions: {"date": "2026-12-25",
    "blocks": [[start minute, end minute, mode], ...]}, each instead of what its day of the week says.
    """
    by_weekday, by_date = _by_weekday(weekly), _by_date(exceptions)
    found: list[Span] = []
    for begin, stop, offset_ms in even_parts(zone, start_ms, end_ms):
        for day in range((begin + offset_ms) // _DAY_MS, (stop - 1 + offset_ms) // _DAY_MS + 1):
            midnight_ms = day * _DAY_MS - offset_ms
            blocks = by_date.get(day, by_weekday[(day + 3) % 7])  # 1970-01-01 was a Thursday
            for first, last, mode in blocks:
                since = max(begin, midnight_ms + first * _MINUTE_MS)
                until = min(stop, midnight_ms + last * _MINUTE_MS)
                if since < until:
                    found.append((since, until, mode))
    return join(found)


def join(spans: Iterable[Span]) -> list[Span]:
    """Spans in order that touch and have the same mode become one."""
    result: list[Span] = []
    for start, end, mode in spans:
        if result and result[-1][1] == start and result[-1][2] == mode:
            result[-1] = (result[-1][0], end, mode)
        else:
            result.append((start, end, mode))
    return result


def even_parts(zone: ZoneInfo, start_ms: int, end_ms: int) -> list[tuple[int, int, int]]:
    """[start_ms, end_ms) cut where the clocks change: (start, end, what the local clock is ahead of UTC)."""
    parts = []
    cursor, offset = start_ms, _offset_ms(zone, start_ms)
    for number in range(start_ms // _DAY_MS, (end_ms - 1) // _DAY_MS + 1):
        for at_ms, new in _changes(zone, number):
            if cursor < at_ms < end_ms:
                parts.append((cursor, at_ms, offset))
                cursor, offset = at_ms, new
    if cursor < end_ms:
        parts.append((cursor, end_ms, offset))
    return parts


@lru_cache(maxsize=20_000)
def _changes(zone: ZoneInfo, number: int) -> tuple[tuple[int, int], ...]:
    """(moment, new offset) of each change of the clocks in a UTC day, counted from 1970."""
    found = []
    for before in range(number * _DAY_MS, (number + 1) * _DAY_MS, _LOOK_MS):
        old, new = _offset_ms(zone, before), _offset_ms(zone, before + _LOOK_MS)
        if old == new:
            continue
        low, high = before, before + _LOOK_MS  # the change is in (low, high]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset_ms(zone, middle) == old else (low, middle)
        found.append((high, new))
    return tuple(found)


def _offset_ms(zone: ZoneInfo, ms: int) -> int:
    offset = from_ms(ms).astimezone(zone).utcoffset() or timedelta()
    return round(offset / timedelta(milliseconds=1))


def _by_weekday(weekly: Iterable[Sequence[Any]]) -> list[list[Block]]:
    days: list[list[Block]] = [[] for _ in range(7)]
    for weekday, start, end, mode in weekly:
        days[weekday].append((start, end, mode))
    return [sorted(day) for day in days]


def _by_date(exceptions: Iterable[Mapping[str, Any]]) -> dict[int, list[Block]]:
    return {
        (date.fromisoformat(one["date"]) - _EPOCH).days: sorted(
            (start, end, mode) for start, end, mode in one["blocks"]
        )
        for one in exceptions
    }
