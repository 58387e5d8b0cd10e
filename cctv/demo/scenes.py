"""Labelled scenes for measuring the search for activity: what moves when, under which light and noise.

Drawn with the luma of one key frame after the other; nothing here plays, encodes or looks for anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WIDTH, HEIGHT = 1920, 1080
SMALLEST = (24, 60)  # pixels of the smallest object, wide and high
_BLACK, _WHITE = 16.0, 235.0
_LEAST_CONTRAST = 22.0  # grey levels between an object and what is behind it; less is camouflage
_GRID = 24  # pixels a light map has one value for


@dataclass(frozen=True, slots=True)
class Kind:
    """What happens in a scene besides objects: sensor noise (grey levels), how often a minute a lamp is
    switched and a cloud passes; and how much of the time something moves."""

    name: str
    noise: float = 2.0
    lamps_a_minute: float = 0.0
    clouds_a_minute: float = 0.0
    busy_share: float = 0.25
    brightness: float = 1.0


KINDS = (
    Kind("quiet"),
    Kind("noise", noise=5.0),
    Kind("night", noise=8.0, brightness=0.45),
    Kind("lamps", noise=3.0, lamps_a_minute=1.5, brightness=0.8),
    Kind("clouds", clouds_a_minute=1.5),
    Kind("everything", noise=5.0, lamps_a_minute=0.7, clouds_a_minute=0.7, brightness=0.9),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """One object: there from `start_s` to `end_s`, on a straight way that it may rest on."""

    start_s: float
    end_s: float
    width: int
    height: int
    luma: float
    way: tuple[float, float, float, float]  # x, y of its middle at the start and at the end
    rests: tuple[float, float]  # shares of its time between which it stands still

    def middle(self, at_s: float) -> tuple[float, float]:
        """Where its middle is."""
        share = (at_s - self.start_s) / (self.end_s - self.start_s)
        rest_from, rest_to = self.rests
        moving = 1 - (rest_to - rest_from)
        done = min(share, rest_from) + max(0.0, share - rest_to)
        x1, y1, x2, y2 = self.way
        return x1 + (x2 - x1) * done / moving, y1 + (y2 - y1) * done / moving


@dataclass(frozen=True, slots=True)
class _Lamp:
    at_s: float
    off_s: float
    x: float
    y: float
    radius: float
    gain: float
    shadow: tuple[float, float, float] | None  # a straight hard edge: its normal, and its distance


@dataclass(frozen=True, slots=True)
class _Cloud:
    at_s: float
    seconds: float  # from the first dimming until it is all there; as long again until it is gone
    holds_s: float
    gain: float
    direction: float


class Scene:
    """A fixed camera for some minutes; the same `seed` draws the same. `passages` is what moves, in order."""

    def __init__(self, kind: Kind, seed: int, seconds: float) -> None:
        self.kind, self.seconds = kind, seconds
        self._random = np.random.default_rng(seed)
        self._wall = _background(self._random)
        self._bank = [
            self._random.normal(0, self.kind.noise, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(4)
        ]
        self._lamps = self._plan_lamps()
        self._clouds = self._plan_clouds()
        self.passages = self._plan_passages()

    def frames(self, *, every_s: float = 2.0) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """(seconds, luma) of each key frame."""
        light: Floats | None = None
        lit = self._wall
        for at_s in np.arange(0.0, self.seconds, every_s):
            now = self._light(float(at_s))
            if light is None or not np.array_equal(now, light):
                light, lit = now, self._wall * _enlarged(now)
            picture = lit.copy()
            for passage in self.passages:
                if passage.start_s <= at_s < passage.end_s:
                    self._draw(picture, passage, float(at_s), now)
            bank = self._bank[int(self._random.integers(len(self._bank)))]
            down, right = (int(self._random.integers(size)) for size in bank.shape)
            picture += np.roll(bank, (down, right), (0, 1))
            yield float(at_s), np.clip(picture + _BLACK, _BLACK, _WHITE).astype(np.uint8)

    def _light(self, at_s: float) -> Floats:
        """What the wall is multiplied with, coarse; in steps of luma, that is after the camera's curve."""
        rows, columns = np.mgrid[0 : HEIGHT // _GRID, 0 : WIDTH // _GRID].astype(np.float32)
        light = np.full(rows.shape, self.kind.brightness, np.float32)
        for cloud in self._clouds:
            into = (at_s - cloud.at_s) / cloud.seconds
            out = (cloud.at_s + cloud.seconds + cloud.holds_s - at_s) / cloud.seconds + 1
            if into <= 0 or out <= 0:
                continue
            along = columns / columns.max() * np.cos(cloud.direction) + rows / rows.max() * np.sin(
                cloud.direction
            )
            edge = np.clip(2 * min(into, out) - (along + 1) / 2, 0, 1)
            light *= 1 - (1 - cloud.gain) * edge * edge * (3 - 2 * edge)
        for lamp in self._lamps:
            if not lamp.at_s <= at_s < lamp.off_s:
                continue
            x, y = columns * _GRID - lamp.x, rows * _GRID - lamp.y
            pool = (lamp.gain - 1) / (1 + (x * x + y * y) / lamp.radius**2)
            if lamp.shadow is not None:
                normal, distance, depth = lamp.shadow
                pool = np.where(x * np.cos(normal) + y * np.sin(normal) > distance, pool * depth, pool)
            light *= 1 + pool
        return light

    def _plan_lamps(self) -> list[_Lamp]:
        lamps = []
        for at_s in self._moments(self.kind.lamps_a_minute, least_apart_s=16.0):
            random = self._random
            is_room = random.random() < 0.4
            shadow = (random.uniform(0, 6.28), random.uniform(-200, 400), random.uniform(0.2, 0.7))
            lamps.append(
                _Lamp(
                    at_s=at_s,
                    off_s=at_s + random.uniform(8, 60),
                    x=random.uniform(0, WIDTH),
                    y=random.uniform(0, HEIGHT),
                    radius=3000.0 if is_room else random.uniform(150, 600),
                    gain=random.uniform(1.2, 2.2),
                    shadow=shadow if random.random() < 0.5 else None,
                )
            )
        return lamps

    def _plan_clouds(self) -> list[_Cloud]:
        random = self._random
        return [
            _Cloud(
                at_s,
                random.uniform(5, 30),
                random.uniform(0, 30),
                random.uniform(0.5, 0.85),
                random.uniform(0, 6.28),
            )
            for at_s in self._moments(self.kind.clouds_a_minute, least_apart_s=20.0)
        ]

    def _moments(self, a_minute: float, *, least_apart_s: float) -> list[float]:
        moments, at_s = [], 0.0
        while a_minute:
            at_s += max(least_apart_s, self._random.exponential(60 / a_minute))
            if at_s >= self.seconds - 10:
                break
            moments.append(at_s)
        return moments

    def _plan_passages(self) -> list[Passage]:
        """One after another, with quiet between them that is long enough to tell them apart."""
        passages, at_s, random = [], 20.0, self._random
        while self.kind.busy_share:
            seconds = random.uniform(4.2, 25)
            at_s += max(30.0, random.exponential(seconds * (1 - self.kind.busy_share) / self.kind.busy_share))
            if at_s + seconds > self.seconds - 15:
                break
            passages.append(self._passage(at_s, seconds))
            at_s += seconds
        return passages

    def _passage(self, start_s: float, seconds: float) -> Passage:
        random = self._random
        scale = 1.0 if random.random() < 0.4 else random.uniform(1.0, 7.0)
        width, height = round(SMALLEST[0] * scale), round(SMALLEST[1] * scale)
        if random.random() < 0.3:
            width, height = height * 2, height  # a car
        # A walk: its height is 1.7 m, 0.8 to 1.8 m a second; from the edge, or out of a door.
        way_px = random.uniform(0.8, 1.8) * height / 1.7 * seconds
        y = random.uniform(height / 2, HEIGHT - height / 2)
        is_right, begins_inside = random.random() < 0.5, random.random() < 0.4
        start = random.uniform(width, WIDTH - width) if begins_inside else -width / 2
        way = (start, y, start + way_px, float(np.clip(y + random.uniform(-0.2, 0.2) * way_px, 0, HEIGHT)))
        if is_right:
            way = (WIDTH - way[0], way[1], WIDTH - way[2], way[3])
        rest = (0.4, 0.6) if random.random() < 0.25 else (0.5, 0.5)
        passage = Passage(start_s, start_s + seconds, width, height, 0.0, way, rest)
        gone_s = self._leaves(passage)
        return (
            Passage(start_s, gone_s, width, height, random.uniform(0.08, 0.95), way, rest)
            if (gone_s - start_s >= seconds - 0.01)
            else self._shortened(passage, gone_s)
        )

    def _leaves(self, passage: Passage) -> float:
        """When it is out of the picture."""
        for at_s in np.arange(passage.start_s, passage.end_s, 0.2):
            x, _y = passage.middle(float(at_s))
            if at_s > passage.start_s + 1 and not -passage.width / 2 <= x <= WIDTH + passage.width / 2:
                return float(at_s)
        return passage.end_s

    def _shortened(self, passage: Passage, gone_s: float) -> Passage:
        """The same, there only until it is gone; one that is there for too short turns round instead."""
        x1, y1, _x2, y2 = passage.way
        luma = float(self._random.uniform(0.08, 0.95))
        size = (passage.width, passage.height)
        if gone_s - passage.start_s > 5:
            x, y = passage.middle(gone_s)
            return Passage(passage.start_s, gone_s, *size, luma, (x1, y1, x, y), (0.5, 0.5))
        return Passage(passage.start_s, passage.end_s, *size, luma, (x1, y1, WIDTH - x1, y2), (0.5, 0.5))

    def _draw(self, picture: Floats, passage: Passage, at_s: float, light: Floats) -> None:
        x, y = passage.middle(at_s)
        left, top = round(x - passage.width / 2), round(y - passage.height / 2)
        rows = slice(max(0, top), min(HEIGHT, top + passage.height))
        columns = slice(max(0, left), min(WIDTH, left + passage.width))
        behind = picture[rows, columns]
        if not behind.size:
            return
        across = (np.arange(columns.start, columns.stop) - left + 0.5) / passage.width * 2 - 1
        along = (np.arange(rows.start, rows.stop) - top + 0.5) / passage.height * 2 - 1
        body = np.abs(across)[None, :] ** 3 + np.abs(along)[:, None] ** 3 < 1
        if not body.any():
            return
        lit = light[min(light.shape[0] - 1, int(y) // _GRID), int(np.clip(x, 0, WIDTH - 1)) // _GRID]
        luma = passage.luma * (_WHITE - _BLACK) * float(lit)
        local = float(behind[body].mean())
        if abs(luma - local) < _LEAST_CONTRAST:
            luma = local + (_LEAST_CONTRAST if local < 110 else -_LEAST_CONTRAST)
        stripes = 1 + 0.15 * np.sin(along * 9)[:, None]  # a coat, a window, a wheel
        np.copyto(behind, (luma * stripes).astype(np.float32), where=body)


def _enlarged(light: Floats) -> Floats:
    """A light map in the size of the picture, linear between its values."""
    for axis, size in ((0, HEIGHT), (1, WIDTH)):
        places = (np.arange(size) + 0.5) / _GRID - 0.5
        low = np.clip(np.floor(places).astype(int), 0, light.shape[axis] - 1)
        high = np.minimum(low + 1, light.shape[axis] - 1)
        share = np.clip(places - low, 0, 1).astype(np.float32)
        share = share[:, None] if axis == 0 else share[None, :]
        light = light.take(low, axis) * (1 - share) + light.take(high, axis) * share
    return light


def _background(random: np.random.Generator) -> Floats:
    """Walls, windows, ground with grain: even, striped and rough places, between 0 and white less black."""
    rows = np.linspace(0.35, 0.6, HEIGHT, dtype=np.float32)[:, None]
    wall = np.repeat(rows, WIDTH, axis=1) * 200
    for _ in range(40):
        width, height = int(random.integers(60, 500)), int(random.integers(60, 400))
        left, top = int(random.integers(-50, WIDTH)), int(random.integers(-50, HEIGHT))
        part = wall[max(0, top) : top + height, max(0, left) : left + width]
        part[:] = random.uniform(15, 200)
        if random.random() < 0.5 and part.size:
            step = int(random.integers(6, 40))
            part[(np.arange(part.shape[0]) // step) % 2 == 0] *= random.uniform(0.7, 0.95)
    grain = random.normal(0, 6, (HEIGHT // 3, WIDTH // 3)).astype(np.float32)
    wall += np.repeat(np.repeat(grain, 3, axis=0), 3, axis=1)
    return np.clip(wall, 4, 205).astype(np.float32)
