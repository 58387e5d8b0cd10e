"""How a schedule stands in requests and answers: days by name, times as 06:15.

Shapes only; what a plan may say is checked by services/schedule/schedule_plans.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import fields
from marshmallow.validate import Length

from cctv.blueprints.api._shapes import (
    LARGEST_ID,
    Answer,
    Body,
    Paged,
    PageQuery,
    choice,
    count,
    flag,
    matching,
    moment,
    one,
    said,
    some,
    text,
    whole,
)
from cctv.models import Schedule
from cctv.services.recording.planned import Now
from cctv.services.schedule import schedule_words, schedules
from cctv.services.schedule.schedule_plans import MODES, MOST_EXCEPTIONS, Plan
from cctv.services.schedule.schedule_words import clock_in_words

DAYS = tuple(day.lower() for day in schedule_words.LONG_DAYS)
_TIME = r"^(([01][0-9]|2[0-3]):(00|15|30|45)|24:00)$"
_SAYS_TIME = "Quarter of an hour on the clock of the site; 24:00 is the end of the day."
_MOST_BLOCKS = 7 * 96
_MOST_CAMERAS = 1000


class Times(Body):
    """From when to when, and what."""

    start = matching(_TIME, "Send a quarter of an hour, as 06:15.", _SAYS_TIME, required=True)
    end = matching(_TIME, "Send a quarter of an hour, as 06:15.", _SAYS_TIME, required=True)
    mode = choice(MODES, "continuous, or only when something moves.", required=True)


class WeeklyTimes(Times):
    """The same on a day of every week."""

    day = choice(DAYS, "Day of the week.", required=True)


class DatedTimes(Body):
    """What holds on one date instead of the week."""

    date = matching(
        r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$",
        "Send a date, as 2026-12-25.",
        "Date at the site.",
        required=True,
    )
    blocks = fields.List(
        fields.Nested(Times),
        load_default=list,
        validate=Length(max=96, error="Send at most 96."),
        metadata={"description": "None: off all day."},
    )


class ScheduleChange(Body):
    """What is to be changed; the rest stays. Lists are replaced as a whole."""

    name = text(schedules.LONGEST_NAME, "As people call it.", least=1, example="Office hours")
    weekly = fields.List(
        fields.Nested(WeeklyTimes),
        validate=Length(max=_MOST_BLOCKS, error=f"Send at most {_MOST_BLOCKS}."),
        metadata={"description": "The week; what is in none of them is off."},
    )
    exceptions = fields.List(
        fields.Nested(DatedTimes),
        validate=Length(max=MOST_EXCEPTIONS, error=f"Send at most {MOST_EXCEPTIONS}."),
        metadata={"description": "Dates with their own times."},
    )
    camera_ids = fields.List(
        whole(1, LARGEST_ID, "Id of a camera."),
        validate=Length(max=_MOST_CAMERAS, error=f"Send at most {_MOST_CAMERAS}."),
        metadata={"description": "Who follows it. A camera that is taken off goes on all the time."},
    )


class ScheduleCreate(ScheduleChange):
    """A new schedule."""

    name = text(schedules.LONGEST_NAME, "As people call it.", least=1, required=True, example="Office hours")
    is_active = flag("false: nothing is recorded by it yet.", load_default=True)


class ScheduleQuery(PageQuery):
    """Which schedules, in which order."""

    search = text(80, "A part of the name.")
    is_active = flag("Only those that are active, or not.")
    camera_id = whole(1, LARGEST_ID, "The one that this camera follows.")
    sort = choice(
        [*schedules.SORTS, *(f"-{name}" for name in schedules.SORTS)],
        "A minus turns it round.",
        load_default="name",
    )


class TimesAnswer(Answer):
    """From when to when, and what."""

    start = said("As 06:15.")
    end = said("As 19:00; 24:00 is the end of the day.")
    mode = said("continuous or activity.")


class WeeklyAnswer(TimesAnswer):
    """The same on a day of every week."""

    day = said("monday to sunday.")


class DatedAnswer(Answer):
    """What holds on one date."""

    date = said("As 2026-12-25.")
    blocks = some(TimesAnswer, "None: off all day.")


class NowAnswer(Answer):
    """What the schedule says of this moment."""

    mode = said("continuous or activity; null: off.", allow_none=True)
    until_ms = count("Until when; null: for longer than a week, or it is not active.", allow_none=True)


class ScheduleAnswer(Answer):
    """A schedule."""

    id = count("Never given out twice.")
    name = said("As people call it.")
    is_active = flag("false: its cameras record only what people start.")
    weekly = some(WeeklyAnswer, "The week.")
    exceptions = some(DatedAnswer, "Dates with their own times, from today on.")
    camera_ids = some(fields.Integer(), "Who follows it, of the cameras that you may know of.")
    words = said("The week in words.")
    now = one(NowAnswer, "What it says of this moment.")
    created_at = moment("When it was made.")
    version = count("Raised by each change; the same as in the ETag.")


class SchedulePage(Paged):
    """A page of schedules."""

    items = some(ScheduleAnswer, "The schedules.")


def plan_from(body: Mapping[str, Any], stored: Plan) -> tuple[list[list[Any]], list[dict[str, Any]]]:
    """Week and exceptions as the services take them; what was not sent is what is stored."""
    weekly, exceptions = stored.weekly, stored.exceptions
    if "weekly" in body:
        weekly = [[DAYS.index(one["day"]), *_block(one)] for one in body["weekly"]]
    if "exceptions" in body:
        exceptions = [
            {"date": one["date"], "blocks": [_block(block) for block in one["blocks"]]}
            for one in body["exceptions"]
        ]
    return weekly, exceptions


def as_dict(schedule: Schedule, camera_ids: Iterable[int], now: Now) -> dict[str, Any]:
    """For the shape ScheduleAnswer."""
    plan = schedules.plan_of(schedule)
    return {
        "id": schedule.id,
        "name": schedule.name,
        "is_active": schedule.is_active,
        "weekly": [{"day": DAYS[day], **_times(block)} for day, *block in plan.weekly],
        "exceptions": [
            {"date": one["date"], "blocks": [_times(block) for block in one["blocks"]]}
            for one in plan.exceptions
        ],
        "camera_ids": list(camera_ids),
        "words": schedule_words.week_in_words(plan.weekly),
        "now": {"mode": now.mode, "until_ms": now.until_ms},
        "created_at": schedule.created_at,
        "version": schedule.version,
    }


def _block(times: Mapping[str, Any]) -> list[Any]:
    return [_minute(times["start"]), _minute(times["end"]), times["mode"]]


def _minute(text: str) -> int:
    hour, _, minute = text.strip().partition(":")
    return int(hour) * 60 + int(minute)


def _times(block: list[Any]) -> dict[str, str]:
    start, end, mode = block
    return {"start": clock_in_words(start), "end": clock_in_words(end), "mode": mode}
