"""Zones of a picture as numbers on the grid of small pictures: which pixels count, and under which name.

A zone is a polygon in shares of the picture; who may draw one and where it is stored is no matter here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cctv.media.motion import HEIGHT, WIDTH

IGNORED, UNNAMED = -2, -1


def labels(zones: Sequence[Mapping[str, Any]]) -> NDArray[np.int8] | None:
    """For each pixel the index of the zone it lies in, UNNAMED or IGNORED; None where everything counts.

    Without a zone that counts everything does, less what is ignored; with one only what lies in such zones.
    Of two zones over one another the later one counts.
    """
    if not zones:
        return None
    has_watched = any(not zone.get("is_ignored") for zone in zones)
    grid = np.full((HEIGHT, WIDTH), IGNORED if has_watched else UNNAMED, np.int8)
    for is_ignored in (False, True):
        for index, zone in enumerate(zones):
            if bool(zone.get("is_ignored")) == is_ignored:
                grid[_inside(zone["points"])] = IGNORED if is_ignored else index
    return grid


def _inside(points: Sequence[Sequence[float]]) -> NDArray[np.bool_]:
    """The pixels whose middle lies inside a polygon (crossings counted to the right, even-odd)."""
    x = ((np.arange(WIDTH) + 0.5) / WIDTH)[None, :]
    y = ((np.arange(HEIGHT) + 0.5) / HEIGHT)[:, None]
    inside = np.zeros((HEIGHT, WIDTH), np.bool_)
    for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        inside ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside
