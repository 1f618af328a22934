"""Distributions: merging, percentiles within their bound, and what other layouts become."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.telemetry.histogram import (
    BASE,
    PERCENTILE_ERROR,
    SCALE,
    Histogram,
    index_of,
    merged,
    of_bounds,
    of_exponential,
    of_values,
    pack,
)
from pilothouse.telemetry.temporality import Differences

values = st.lists(st.floats(min_value=1e-9, max_value=1e9), min_size=1, max_size=60)


@given(st.floats(min_value=1e-11, max_value=1e11))
def test_a_value_lies_between_the_bounds_of_its_bucket(value):
    index = index_of(value)
    assert BASE**index * (1 - 1e-9) <= value <= BASE ** (index + 1) * (1 + 1e-9)


@given(values, st.floats(min_value=0.0, max_value=1.0))
def test_a_percentile_is_within_its_bound_of_the_observation_at_that_rank(observed, share):
    exact = sorted(observed)[max(1, math.ceil(share * len(observed))) - 1]
    assert of_values(observed).percentile(share) == pytest.approx(exact, rel=PERCENTILE_ERROR + 1e-9)


@given(st.lists(values, max_size=5))
def test_merging_is_the_same_as_having_observed_it_all_at_once(parts):
    together, at_once = merged(of_values(part) for part in parts), of_values([one for part in parts for one in part])
    assert together.buckets == at_once.buckets
    assert (together.count, together.low, together.high) == (at_once.count, at_once.low, at_once.high)
    assert together.sum == pytest.approx(at_once.sum)


@given(values, values)
def test_what_was_added_is_the_difference_of_two_states(before, added):
    first = of_values(before)
    difference = first.merge(of_values(added)).since(first)
    assert difference is not None
    assert difference.buckets == of_values(added).buckets
    assert first.since(first.merge(of_values(added))) is None


@given(
    st.integers(min_value=SCALE, max_value=12),
    st.integers(min_value=-500, max_value=500),
    st.lists(st.integers(0, 9), max_size=40),
)
def test_a_finer_exponential_histogram_is_brought_here_without_error(scale, offset, counts):
    brought = of_exponential(scale, 3, offset, counts, total=1.0)
    expected: dict[int, int] = {}
    for position, count in enumerate(counts):
        if count:
            # The upper bound of a bucket lies in it.
            index = min(max(math.ceil((offset + position + 1) / 2 ** (scale - SCALE)) - 1, -640), 639)
            expected[index] = expected.get(index, 0) + count
    assert brought.buckets == expected
    assert brought.count == 3 + sum(counts)


@given(st.integers(min_value=-4, max_value=SCALE - 1), st.integers(-3, 3), st.lists(st.integers(0, 99), max_size=10))
def test_a_coarser_one_keeps_its_count(scale, offset, counts):
    assert sum(of_exponential(scale, 0, offset, counts, total=0).buckets.values()) == sum(counts)


@given(st.lists(st.floats(0.001, 1e4), min_size=1, max_size=12, unique=True).map(sorted), st.data())
def test_explicit_bounds_keep_their_count_and_stay_between_them(bounds, data):
    counts = data.draw(st.lists(st.integers(0, 50), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    told = Histogram(count=sum(counts), buckets=dict(enumerate(counts)))
    brought = of_bounds(told, tuple(bounds), told)
    assert sum(brought.buckets.values()) + brought.zeros == sum(counts) == brought.count
    assert all(BASE**index <= bounds[-1] * (1 + 1e-9) for index in brought.buckets)


@given(
    st.integers(min_value=-4, max_value=SCALE - 1),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), max_size=9),
)
def test_a_coarser_total_that_grows_does_not_look_as_if_it_began_anew(scale, counts):
    before, after = ([sum(each[:told]) for each in counts] for told in (1, 2))
    earlier, later = (of_exponential(scale, 0, -4, each, total=0) for each in (before, after))
    added = later.since(earlier)
    assert added is not None
    assert sum(added.buckets.values()) == added.count == sum(after) - sum(before)


@given(
    st.lists(st.floats(0.001, 1e4), min_size=1, max_size=12, unique=True).map(sorted).map(tuple),
    st.lists(st.dictionaries(st.integers(0, 12), st.integers(1, 40), max_size=6), max_size=5),
)
def test_pieces_of_a_total_lie_where_all_of_it_would_lie_at_once(bounds, pieces):
    total, lain = Histogram(), []
    for piece in pieces:
        kept = {position: count for position, count in piece.items() if position <= len(bounds)}
        added = Histogram(count=sum(kept.values()), buckets=kept)
        total = total.merge(added)
        lain.append(of_bounds(added, bounds, total))
    assert merged(lain).buckets == of_bounds(total, bounds, total).buckets


def test_nothing_has_no_percentile_and_zeros_have_zero():
    assert Histogram().percentile(0.95) is None
    assert Histogram().mean is None
    assert of_values([0.0, -1.0, 2.0]).percentile(0.5) == 0.0
    assert of_values([math.nan, math.inf]).count == 0


@given(st.dictionaries(st.integers(-640, 639), st.integers(1, 2**39)))
def test_packing_loses_nothing(buckets):
    assert {packed >> 40: packed & 0xFF_FFFF_FFFF for packed in pack(buckets)} == buckets


def test_totals_become_differences_and_a_restart_counts_whole():
    totals, minute = Differences(), 60_000_000_000
    one, three = of_values([1.0]), of_values([1.0, 2.0, 3.0])
    assert totals.added("s", 0, minute, one) is None  # begun who knows when
    assert totals.added("s", 0, 2 * minute, three).count == 2
    assert totals.added("s", 0, 2 * minute, three) is None  # repeated
    assert totals.added("s", 0, minute, one) is None  # out of order
    assert totals.added("s", 0, 3 * minute, one) == one  # smaller: begun anew
    assert totals.added("s", 4 * minute, 5 * minute, three) == three  # begun later
    assert totals.added("fresh", 5 * minute, 6 * minute, one) == one


def test_series_unheard_of_for_longest_are_forgotten_and_counted():
    totals = Differences(series_max=2)
    for series in ("a", "b", "a", "c"):
        totals.added(series, 0, len(totals) + 1, Histogram())
    assert (len(totals), totals.forgotten) == (2, 1)
