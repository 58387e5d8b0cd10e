"""The outlook of a disk in sentences: when it is full, how long it then keeps, and what was asked for.

Only words around figures of services/lifetime/forecast.py; nothing is asked of the database here.
"""

from __future__ import annotations

from cctv.blueprints._words import day, size
from cctv.clock import now_ms
from cctv.services.lifetime.forecast import DAY_MS, Forecast

_SOON_DAYS = 0.5  # a disk that is full sooner counts as full
_MOST_NAMES = 3


def outlook(found: Forecast, limit_percent: int) -> str:
    """One or two sentences about how it goes on."""
    if not found.bytes_per_day:
        return "Nothing is recorded now, or not for long enough to say how it goes on."
    comes = f"{size(found.bytes_per_day)} a day come in"
    if found.full_in_days is None or found.holds_days is None:
        return f"{comes}; everything that the rules ask for fits below {limit_percent} %."
    keeps = f"keeps about {days(found.holds_days)}"
    if found.full_in_days < _SOON_DAYS:
        return f"{comes}. The disk is at its limit of {limit_percent} %: the oldest goes. It {keeps}."
    full_ms = now_ms() + int(found.full_in_days * DAY_MS)
    return (
        f"{comes}: it reaches the limit of {limit_percent} % on {day(full_ms)} ({days(found.full_in_days)}). "
        f"Then the oldest goes, and it {keeps}."
    )


def shortfall(found: Forecast) -> str:
    """What was asked for and is not held; empty when all is."""
    short = [flow for flow in found.flows if found.is_short(flow)]
    if not short or found.holds_days is None:
        return ""
    asked = max(flow.rule.keep_days or 0 for flow in short)
    names = ", ".join(flow.name for flow in short[:_MOST_NAMES])
    names += f" and {len(short) - _MOST_NAMES} more" if len(short) > _MOST_NAMES else ""
    remedy = f"Add {size(found.missing_bytes)}, keep less, or lower the quality."
    return f"Asked for {asked} days, holds {days(found.holds_days)}: {names}. {remedy}"


def days(number: float) -> str:
    """21 days, 9 hours, 40 minutes: a length of footage, given in days."""
    if number >= 2:
        return f"{number:.0f} days"
    if number * 24 >= 2:
        return f"{number * 24:.0f} hours"
    minutes = max(1, round(number * 1440))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
