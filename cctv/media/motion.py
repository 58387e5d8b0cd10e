"""Compares small grey pictures, one a key frame: something moved, or it was only light and noise.

Pure arithmetic on arrays; it knows no file, no camera and no clock but the times it is given. Its constants
were chosen on the labelled scenes of demo/scenes.py (docs/decisions, activity).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WIDTH, HEIGHT = 320, 180  # pixels of a small picture; other shapes are squeezed into it: shares stay shares

_BLACK = 16.0  # luma of black (ITU-R BT.601 and BT.709): light multiplies what lies above it
_DARK = 12.0  # added on both sides of a quotient of light, so that noise in the dark makes none
_MOST_GAIN = 6.0
_COARSE = 4  # pixels of one value of a map of light
_NEAR = (11, 11)  # of these: light is even over so much; the smallest object is a fiftieth of it
_GRAIN = (
    5,
    3,
)  # rows and columns over which noise is averaged: half of the smallest object, 24 x 60 of 1080p
_CLUSTER = (15, 9)  # rows and columns in which changed pixels count together
_NOISES = 6.0  # times the noise of the picture, above which a pixel has changed
_RESTLESS = 3.0  # times the usual unrest of a pixel (leaves, water, a screen)
_UNREST_SHARE = 0.03  # of the newest difference in that memory: about a minute and a half at 2 s
_SAME_LIGHT, _OTHER_LIGHT = 0.01, 0.1  # shares by which light differs: not worth a look, and a switch
_EDGE_SHARE = 0.6  # of a local contrast that a change of light may leave behind (shadows, curves of cameras)
_FORGOTTEN_MS = 45_000  # pictures further apart are not compared: the camera was away
_LIT_SHARE = 0.1  # of the picture in other light: a lamp, or something very large
_MEMORY = 4  # differences looked at together, see has_moved


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the sensitivity of a camera, 1 to 100, means: grey levels, and pixels of a small picture."""

    step: float
    pixels: int

    @classmethod
    def of(cls, sensitivity: int) -> Tuning:
        """50 is the one that was measured; each 25 more halve what is needed."""
        factor = 2.0 ** ((50 - min(100, max(1, sensitivity))) / 25)
        return cls(step=7.0 * factor, pixels=max(6, round(12 * factor)))


@dataclass(frozen=True, slots=True)
class Change:
    """Between two key frames: whether something moved, the share of the watched picture (0 to 1), and the
    index of the zone with most of it (-1: none has a name)."""

    from_ms: int
    to_ms: int
    has_moved: bool
    share: float
    zone: int
    is_lit: bool = False  # much of the picture is in another light than before


@dataclass(slots=True)
class Episode:
    """From the key frame before something moved to the first one after which nothing did."""

    started_ms: int
    ended_ms: int
    peak: float
    peak_ms: int
    zone: int


@dataclass(slots=True)
class Memory:
    """What a watcher remembers from one file to the next."""

    before: Floats | None = None  # the last picture, black at 0
    light: Floats | None = None  # its local brightness, coarse
    before_ms: int = 0
    unrest: Floats = field(default_factory=lambda: np.zeros((HEIGHT, WIDTH), np.float32))
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=_MEMORY))


def restored(
    picture: NDArray[np.uint8], unrest: NDArray[np.float16], at_ms: int, changes: Iterable[Change]
) -> Memory:
    """A memory from what was stored of it: its picture with black at 0."""
    before = picture.astype(np.float32)
    memory = Memory(before, _light(before), at_ms, unrest.astype(np.float32))
    memory.changes.extend(changes)
    return memory


