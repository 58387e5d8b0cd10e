"""How content time becomes wall time: bursts, drift, delays; and when to try again."""

from __future__ import annotations

from itertools import pairwise

from cctv.capture.lateness import HELD_BACK_MS, Lateness
from cctv.capture.patience import Patience
from cctv.capture.retries import Retries
from cctv.storage.mapping import wall_ms

EPOCH = 1_800_000_000_000


def feed(lateness: Lateness, seconds: range, *, late_ms: int, drift_ppm: float = 0.0) -> None:
    for second in seconds:
        content = EPOCH + second * 1000
        late = late_ms + round(second * 1000 * drift_ppm / 1e6)
        lateness.sample(content, content + late + HELD_BACK_MS, float(second))


def test_a_steady_camera_has_one_point() -> None:
    lateness = Lateness([], window_s=15)
    feed(lateness, range(100), late_ms=180)
    assert lateness.points == [(EPOCH, 180)]


def test_a_group_of_pictures_sent_at_once_does_not_make_the_start_late() -> None:
    lateness = Lateness([], window_s=15)
    lateness.sample(EPOCH, EPOCH + 1500 + HELD_BACK_MS, 0.0)  # old pictures, written now
    feed(lateness, range(1, 60), late_ms=200)
    assert wall_ms(lateness.points, EPOCH + 10_000) == EPOCH + 10_200


def test_a_start_that_was_very_late_never_makes_true_time_stand_still() -> None:
    lateness = Lateness([], window_s=15)
    feed(lateness, range(10), late_ms=9_000)
    feed(lateness, range(10, 100), late_ms=200)
    walls = [wall_ms(lateness.points, EPOCH + second * 1000) for second in range(100)]
    assert all(later > earlier for earlier, later in pairwise(walls))
    assert walls[-1] == EPOCH + 99_000 + 200


def test_a_row_made_while_the_start_is_a_guess_makes_the_guess_worth_storing() -> None:
    lateness = Lateness([], window_s=15)
    feed(lateness, range(2), late_ms=200)
    assert lateness.settle(), "a file closed within the first seconds"
    assert not lateness.settle()


def test_drift_is_followed_without_changing_what_was_told() -> None:
    lateness = Lateness([], window_s=15)
    told: dict[int, int] = {}
    for second in range(3600):
        feed(lateness, range(second, second + 1), late_ms=200, drift_ppm=200)
        content = EPOCH + second * 1000
        told[content] = wall_ms(lateness.points, content)
    for content, wall in told.items():
        assert wall_ms(lateness.points, content) == wall
    walls = list(told.values())
    assert walls == sorted(walls)
    assert abs(walls[-1] - (EPOCH + 3_599_000 + 200 + 720)) < 60
    assert 10 < len(lateness.points) < 60


def test_a_delay_of_the_network_is_not_taken_for_drift() -> None:
    lateness = Lateness([], window_s=15)
    feed(lateness, range(40), late_ms=200)
    feed(lateness, range(40, 50), late_ms=4000)
    feed(lateness, range(50, 100), late_ms=200)
    assert lateness.points == [(EPOCH, 200)]


def test_content_from_the_future_is_noticed() -> None:
    lateness = Lateness([], window_s=15)
    feed(lateness, range(20), late_ms=200)
    assert lateness.ahead_ms(EPOCH + 20_000, EPOCH + 20_200 + HELD_BACK_MS) == 0
    assert lateness.ahead_ms(EPOCH + 40_000, EPOCH + 20_200 + HELD_BACK_MS) == 20_000


def test_the_pause_doubles_up_to_its_longest_and_begins_anew_after_a_good_attempt() -> None:
    retries = Retries(Patience())
    pauses = [retries.pause_after("noroute", was_good=False) for _ in range(12)]
    assert 0.1 < pauses[0] < 0.3
    assert 7 < pauses[-1] < 13
    retries.settled()
    assert retries.pause_after("ended", was_good=True) == 0.0, "it ran well: at once"
    assert 0.3 < retries.pause_after("ended", was_good=False) < 0.6


def test_a_refused_login_is_hardly_tried_again() -> None:
    retries = Retries(Patience())
    assert retries.pause_after("auth", was_good=False) == float("inf")
    assert retries.pause_after("locked", was_good=False) == 300
    assert retries.pause_after("locked", was_good=False) == 1800


def test_a_clock_that_jumps_often_is_distrusted() -> None:
    retries = Retries(Patience())
    for _ in range(3):
        assert not retries.distrusts_clock
        retries.pause_after("clock_step", was_good=True)
    assert retries.distrusts_clock
