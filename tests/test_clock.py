"""The clock: site days, typed times, and the days on which the clocks change."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from cctv import clock

LISBON = ZoneInfo("Europe/Lisbon")
HOUR = 3_600_000


def at(text: str) -> int:
    ms = clock.parse_typed(text, near_ms=0, zone=LISBON)
    assert ms is not None
    return ms


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 22), 24)]
)
def test_a_site_day_is_as_long_as_the_clocks_make_it(day: date, hours: int) -> None:
    start, end = clock.day_bounds_ms(day, LISBON)
    assert end - start == hours * HOUR
    assert clock.site_day(start, LISBON) == clock.site_day(end - 1, LISBON) == day


@pytest.mark.parametrize("typed", ["14:52", "1452", "14.52", "2:52pm", "2:52 PM", "14:52:00", "145200"])
def test_a_time_of_day_is_read_in_every_usual_spelling(typed: str) -> None:
    near = at("2026-11-22T08:00")
    assert clock.parse_typed(typed, near_ms=near, zone=LISBON) == at("2026-11-22T14:52")


def test_a_step_back_counts_from_where_one_is() -> None:
    near = at("2026-11-22T08:00")
    assert clock.parse_typed("-15m", near_ms=near, zone=LISBON) == near - 15 * 60_000
    assert clock.parse_typed("+30 s", near_ms=near, zone=LISBON) == near + 30_000


@pytest.mark.parametrize("typed", ["", "soon", "25:00", "14:72", "13pm", "0:10am x", "99999999"])
def test_what_is_no_time_is_none(typed: str) -> None:
    assert clock.parse_typed(typed, near_ms=0, zone=LISBON) is None


def test_milliseconds_and_iso_times_are_taken_as_they_are() -> None:
    assert clock.parse_typed("1795354218000", near_ms=0, zone=LISBON) == 1_795_354_218_000
    assert clock.parse_typed("2026-07-01T12:00:00+00:00", near_ms=0, zone=LISBON) == clock.parse_typed(
        "2026-07-01T13:00", near_ms=0, zone=LISBON
    )
