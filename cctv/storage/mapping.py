"""Converts between the time inside a run's files (content) and true time (wall): the one place that does.

Pure arithmetic on the mapping of run.json; it must never read a clock or a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Mapping = Sequence[tuple[int, int]]  # (content_ms, offset_ms) in order of content_ms


def offset_ms(mapping: Mapping, content_ms: int) -> int:
    """What to add to content time at that point: linear between points, constant outside them."""
    if not mapping:
        return 0
    if content_ms <= mapping[0][0]:
        return mapping[0][1]
    for (left, left_offset), (right, right_offset) in pairwise(mapping):
        if content_ms < right:
            share = (content_ms - left) / max(1, right - left)
            return left_offset + round((right_offset - left_offset) * share)
    return mapping[-1][1]


def wall_ms(mapping: Mapping, content_ms: int) -> int:
    """True time of a content time, both in epoch milliseconds."""
    return content_ms + offset_ms(mapping, content_ms)
