"""Algebra of half-open intervals [start_ms, end_ms) as sorted lists of tuples.

Pure functions on integers; never a clock, never a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

Interval = tuple[int, int]


def union(*groups: Iterable[Interval], join_ms: int = 0) -> list[Interval]:
    """Merge intervals; neighbours at most `join_ms` apart become one."""
    result: list[Interval] = []
    for start, end in sorted(pair for group in groups for pair in group):
        if end <= start:
            continue
        if result and start <= result[-1][1] + join_ms:
            if end > result[-1][1]:
                result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def intersect(left: Iterable[Interval], right: Iterable[Interval]) -> list[Interval]:
    """What both groups cover."""
    first, second = union(left), union(right)
    result: list[Interval] = []
    i = j = 0
    while i < len(first) and j < len(second):
        start, end = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if start < end:
            result.append((start, end))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return result


def subtract(left: Iterable[Interval], right: Iterable[Interval]) -> list[Interval]:
    """What the left group covers and the right one does not."""
    holes = union(right)
    result: list[Interval] = []
    first = 0  # hole that may still matter: a flapping camera has thousands of both
    for start, end in union(left):
        while first < len(holes) and holes[first][1] <= start:
            first += 1
        cursor = start
        for hole_start, hole_end in islice(holes, first, None):
            if hole_start >= end:
                break
            if hole_start > cursor:
                result.append((cursor, hole_start))
            cursor = max(cursor, hole_end)
        if cursor < end:
            result.append((cursor, end))
    return result


def clip(group: Iterable[Interval], start_ms: int, end_ms: int) -> list[Interval]:
    """The part of the group inside [start_ms, end_ms)."""
    return intersect(group, [(start_ms, end_ms)])


def overlaps(group: Iterable[Interval], start_ms: int, end_ms: int) -> bool:
    """Whether any instant of [start_ms, end_ms) is covered."""
    return any(start < end_ms and end > start_ms for start, end in group)


def total_ms(group: Iterable[Interval]) -> int:
    """Covered time in milliseconds, overlaps counted once."""
    return sum(end - start for start, end in union(group))
