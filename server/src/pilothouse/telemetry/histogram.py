"""Distributions that can be merged: OTLP's exponential histogram at one fixed scale.

Bucket `i` holds what lies in (2^(i/16), 2^((i+1)/16)]. Merging adds counts of equal buckets, in Python as in SQL; a
finer OTLP histogram is brought here by shifting its indices, without error. A percentile is the geometric middle of its
bucket, so it is off by at most 2.19 % (`PERCENTILE_ERROR`).
Source: ADR 0019; OpenTelemetry, Metrics Data Model, "Exponential Histogram".
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, reduce

import msgspec

SCALE = 4
BASE = 2.0 ** (2.0**-SCALE)
PERCENTILE_ERROR = math.sqrt(BASE) - 1.0
"""Largest relative error of a percentile of what was observed one by one, or came at a finer scale."""

INDEX_MIN, INDEX_MAX = -640, 639
"""Buckets for 1e-12 to 1e12; what is beyond is counted in the last one of its side."""

_INDICES_A_POWER = 1 << SCALE


class Histogram(msgspec.Struct, frozen=True, array_like=True):
    """How many observations fell where. Units: those of what is observed; request times are in seconds."""

    count: int = 0
    sum: float = 0.0
    low: float | None = None
    """The least one, where it is known."""
    high: float | None = None
    zeros: int = 0
    """Observations that were zero or less."""
    buckets: dict[int, int] = msgspec.field(default_factory=dict)
    """Bucket index to count, without empty ones."""

    def merge(self, other: "Histogram") -> "Histogram":
        """Return the distribution of both."""
        buckets = dict(self.buckets)
        for index, count in other.buckets.items():
            buckets[index] = buckets.get(index, 0) + count
        return Histogram(
            count=self.count + other.count,
            sum=self.sum + other.sum,
            low=_either(min, self.low, other.low),
            high=_either(max, self.high, other.high),
            zeros=self.zeros + other.zeros,
            buckets=buckets,
        )

    def since(self, earlier: "Histogram") -> "Histogram | None":
        """Return what was added after an earlier state of the same growing one; None where it was begun anew."""
        buckets = {index: count - earlier.buckets.get(index, 0) for index, count in self.buckets.items()}
        gone = earlier.buckets.keys() - self.buckets.keys()
        shrunk = self.count < earlier.count or self.zeros < earlier.zeros
        if gone or shrunk or any(count < 0 for count in buckets.values()):
            return None
        return Histogram(
            count=self.count - earlier.count,
            sum=self.sum - earlier.sum,
            zeros=self.zeros - earlier.zeros,
            buckets={index: count for index, count in buckets.items() if count},
        )

    def percentile(self, share: float) -> float | None:
        """Return the value that a share of the observations does not exceed; None when there are none.

        Units: `share` is 0 to 1. Within `PERCENTILE_ERROR` of the observation at that rank.
        """
        known = self.zeros + sum(self.buckets.values())
        if not known:
            return None
        rank = max(1, math.ceil(share * known))
        seen = self.zeros
        if rank <= seen:
            return 0.0
        value = 0.0
        for index in sorted(self.buckets):
            seen += self.buckets[index]
            if seen >= rank:
                value = middle_of(index)
                break
        if self.low is not None:
            value = max(value, self.low)
        return value if self.high is None else min(value, self.high)

    @property
    def mean(self) -> float | None:
        """The average; None when there are none."""
        return self.sum / self.count if self.count else None


def _either(choose: Callable[[float, float], float], one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return one if other is None else other
    return choose(one, other)


def index_of(value: float) -> int:
    """Return the bucket of a value above zero."""
    fraction, exponent = math.frexp(value)  # value = fraction * 2^exponent, 0.5 <= fraction < 1
    index = math.ceil(math.log2(fraction) * _INDICES_A_POWER) + exponent * _INDICES_A_POWER - 1
    return min(max(index, INDEX_MIN), INDEX_MAX)


def middle_of(index: int) -> float:
    """Return the value that stands for a bucket: as far, in ratio, from one bound as from the other."""
    return 2.0 ** ((index + 0.5) / _INDICES_A_POWER)


def of_values(values: Iterable[float]) -> Histogram:
    """Make the distribution of single observations; what is not a number is left out."""
    count, total, zeros, low, high = 0, 0.0, 0, math.inf, -math.inf
    buckets: dict[int, int] = {}
    for value in values:
        if not math.isfinite(value):
            continue
        count, total, low, high = count + 1, total + value, min(low, value), max(high, value)
        if value <= 0:
            zeros += 1
        else:
            index = index_of(value)
            buckets[index] = buckets.get(index, 0) + 1
    return Histogram(
        count=count, sum=total, low=low if count else None, high=high if count else None, zeros=zeros, buckets=buckets
    )


def of_exponential(scale: int, zeros: int, offset: int, counts: Sequence[int], *, total: float) -> Histogram:
    """Bring OTLP's exponential histogram (its positive side) to our scale; a coarser one is spread over our buckets."""
    buckets: dict[int, int] = {}
    for position, count in enumerate(counts):
        if not count:
            continue
        index = offset + position
        if scale >= SCALE:
            _add(buckets, index >> (scale - SCALE), count)
        else:
            width = 1 << (SCALE - scale)
            _spread(buckets, range(index * width, (index + 1) * width), count)
    return Histogram(count=zeros + sum(counts), sum=total, zeros=zeros, buckets=buckets)


