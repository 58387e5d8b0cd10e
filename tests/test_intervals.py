"""The algebra of intervals, held against a plain model of single milliseconds."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cctv import intervals

groups = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=8,
)


def points(group: list[tuple[int, int]]) -> set[int]:
    return {ms for start, end in group for ms in range(start, end)}


def is_tidy(group: list[tuple[int, int]]) -> bool:
    return all(start < end for start, end in group) and all(
        left[1] < right[0] for left, right in itertools.pairwise(group)
    )


@given(groups, groups)
def test_union_intersect_and_subtract_agree_with_sets(left: list, right: list) -> None:
    for result, expected in (
        (intervals.union(left, right), points(left) | points(right)),
        (intervals.intersect(left, right), points(left) & points(right)),
        (intervals.subtract(left, right), points(left) - points(right)),
    ):
        assert points(result) == expected
        assert is_tidy(result)


@given(groups)
def test_total_counts_each_millisecond_once(group: list) -> None:
    assert intervals.total_ms(group) == len(points(group))


@given(groups, st.integers(0, 60), st.integers(1, 20))
def test_overlaps_means_a_shared_millisecond(group: list, start: int, length: int) -> None:
    shared = points(group) & set(range(start, start + length))
    assert intervals.overlaps(intervals.union(group), start, start + length) == bool(shared)


def test_neighbours_within_the_tolerance_become_one() -> None:
    assert intervals.union([(0, 10), (12, 20), (40, 50)], join_ms=2) == [(0, 20), (40, 50)]
