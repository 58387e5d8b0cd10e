"""How much footage a week of a plan makes, and what about it deserves a second look.

Facts in numbers and names; the sentences are made by the pages. Exceptions are not counted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cctv.models import Camera, RecordingMode
from cctv.services.schedule.schedule_plans import Plan, is_never, uses_activity
from cctv.services.schedule.schedule_words import hours_a_week

USUAL_KBPS = 2000  # until the cameras have told theirs
_BYTES_PER_KBPS_HOUR = 125 * 3600


@dataclass(frozen=True, slots=True)
class Size:
    """A week of one camera. `activity_bytes` is the most it can be: when something moves all the time."""

    continuous_hours: float
    activity_hours: float
    continuous_bytes: int
    activity_bytes: int
    kbps: int
    is_measured: bool  # else at the usual rate


@dataclass(frozen=True, slots=True)
class Warnings:
    """Cameras that the plan leaves without footage, by their names."""

    never: list[str]  # the plan records nothing
    unseen: list[str]  # it records on activity, and they do not look for it
    is_inactive: bool  # the plan is out of force: none of its cameras records


def of_week(plan: Plan, cameras: Collection[Camera]) -> Size:
    """At the mean rate of these cameras, as far as it is known."""
    rates = [camera.main.bitrate_kbps for camera in cameras]
    known = [rate for rate in rates if rate]
    kbps = round(sum(known) / len(known)) if known else USUAL_KBPS
    hours = hours_a_week(plan.weekly)
    continuous, activity = hours[RecordingMode.CONTINUOUS], hours[RecordingMode.ACTIVITY]
    per_hour = kbps * _BYTES_PER_KBPS_HOUR
    return Size(
        continuous_hours=continuous,
        activity_hours=activity,
        continuous_bytes=round(continuous * per_hour),
        activity_bytes=round(activity * per_hour),
        kbps=kbps,
        is_measured=bool(known),
    )


def warnings(plan: Plan, cameras: Collection[Camera], *, is_active: bool) -> Warnings:
    """What is to be told before it is saved."""
    names = [camera.name for camera in cameras]
    blind = [camera.name for camera in cameras if not camera.watches_activity]
    return Warnings(
        never=names if is_never(plan) else [],
        unseen=blind if uses_activity(plan) else [],
        is_inactive=not is_active and bool(names),
    )
