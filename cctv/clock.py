"""Wall time: integer epoch milliseconds for the media timeline, aware UTC datetimes for everything else.

Nothing else in the product asks the operating system for the time of day, and no naive datetime exists.
"""

from __future__ import annotations

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
    """Epoch milliseconds as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


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
