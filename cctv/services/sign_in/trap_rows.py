"""Reading the honeypot's list: addresses with what they tried, the newest first, and how many came each day.

Only reads; what may be done about an address is in services/sign_in/honeypot.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, func, select

from cctv.clock import day_bounds_ms, now_ms, site_day
from cctv.extensions import db
from cctv.models import TrapAttempt, TrappedAddress
from cctv.services.site import settings
from cctv.services.site.paging import Page, paginate

DAYS = 14


@dataclass(frozen=True, slots=True)
class Knocks:
    """How often the decoy was touched on one day, of what is still kept."""

    day: str
    count: int


def find_addresses(*, with_ours: bool = False, number: int = 1, size: int = 50) -> Page[TrappedAddress]:
    """Addresses, the one that came last first."""
    query = _listed(with_ours).order_by(TrappedAddress.last_ms.desc(), TrappedAddress.id.desc())
    return paginate(query, number=number, size=size)


def attempts_of(row_id: int, *, limit: int = 50) -> list[TrapAttempt]:
    """What one address tried, the newest first."""
    query = select(TrapAttempt).where(TrapAttempt.trapped_id == row_id).order_by(TrapAttempt.id.desc())
    return list(db.session.scalars(query.limit(limit)))


def count_news(*, since_ms: int, with_ours: bool = False, most: int = 100) -> int:
    """How many addresses came, or came again, after that."""
    newer = _listed(with_ours).where(TrappedAddress.last_ms > since_ms).limit(most)
    return db.session.scalar(select(func.count()).select_from(newer.subquery())) or 0


def count_blocked() -> int:
    """How many are shut out now."""
    return (
        db.session.scalar(
            select(func.count(TrappedAddress.id)).where(TrappedAddress.blocked_until_ms > now_ms())
        )
        or 0
    )


def by_day() -> list[Knocks]:
    """The last days, the oldest first."""
    zone = settings.zone()
    today = site_day(now_ms(), zone)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    since = day_bounds_ms(days[0], zone)[0]
    moments = db.session.scalars(select(TrapAttempt.at_ms).where(TrapAttempt.at_ms >= since))
    counts = Counter(site_day(ms, zone) for ms in moments)
    return [Knocks(f"{day.day} {day:%b}", counts[day]) for day in days]


def _listed(with_ours: bool) -> Select[tuple[TrappedAddress]]:
    query = select(TrappedAddress)
    return query if with_ours else query.where(TrappedAddress.is_ours.is_(False))
