"""Plans: what is refused, the one way of writing them, and their words."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cctv.clock import to_ms
from cctv.errors import Invalid
from cctv.services.recording.planned import Now
from cctv.services.schedule import schedule_words
from cctv.services.schedule.schedule_plans import TEMPLATES, Plan, checked

HOUR = 3_600_000
OFFICE = TEMPLATES[1].weekly


@pytest.mark.parametrize(
    ("weekly", "sentence"),
    [
        ([[0, 0, 20, "continuous"]], "Monday: use quarters of an hour"),
        ([[0, 60, 60, "continuous"]], "the end must be after the start"),
        ([[6, 0, 1455, "continuous"]], "between 00:00 and 24:00"),
        ([[0, 0, 60, "always"]], "Choose continuous or on activity"),
        ([[7, 0, 60, "continuous"]], "Monday to Sunday"),
        ([[1, 0, 60, "continuous"], [1, 45, 90, "activity"]], "Tuesday: 00:45 to 01:00 is there twice"),
        ([[0, 0]], "not a weekly plan"),
        ([["a", None, 0, 0]], "Monday to Sunday"),
    ],
)
def test_a_plan_that_says_nothing_clear_is_refused(weekly: list, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        checked(weekly, [])


def test_a_plan_is_written_in_one_way() -> None:
    plan = checked(
        [[0, 60, 120, "continuous"], [0, 0, 75, "continuous"]], [{"date": "2026-12-25", "blocks": []}]
    )
    assert plan == Plan([[0, 0, 120, "continuous"]], [{"date": "2026-12-25", "blocks": []}])
    for day in ("25.12.2026", "1999-01-01", None):
        with pytest.raises(Invalid):
            checked([], [{"date": day, "blocks": []}])
    with pytest.raises(Invalid, match="25 Dec 2026 is there twice"):
        checked([], plan.exceptions * 2)


@pytest.mark.parametrize(
    ("weekly", "words"),
    [
        (TEMPLATES[0].weekly, "all the time, continuous"),
        ([], "never"),
        (OFFICE, "Mon–Fri 06:00–19:00 continuous, 19:00–22:00 on activity; else off"),
        (
            TEMPLATES[2].weekly,
            "Mon–Fri 00:00–07:00 continuous, 19:00–24:00 continuous; Sat, Sun all day continuous",
        ),
        ([[day, 0, 15, "activity"] for day in range(7)], "every day 00:00–00:15 on activity"),
        ([[0, 0, 60, "continuous"], [2, 0, 60, "continuous"]], "Mon, Wed 00:00–01:00 continuous; else off"),
    ],
)
def test_a_week_is_told_in_words(weekly: list, words: str) -> None:
    assert schedule_words.week_in_words(weekly) == words


def test_what_holds_now_is_told_with_its_end() -> None:
    zone = ZoneInfo("Europe/Lisbon")
    at = to_ms(datetime(2026, 11, 20, 20, tzinfo=zone))  # a Friday

    def told(mode: str | None, hours: float | None) -> str:
        now = Now(mode, None, None if hours is None else at + round(hours * HOUR))
        return schedule_words.now_in_words(now, zone, at_ms=at)

    assert told("activity", 2) == "on activity until 22:00"
    assert told(None, 4) == "off until midnight"
    assert told(None, 10) == "off until tomorrow 06:00"
    assert told(None, 58.25) == "off until Monday 06:15"
    assert told("continuous", None) == "continuous"
