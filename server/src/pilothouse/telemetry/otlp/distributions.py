"""Distributions as OpenTelemetry writes them, checked before any loop depends on what was sent."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

import msgspec

from pilothouse.telemetry.histogram import BOUNDS_KNOWN_MAX, INDEX_MAX, INDEX_MIN, SCALE, Histogram, of_exponential
from pilothouse.telemetry.otlp.effort import BUCKETS_MAX
from pilothouse.telemetry.otlp.errors import OtlpUnreadable

COUNT_MAX: Final = 1 << 53
"""No counter of one bucket is believed beyond it, so that their sums stay numbers of 64 bits."""
_SCALE_MIN, _SCALE_MAX = -10, 20
"""OpenTelemetry's range."""


def amount(number: float) -> Histogram:
    """Write how much a sum is; its count only tells whether it grew or began anew."""
    if not math.isfinite(number):
        return Histogram()
    return Histogram(count=min(max(0, int(number)), COUNT_MAX), sum=float(number))


def explicit(bounds: tuple[float, ...], counts: Sequence[int], count: int, total: float) -> Histogram:
    """Read a histogram of bounds, its buckets numbered by them; one without any knows count and sum alone.

    Raises: OtlpUnreadable
    """
    if not counts:
        return Histogram(count=_count(count), sum=_finite(total))
    _no_more_buckets(len(counts))
    if len(counts) != len(bounds) + 1:
        raise OtlpUnreadable("a histogram has another number of buckets than of bounds")
    buckets = {position: min(each, COUNT_MAX) for position, each in enumerate(counts) if each > 0}
    return Histogram(count=sum(buckets.values()), sum=_finite(total), buckets=buckets)


def growing(bounds: tuple[float, ...]) -> tuple[float, ...]:
    """Return bounds as they were told; the same ones are one tuple, since every series has them.

    Raises: OtlpUnreadable
    """
    return (_known_to_grow if len(bounds) <= BOUNDS_KNOWN_MAX else _checked)(bounds)


def _checked(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if not all(low < high for low, high in pairwise(bounds)) or not all(map(math.isfinite, bounds)):
        raise OtlpUnreadable("the bounds of a histogram do not grow")
    return bounds


_known_to_grow = lru_cache(256)(_checked)


def exponential(scale: int, zeros: int, offset: int, counts: Sequence[int], *, total: float) -> Histogram:
    """Read the positive side of an exponential histogram; `zeros` is what was zero or less.

    Raises: OtlpUnreadable
    """
    if not _SCALE_MIN <= scale <= _SCALE_MAX:
        raise OtlpUnreadable("the scale of a histogram is beyond OpenTelemetry's")
    _no_more_buckets(len(counts))
    if scale < 0:
        return _coarse(scale, zeros, offset, counts, total)
    return of_exponential(scale, _count(zeros), offset, [_count(each) for each in counts], total=_finite(total))


def between(values: Histogram, low: float | None, high: float | None) -> Histogram:
    """Note the least and the greatest observation, where they were told: percentiles lie between them."""
    return msgspec.structs.replace(
        values,
        low=low if low is not None and math.isfinite(low) else None,
        high=high if high is not None and math.isfinite(high) else None,
    )


def _coarse(scale: int, zeros: int, offset: int, counts: Sequence[int], total: float) -> Histogram:
    """Let the middle of a bucket that is wider than 16 of ours stand for it."""
    buckets: dict[int, int] = {}
    half = 1 << (SCALE - scale - 1)
    for position, told in enumerate(counts):
        if told:
            index = min(max((2 * (offset + position) + 1) * half, INDEX_MIN), INDEX_MAX)
            buckets[index] = buckets.get(index, 0) + _count(told)
    return Histogram(
        count=_count(zeros) + sum(buckets.values()), sum=_finite(total), zeros=_count(zeros), buckets=buckets
    )


def _no_more_buckets(count: int) -> None:
    if count > BUCKETS_MAX:
        raise OtlpUnreadable(f"a histogram has more than {BUCKETS_MAX} buckets")


def _count(told: int) -> int:
    return min(max(told, 0), COUNT_MAX)


def _finite(total: float) -> float:
    return total if math.isfinite(total) else 0.0
