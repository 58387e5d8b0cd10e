"""Comparing small pictures: objects move, light and noise do not; zones say where it counts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cctv.media import zones
from cctv.media.motion import HEIGHT, WIDTH, Episode, Episodes, Watcher

Picture = NDArray[np.uint8]
_RANDOM = np.random.default_rng(1)
WALL = np.clip(_RANDOM.normal(110, 25, (HEIGHT // 6, WIDTH // 6)), 40, 190).repeat(6, 0).repeat(6, 1)
WALL = np.pad(WALL, ((0, HEIGHT - WALL.shape[0]), (0, WIDTH - WALL.shape[1])), mode="edge")


def picture(*, at: int | None = None, light: object = 1.0, noise: float = 1.5, luma: int = 30) -> Picture:
    """The wall, with the smallest object (4 x 10 pixels) at a column."""
    lit = (WALL - 16) * light + 16
    if at is not None:
        lit[100:110, at : at + 4] = luma
    return np.clip(lit + _RANDOM.normal(0, noise, lit.shape), 16, 235).astype(np.uint8)


def episodes(
    pictures: list[Picture], *, labels: NDArray[np.int8] | None = None, sensitivity: int = 50
) -> list[Episode]:
    """What is told of pictures that are 2 s apart."""
    watcher = Watcher(labels=labels, sensitivity=sensitivity)
    found = Episodes(pause_ms=8000, longest_ms=3_600_000)
    for number, one in enumerate(pictures):
        change = watcher.look(one, number * 2000)
        if change is not None:
            found.add(watcher, change)
    return found.found


def passing(first: int = 5, last: int = 8) -> list[Picture]:
    """Twelve pictures; the object is in some of them, elsewhere in each."""
    return [picture(at=60 + 15 * number if first <= number <= last else None) for number in range(12)]


def test_the_smallest_object_is_one_episode_around_the_pictures_that_show_it() -> None:
    (one,) = episodes(passing())
    assert (one.started_ms, one.ended_ms) == (8000, 18_000)
    assert one.peak > 0


def test_an_object_in_two_pictures_is_enough() -> None:
    assert len(episodes(passing(5, 6))) == 1


@pytest.mark.parametrize("noise", [1.0, 3.0, 6.0])
def test_noise_is_nothing(noise: float) -> None:
    assert episodes([picture(noise=noise) for _ in range(40)]) == []


def test_a_lamp_is_nothing_when_it_goes_on_nor_when_it_goes_off() -> None:
    columns = np.arange(WIDTH)[None, :]
    lamp = 1 + 0.9 / (1 + ((columns - 90) / 60.0) ** 2)
    assert episodes([picture(light=lamp if 5 <= number < 12 else 1.0) for number in range(20)]) == []


def test_a_cloud_that_passes_is_nothing() -> None:
    columns = np.arange(WIDTH)[None, :] / WIDTH
    clouds = [1 - 0.4 * np.clip(number / 8 - columns, 0, 1) for number in range(16)]
    assert episodes([picture(light=cloud) for cloud in clouds]) == []


def test_an_object_is_seen_while_the_light_changes() -> None:
    shown = [
        picture(at=60 + 15 * number if 5 <= number <= 8 else None, light=1 - 0.04 * number)
        for number in range(12)
    ]
    assert len(episodes(shown)) == 1


def test_a_place_that_is_never_still_needs_more_after_a_while() -> None:
    leaves = [picture() for _ in range(200)]
    for leaf in leaves[::2]:
        leaf[60:90, 200:240] += 16
    (one,) = episodes(leaves)
    assert one.ended_ms < 200_000


def test_zones_decide_what_counts_and_name_it() -> None:
    here = {"name": "Way", "points": [[0, 0.5], [1, 0.5], [1, 0.7], [0, 0.7]], "is_ignored": False}
    there = {"name": "Sky", "points": [[0, 0], [1, 0], [1, 0.3], [0, 0.3]], "is_ignored": False}
    (one,) = episodes(passing(), labels=zones.labels([there, here]))
    assert one.zone == 1
    assert episodes(passing(), labels=zones.labels([there])) == []
    assert episodes(passing(), labels=zones.labels([here | {"is_ignored": True}])) == []


def test_sensitivity_decides_how_pale_an_object_may_be() -> None:
    def pale() -> list[Picture]:
        base = [picture(noise=0.5) for _ in range(12)]
        for number in range(5, 9):
            base[number][100:110, 60 + 15 * number : 64 + 15 * number] += 9
        return base

    assert episodes(pale(), sensitivity=25) == []
    assert len(episodes(pale(), sensitivity=90)) == 1


def test_what_goes_on_for_very_long_is_told_in_pieces() -> None:
    watcher, found = Watcher(), Episodes(pause_ms=8000, longest_ms=20_000)
    for number in range(30):
        change = watcher.look(picture(at=20 + 9 * number), number * 2000)
        if change is not None:
            found.add(watcher, change)
    assert len(found.found) > 1
    assert all(one.ended_ms - one.started_ms <= 20_000 for one in found.found)
    assert all(a.ended_ms == b.started_ms for a, b in zip(found.found, found.found[1:], strict=False))