class Watcher:
    """Follows one camera, picture by picture."""

    def __init__(
        self, *, sensitivity: int = 50, labels: NDArray[np.int8] | None = None, memory: Memory | None = None
    ) -> None:
        """`labels` (HEIGHT x WIDTH) says what counts: -2 ignored, -1 counts, else the index of its zone."""
        self.tuning = Tuning.of(sensitivity)
        self.memory = Memory() if memory is None else memory
        self.labels = labels
        self.watched: Mask | None = None if labels is None else labels > -2
        self.watched_pixels = HEIGHT * WIDTH if self.watched is None else max(1, int(self.watched.sum()))

    def look(self, picture: NDArray[np.uint8], at_ms: int) -> Change | None:
        """Compare with the picture before; None for the first one. Pictures come in order of time."""
        memory = self.memory
        if at_ms - memory.before_ms > _FORGOTTEN_MS:
            memory.before = None
            memory.changes.clear()
        now = np.maximum(picture.astype(np.float32) - _BLACK, 0.0)
        light = _light(now)
        change = None
        if memory.before is not None and memory.light is not None:
            changed, is_lit = self._compare(memory.before, memory.light, now, light)
            change = self._judge(changed, memory.before_ms, at_ms, is_lit=is_lit)
            memory.changes.append(change)
        memory.before, memory.light, memory.before_ms = now, light, at_ms
        return change

    def has_moved(self) -> bool:
        """Whether what was seen last is something that moves: in two of the last three differences.

        A lamp that was switched differs once; where it may have been two lamps, three of four are needed.
        """
        moved = [change for change in self.memory.changes if change.has_moved]
        if not moved or moved[-1] is not self.memory.changes[-1]:
            return False
        latest = list(self.memory.changes)[-3:]
        return len(moved) >= 3 or sum(one.has_moved and not one.is_lit for one in latest) >= 2

    def since_ms(self) -> int:
        """The key frame before the first of the differences that `has_moved` looked at."""
        return next(change.from_ms for change in self.memory.changes if change.has_moved)

    def _compare(self, before: Floats, light_before: Floats, now: Floats, light: Floats) -> tuple[Mask, bool]:
        """The pixels that differ by more than light and noise explain; whether much is in another light."""
        # Lamps, clouds and exposure multiply what is there, evenly over a neighbourhood.
        gain = np.clip(light / light_before, 1 / _MOST_GAIN, _MOST_GAIN)
        uneven = np.abs(gain - 1.0)
        most_uneven = float(uneven.max())
        expected = before
        if most_uneven > _SAME_LIGHT:
            expected = (before + _DARK) * _enlarged(gain) - _DARK
        difference = np.abs(_grain_mean(now - expected))
        memory, step = self.memory, self.tuning.step
        sample = difference[::3, ::3].ravel()
        noise = 1.4826 * float(np.partition(sample, sample.size // 2)[sample.size // 2])  # from the median
        threshold = np.maximum(memory.unrest * _RESTLESS, max(step, _NOISES * noise))
        if most_uneven > _OTHER_LIGHT:
            contrast = np.abs(expected - _grain_mean(expected)) + np.abs(now - _grain_mean(now))
            threshold += _EDGE_SHARE * np.minimum(_enlarged(uneven), 1.0) * _mean(contrast, _CLUSTER)
        changed = difference > threshold
        memory.unrest *= 1 - _UNREST_SHARE
        memory.unrest += np.minimum(difference, 1.2 * step) * np.float32(_UNREST_SHARE)
        is_lit = float(np.mean(uneven > _OTHER_LIGHT)) > _LIT_SHARE
        return changed, is_lit

    def _judge(self, changed: Mask, from_ms: int, to_ms: int, *, is_lit: bool) -> Change:
        if self.watched is not None:
            changed = changed & self.watched
        count = int(np.count_nonzero(changed))
        if count < self.tuning.pixels:
            return Change(from_ms, to_ms, False, 0.0, -1, is_lit)
        rows, columns = _CLUSTER
        together = _mean(changed.astype(np.float32), _CLUSTER) * (rows * columns)
        has_moved = float(together.max()) >= self.tuning.pixels - 0.5
        return Change(from_ms, to_ms, has_moved, count / self.watched_pixels, self._zone_of(changed), is_lit)

    def _zone_of(self, changed: Mask) -> int:
        if self.labels is None:
            return -1
        named = self.labels[changed]
        named = named[named >= 0]
        return int(np.bincount(named).argmax()) if named.size else -1


def _light(picture: Floats) -> Floats:
    """How bright it is around, a value for each _COARSE x _COARSE pixels."""
    rows = sum(picture[at::_COARSE] for at in range(1, _COARSE)) + picture[::_COARSE]
    blocks = sum(rows[:, at::_COARSE] for at in range(1, _COARSE)) + rows[:, ::_COARSE]
    return _mean((blocks / _COARSE**2).astype(np.float32), _NEAR) + _DARK


def _enlarged(coarse: Floats) -> Floats:
    """A coarse map in the size of the picture, linear between its values."""
    for axis in (0, 1):
        low, high, share = _places(coarse.shape[axis], axis)
        first = coarse.take(low, axis)
        coarse = first + (coarse.take(high, axis) - first) * share
    return coarse


@cache
def _places(count: int, axis: int) -> tuple[Any, Any, Floats]:
    places = (np.arange(count * _COARSE) + 0.5) / _COARSE - 0.5
    low = np.clip(np.floor(places).astype(np.intp), 0, count - 1)
    high = np.minimum(low + 1, count - 1)
    share = np.clip(places - low, 0.0, 1.0).astype(np.float32)
    return low, high, share[:, None] if axis == 0 else share[None, :]


def _grain_mean(values: Floats) -> Floats:
    """The mean over _GRAIN around each pixel; 0 at the edges, where it is not all there."""
    result = np.zeros_like(values)
    lines = values[:-4] + values[1:-3] + values[2:-2] + values[3:-1] + values[4:]
    result[2:-2, 1:-1] = (lines[:, :-2] + lines[:, 1:-1] + lines[:, 2:]) / (_GRAIN[0] * _GRAIN[1])
    return result


def _mean(values: Floats, size: tuple[int, int]) -> Floats:
    """The mean over `size` (odd) rows and columns around each pixel; at the edges over what is there."""
    total = values
    for axis in (0, 1):
        total = _sums(total if axis == 0 else total.T, size[axis])
        total = total if axis == 0 else total.T
    return total / _counts(values.shape, size)


def _sums(values: Floats, size: int) -> Floats:
    """Along the first axis, over `size` places around each."""
    count, half = values.shape[0], size // 2
    sums = np.zeros((count + 1, values.shape[1]), np.float32)
    np.cumsum(values, axis=0, out=sums[1:])
    result = np.empty((count, values.shape[1]), np.float32)
    np.subtract(sums[size:], sums[: count + 1 - size], out=result[half : count - half])
    result[:half] = sums[half + 1 : size]
    np.subtract(sums[count:], sums[count - 2 * half : count - half], out=result[count - half :])
    return result


@cache
def _counts(shape: tuple[int, int], size: tuple[int, int]) -> Floats:
    ones = np.ones(shape, np.float32)
    return _sums(_sums(ones, size[0]).T, size[1]).T


class Episodes:
    """Joins what moved into episodes of at most `longest_ms`; a pause of up to `pause_ms` belongs to them."""

    def __init__(self, *, pause_ms: int, longest_ms: int, open_one: Episode | None = None) -> None:
        self.pause_ms, self.longest_ms = pause_ms, longest_ms
        self.found: list[Episode] = []
        if open_one is not None:
            self.found.append(open_one)

    def add(self, watcher: Watcher, change: Change) -> None:
        """Take the newest difference in, when it is something that moves."""
        if not watcher.has_moved():
            return
        newest = self.found[-1] if self.found else None
        if newest is None or change.from_ms - newest.ended_ms > self.pause_ms:
            newest = Episode(watcher.since_ms(), change.to_ms, 0.0, change.to_ms, change.zone)
            self.found.append(newest)
        elif change.to_ms - newest.started_ms > self.longest_ms:
            newest = Episode(newest.ended_ms, change.to_ms, 0.0, change.to_ms, change.zone)
            self.found.append(newest)
        newest.ended_ms = max(newest.ended_ms, change.to_ms)
        if change.share > newest.peak:
            newest.peak, newest.peak_ms, newest.zone = change.share, change.to_ms, change.zone