def of_bounds(told: Histogram, bounds: tuple[float, ...], total: Histogram) -> Histogram:
    """Bring a histogram whose buckets are numbered by their bounds to our layout: each is spread evenly, in ratio.

    `total` is the running total that it was added to, itself included: pieces of a total lie as all of it at once would.
    Its percentiles cannot be better than its bounds. Shape: there is one bucket more than there are bounds, as in OTLP.
    """
    buckets: dict[int, int] = {}
    zeros = 0
    places = (_known_places if len(bounds) <= BOUNDS_KNOWN_MAX else _places)(bounds)
    for position, count in told.buckets.items():
        indices = places[position]
        if indices is None:
            zeros += count
        else:
            _spread(buckets, indices, count, total.buckets[position] - count)
    return Histogram(
        count=told.count, sum=told.sum, low=told.low, high=told.high, zeros=told.zeros + zeros, buckets=buckets
    )


def _places(bounds: tuple[float, ...]) -> tuple[range | None, ...]:
    """Say over which of our buckets each bucket of theirs is spread; None for what was zero or less."""
    places: list[range | None] = []
    for position in range(len(bounds) + 1):
        low = bounds[position - 1] if position else 0.0
        high = bounds[position] if position < len(bounds) else low
        if high <= 0:
            places.append(None)
            continue
        last = index_of(high)
        first = last if low <= 0 or position == len(bounds) else min(index_of(low) + 1, last)
        places.append(range(first, last + 1))
    return tuple(places)


BOUNDS_KNOWN_MAX = 64
_known_places = lru_cache(256)(_places)
"""Bounds come again with every point: those of 256 kinds of histograms are known, the one unheard of for longest is forgotten."""


def _spread(buckets: dict[int, int], indices: range, count: int, before: int = 0) -> None:
    """Spread a count evenly, so that no bucket gets smaller where `before` grows: it must not look as if begun anew."""
    size = len(indices)
    each, rest = divmod(count, size)
    if each:
        for index in indices:
            _add(buckets, index, each)
    if rest:
        order = _order(size)
        for one in range(before, before + rest):
            _add(buckets, indices[order[one % size]], 1)


@lru_cache(128)
def _order(size: int) -> tuple[int, ...]:
    """Say in which order places are filled, so that what fills some of them lies evenly: the middle, the quarters, and so on.

    Source: J. G. van der Corput, "Verteilungsfunktionen" (the sequence in base 2)
    """
    bits = size.bit_length() + 1
    turned = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(1, 1 << bits))
    return tuple(dict.fromkeys((one * size) >> bits for one in turned))


def _add(buckets: dict[int, int], index: int, count: int) -> None:
    within = min(max(index, INDEX_MIN), INDEX_MAX)
    buckets[within] = buckets.get(within, 0) + count


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Merge any number of them."""
    return reduce(Histogram.merge, histograms, Histogram())


_COUNT_BITS = 40
_COUNT_MASK = (1 << _COUNT_BITS) - 1


def pack(buckets: Mapping[int, int]) -> list[int]:
    """Write buckets as whole numbers, index and count in one, as the embedded store keeps them."""
    return [(index << _COUNT_BITS) | min(count, _COUNT_MASK) for index, count in buckets.items()]
