"""What a weekly plan means for moments: by the clock on the wall, also on the days when the clocks change."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cctv.clock import day_bounds_ms, from_ms, to_ms
from cctv.services.schedule.schedule_times import Span, even_parts, expand

LISBON = ZoneInfo("Europe/Lisbon")
HOUR, DAY = 3_600_000, 86_400_000
MODES = ("continuous", "activity")
# Changes at night and at midnight, by half an hour, none at all, and a date that was left out.
ZONES = ("Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu")
CHANGES = [
    (ZoneInfo("Europe/Lisbon"), date(2026, 3, 29)),
    (ZoneInfo("Europe/Lisbon"), date(2026, 10, 25)),
    (ZoneInfo("America/New_York"), date(2026, 3, 8)),
    (ZoneInfo("America/New_York"), date(2026, 11, 1)),
    (ZoneInfo("Australia/Lord_Howe"), date(2026, 4, 5)),
    (ZoneInfo("Australia/Lord_Howe"), date(2026, 10, 4)),
    (ZoneInfo("Africa/Cairo"), date(2026, 4, 24)),
    (ZoneInfo("Africa/Cairo"), date(2026, 10, 29)),
    (ZoneInfo("America/Sao_Paulo"), date(2018, 2, 17)),
    (ZoneInfo("America/Sao_Paulo"), date(2018, 11, 4)),
    (ZoneInfo("Pacific/Apia"), date(2011, 12, 30)),
]


@st.composite
def blocks_of_a_day(draw: st.DrawFn) -> list[tuple[int, int, str]]:
    edges = sorted(draw(st.sets(st.integers(0, 96), max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [(start * 15, end * 15, draw(st.sampled_from(MODES))) for start, end in pairs]


weeks = st.lists(blocks_of_a_day(), min_size=7, max_size=7).map(
    lambda days: [(number, *block) for number, day in enumerate(days) for block in day]
)


def on_the_wall(
    week: list[tuple[int, int, int, str]], exceptions: list[dict], zone: ZoneInfo, ms: int
) -> str:
    """The mode of an instant as a person would say it: look at the clock, then at the plan."""
    local = from_ms(ms).astimezone(zone)
    minute = local.hour * 60 + local.minute
    blocks = [tuple(block) for day, *block in week if day == local.weekday()]
    for one in exceptions:
        if one["date"] == local.date().isoformat():
            blocks = one["blocks"]
    return next((mode for start, end, mode in blocks if start <= minute < end), "off")


@settings(max_examples=120, deadline=None)
@given(
    week=weeks,
    special=blocks_of_a_day(),
    case=st.sampled_from(CHANGES),
    before=st.integers(0, 40 * HOUR),
    after=st.integers(1, 40 * HOUR),
)
def test_an_instant_is_in_a_block_when_the_clock_on_the_wall_is(
    week: list[tuple[int, int, int, str]],
    special: list[tuple[int, int, str]],
    case: tuple[ZoneInfo, date],
    before: int,
    after: int,
) -> None:
    zone, day = case
    noon = to_ms(datetime(day.year, day.month, day.day, 12, tzinfo=zone))
    exceptions = [{"date": (day + timedelta(days=1)).isoformat(), "blocks": special}]
    start, end = noon - before, noon + after
    spans = expand(week, exceptions, zone, start, end)
    assert all(start <= since < until <= end for since, until, _mode in spans)
    assert all(one[1] <= two[0] and one[1:] != (two[0], two[2]) for one, two in pairwise(spans))
    edges = {edge for since, until, _mode in spans for edge in (since, until)}
    looks = {start, end - 1, *range(start, end, 15 * 60_000)} | edges | {edge - 1 for edge in edges}
    for ms in looks:
        if start <= ms < end:
            found = next((mode for since, until, mode in spans if since <= ms < until), "off")
            assert found == on_the_wall(week, exceptions, zone, ms)


@settings(max_examples=60, deadline=None)
@given(week=weeks, zone=st.sampled_from(ZONES).map(ZoneInfo), cut=st.integers(1, 10 * DAY - 1))
def test_two_halves_say_what_the_whole_says(
    week: list[tuple[int, int, int, str]], zone: ZoneInfo, cut: int
) -> None:
    start = to_ms(datetime(2026, 10, 22, tzinfo=zone))
    end = start + 10 * DAY
    halves = expand(week, [], zone, start, start + cut) + expand(week, [], zone, start + cut, end)
    assert total(halves) == total(expand(week, [], zone, start, end))


@pytest.mark.parametrize(
    ("day", "all_day", "night", "hour"),
    [
        (date(2026, 3, 29), 23, 2, 0),  # 01:00 to 02:00 is left out
        (date(2026, 10, 25), 25, 4, 2),  # and comes twice
        (date(2026, 11, 22), 24, 3, 1),
    ],
)
def test_the_hours_of_a_day_are_those_of_its_clock(day: date, all_day: int, night: int, hour: int) -> None:
    start, end = day_bounds_ms(day, LISBON)

    def hours(first: int, last: int) -> float:
        spans = expand([(day.weekday(), first * 60, last * 60, "continuous")], [], LISBON, start, end)
        return sum(until - since for since, until, _mode in spans) / HOUR

    assert (hours(0, 24), hours(0, 3), hours(1, 2)) == (all_day, night, hour)


def test_the_hour_that_comes_twice_is_recorded_twice() -> None:
    start, end = day_bounds_ms(date(2026, 10, 25), LISBON)
    spans = expand([(6, 75, 90, "activity")], [], LISBON, start, end)
    first = to_ms(datetime(2026, 10, 25, 1, 15, tzinfo=LISBON))
    assert spans == [(at, at + 15 * 60_000, "activity") for at in (first, first + HOUR)]


def test_all_the_time_is_one_piece_through_midnights_and_changes() -> None:
    start = to_ms(datetime(2026, 10, 20, tzinfo=LISBON))
    week = [(day, 0, 1440, "continuous") for day in range(7)]
    assert expand(week, [], LISBON, start, start + 10 * DAY) == [(start, start + 10 * DAY, "continuous")]
    assert len(even_parts(LISBON, start, start + 10 * DAY)) == 2
    assert expand(week, [], LISBON, start, start) == []


def test_an_exception_replaces_its_date_and_no_other() -> None:
    start, end = day_bounds_ms(date(2026, 12, 25), LISBON)
    week = [(4, 480, 720, "continuous")]
    off = [{"date": "2026-12-25", "blocks": []}]
    assert expand(week, off, LISBON, start, end) == []
    assert expand(week, off, LISBON, start + 7 * DAY, end + 7 * DAY) == [
        (start + 7 * DAY + 8 * HOUR, start + 7 * DAY + 12 * HOUR, "continuous")
    ]


def total(spans: list[Span]) -> dict[str, int]:
    sums = dict.fromkeys(MODES, 0)
    for since, until, mode in spans:
        sums[mode] += until - since
    return sums
