"""What people set about keeping footage: rules of retention, the limit of the disk, and what that would do.

Checks, previews and saves; the rules are carried out by retention_rules.py and retention.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from cctv.clock import now_ms
from cctv.errors import Invalid
from cctv.extensions import begin_writing, db
from cctv.models import Camera
from cctv.services.auditing import audit
from cctv.services.lifetime import retention_preview, retention_rules
from cctv.services.lifetime.retention_preview import Loss
from cctv.services.lifetime.retention_rules import Rule, Ruled
from cctv.services.site import settings

LONGEST_DAYS = 3_650
LEAST_BYTES = 1_000_000_000
LARGEST_BYTES = 10**15
LONGEST_SPARED_HOURS = 24 * 30
_DAYS = f"Type whole days, 1 to {LONGEST_DAYS}; 0 or nothing means as long as there is room."
_OWN_DAYS = f"Type whole days, 1 to {LONGEST_DAYS}, 0 for no limit, or leave it empty for the default."
_GB = "Type gigabytes, at least 1; 0 or nothing means no limit."
_OWN_GB = "Type gigabytes, at least 1, 0 for no limit, or leave it empty for the default."


@dataclass(frozen=True, slots=True)
class Wish:
    """Rules as somebody typed them. `own`: camera id -> (days, bytes); None is the default, 0 no limit."""

    keep_days: int
    keep_bytes: int
    keeps_manual: bool
    own: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would go at `at_ms`."""

    at_ms: int
    losses: list[Loss]

    @property
    def size_bytes(self) -> int:
        return sum(loss.size_bytes for loss in self.losses)

    @property
    def started_ms(self) -> int:
        return min((loss.started_ms for loss in self.losses), default=0)

    @property
    def ended_ms(self) -> int:
        return max((loss.ended_ms for loss in self.losses), default=0)


def current() -> Wish:
    """The rules as they are."""
    rows = db.session.execute(
        select(Camera.id, Camera.keep_days, Camera.keep_bytes).where(Camera.deleted_at.is_(None))
    )
    return Wish(
        settings.get("keep_days"),
        settings.get("keep_bytes"),
        bool(settings.get("keeps_manual")),
        {camera_id: (days, size) for camera_id, days, size in rows},
    )


def parse(typed: dict[str, str], camera_ids: list[int], *, keeps_manual: bool) -> Wish:
    """The wish of typed fields: keep_days, keep_gb, days_<camera id>, gb_<camera id>.

    Raises:
        Invalid: keys are names of fields.
    """
    errors: dict[str, str] = {}
    days = _days(typed, "keep_days", _DAYS, errors)
    size = _bytes(typed, "keep_gb", _GB, errors)
    own = {
        camera_id: (
            _days(typed, f"days_{camera_id}", _OWN_DAYS, errors),
            _bytes(typed, f"gb_{camera_id}", _OWN_GB, errors),
        )
        for camera_id in camera_ids
    }
    if errors:
        raise Invalid(errors)
    return Wish(days or 0, size or 0, keeps_manual, own)


def preview(wish: Wish, *, at_ms: int | None = None) -> Preview:
    """What these rules would remove tonight."""
    night_ms = retention_rules.tonight_ms(at_ms)
    ruled = [
        Ruled(one.camera_id, one.stream_id, _rule(wish, one.camera_id)) for one in retention_rules.rules()
    ]
    return Preview(night_ms, retention_preview.losses(ruled, night_ms, spares_manual=wish.keeps_manual))


def save(wish: Wish) -> Preview:
    """Store the rules. What removes anything holds from tonight on, and can be changed until then."""
    coming = preview(wish)
    begin_writing()
    settings.put(
        keep_days=wish.keep_days,
        keep_bytes=wish.keep_bytes,
        keeps_manual=wish.keeps_manual,
        rules_from_ms=coming.at_ms if coming.losses else 0,
    )
    cameras = db.session.scalars(select(Camera).where(Camera.id.in_(wish.own), Camera.deleted_at.is_(None)))
    for camera in cameras:
        before = {"keep_days": camera.keep_days, "keep_bytes": camera.keep_bytes}
        camera.keep_days, camera.keep_bytes = wish.own[camera.id]
        after = {"keep_days": camera.keep_days, "keep_bytes": camera.keep_bytes}
        if before != after:
            audit.add("camera.edit", target=camera.name, camera_id=camera.id, before=before, after=after)
    db.session.commit()
    return coming


def waits_until_ms() -> int | None:
    """When rules that were saved begin to hold; None when they do."""
    from_ms = int(settings.get("rules_from_ms"))
    return from_ms if from_ms > now_ms() else None


def save_storage(*, disk_limit_percent: int | None, spared_hours: int | None) -> None:
    """How full a disk may get, and how much of the newest footage files of others never get.

    Raises:
        Invalid: keys disk_limit_percent, spared_hours.
    """
    errors = {}
    if disk_limit_percent is None or not 10 <= disk_limit_percent <= 95:
        errors["disk_limit_percent"] = "Choose 10 to 95 percent."
    if spared_hours is None or not 0 <= spared_hours <= LONGEST_SPARED_HOURS:
        errors["spared_hours"] = f"Choose 0 to {LONGEST_SPARED_HOURS} hours; 0 spares nothing."
    if errors:
        raise Invalid(errors)
    settings.save(disk_limit_percent=disk_limit_percent, spared_hours=spared_hours)


def _rule(wish: Wish, camera_id: int) -> Rule:
    days, size = wish.own.get(camera_id, (None, None))
    return Rule(
        (wish.keep_days if days is None else days) or None,
        (wish.keep_bytes if size is None else size) or None,
    )


def _days(typed: dict[str, str], name: str, sentence: str, errors: dict[str, str]) -> int | None:
    text = typed.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:9]) > LONGEST_DAYS:
        errors[name] = sentence
        return None
    return int(text)


def _bytes(typed: dict[str, str], name: str, sentence: str, errors: dict[str, str]) -> int | None:
    text = typed.get(name, "").strip().replace(",", ".")
    if not text:
        return None
    number: Any = None
    if text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit() and len(text) < 12:
        number = round(float(text) * 1e9)
    if number is None or not (number == 0 or LEAST_BYTES <= number <= LARGEST_BYTES):
        errors[name] = sentence
        return None
    return int(number)
