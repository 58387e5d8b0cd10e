"""When the disk is full and how many days it holds: arithmetic, and the sums of the index."""

from __future__ import annotations

import pytest

from cctv.models import RecordingMode
from cctv.services.lifetime import forecast
from cctv.services.lifetime.forecast import Flow, work_out
from cctv.services.lifetime.retention_rules import Rule
from cctv.services.site import nodes, settings
from tests.services.footage import index_spans, make_camera

GB = 10**9
DAY = 86_400_000
NOW = 1_795_354_200_000


def flow(
    number: int, now: float, per_day: float, *, days: int | None = None, size: float | None = None
) -> Flow:
    rule = Rule(days, int(size * GB) if size else None)
    return Flow(number, f"Camera {number}", int(now * GB), per_day * GB, rule)


def test_what_the_rules_ask_for_fits() -> None:
    found = work_out([flow(1, 10, 10, days=30), flow(2, 10, 10, size=50)], 500 * GB)
    assert (found.full_in_days, found.holds_days, found.missing_bytes) == (None, None, 0)
    assert [found.keeps_days(one) for one in found.flows] == [30, 5]
    assert not any(found.is_short(one) for one in found.flows)


def test_a_disk_that_is_too_small_says_when_and_how_much_is_missing() -> None:
    found = work_out([flow(1, 0, 10, days=30), flow(2, 0, 10, days=5)], 200 * GB)
    # The second stops growing at 50 GB after 5 days; the first then has 150 GB.
    assert found.full_in_days == pytest.approx(15, abs=0.01)
    assert found.holds_days == pytest.approx(15, abs=0.01)
    assert [found.is_short(one) for one in found.flows] == [True, False]
    assert found.missing_bytes == 150 * GB


def test_without_a_limit_every_disk_is_full_some_day() -> None:
    found = work_out([flow(1, 50, 10)], 100 * GB)
    assert found.full_in_days == pytest.approx(10, abs=0.01)
    assert found.keeps_days(found.flows[0]) == pytest.approx(15, abs=0.01)
    assert not found.is_short(found.flows[0])


def test_beyond_the_limit_it_is_full_now() -> None:
    found = work_out([flow(1, 100, 10, days=30)], -20 * GB)
    assert (found.full_in_days, found.holds_days) == (0.0, pytest.approx(8, abs=0.01))


def test_nothing_recorded_says_nothing() -> None:
    found = work_out([flow(1, 0, 0, days=30)], 100 * GB)
    assert found.full_in_days is None
    assert found.keeps_days(found.flows[0]) is None


@pytest.mark.each_database
@pytest.mark.usefixtures("context")
def test_rates_are_the_median_of_whole_days_and_sums_come_from_the_index() -> None:
    node = nodes.this_node()
    camera = make_camera(RecordingMode.CONTINUOUS, since_ms=NOW - 9 * DAY)
    spans = []
    for age, minutes in enumerate((10, 10, 50, 10, 10, 1, 10, 10), start=1):
        start = NOW - age * DAY + 60_000
        spans += [(start + n * 60_000, start + (n + 1) * 60_000) for n in range(minutes)]
    index_spans(camera, sorted(spans), epoch_ms=NOW - 9 * DAY, node=node)  # type: ignore[arg-type]
    young = make_camera(RecordingMode.CONTINUOUS, since_ms=NOW - 3_600_000, number=2)
    hour = NOW - 3_600_000
    index_spans(young, [(hour + n * 60_000, hour + (n + 1) * 60_000) for n in range(60)], node=node)  # type: ignore[arg-type]
    settings.save(keep_days=30)
    found = {one.camera_id: one for one in forecast.flows_of(node.id, at_ms=NOW)}
    assert found[camera.id].now_bytes == 111 * 600_800
    assert found[camera.id].bytes_per_day == 10 * 600_800
    assert found[young.id].bytes_per_day == pytest.approx(1440 * 600_800, rel=0.02)
    assert found[young.id].rule == Rule(30, None)
