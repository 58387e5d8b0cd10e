"""Wall time: integer epoch milliseconds for the media timeline, aware UTC datetimes for everything else.

Nothing else in the product asks the operating system for the time of day, and no naive datetime exists.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def utcnow() -> datetime:
    """Now, aware, UTC."""
    return datetime.now(UTC)


def from_ms(ms: int) -> datetime:
    """Epoch milliseconds as an aware UTC datetime. OverflowError beyond the calendar."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OSError):
        raise OverflowError("not in the calendar") from None


def to_ms(moment: datetime) -> int:
    """An aware datetime as epoch milliseconds."""
    return round(moment.timestamp() * 1000)


def site_day(ms: int, zone: ZoneInfo) -> date:
    """The site-local calendar day that holds the moment."""
    return from_ms(ms).astimezone(zone).date()


def day_bounds_ms(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of a site-local day; 23 or 25 hours apart on the days when the clocks change."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=zone)
    return to_ms(start), to_ms(end)


_TIME_OF_DAY = re.compile(r"(\d{1,2})(?:[:.h]?(\d{2}))?(?:[:.]?(\d{2}))?\s*(am|pm)?", re.IGNORECASE)
_BACK = re.compile(r"([-+])\s*(\d{1,4})\s*(s|m|h)", re.IGNORECASE)
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000}


def parse_typed(text: str, *, near_ms: int, zone: ZoneInfo) -> int | None:
    """A moment as people type it, or None: 14:52, 1452, 2:52pm, -15m, an ISO time, or epoch milliseconds.

    A time of day is meant on the site-local day of `near_ms`; `-15m` counts from there.
    """
    typed = text.strip()
    if typed.isdecimal() and len(typed) >= 12:
        return int(typed)
    if back := _BACK.fullmatch(typed):
        sign, amount, unit = back.groups()
        return near_ms + (-1 if sign == "-" else 1) * int(amount) * _UNIT_MS[unit.lower()]
    if match := _TIME_OF_DAY.fullmatch(typed):
        return _time_of_day(match, site_day(near_ms, zone), zone)
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        return None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def _time_of_day(match: re.Match[str], day: date, zone: ZoneInfo) -> int | None:
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    half = (match.group(4) or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return to_ms(datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone))
