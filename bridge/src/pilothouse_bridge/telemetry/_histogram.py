"""Distributions that can be merged: OTLP's exponential histogram at scale 4, counted in place.

Bucket ``i`` holds what lies in (2^(i/16), 2^((i+1)/16)].
Source: OpenTelemetry, Metrics Data Model, "Exponential Histogram".
"""

import math
from typing import Final, final

SCALE: Final = 4
INDEX_MIN: Final = -640
INDEX_MAX: Final = 639
"""Buckets for 1e-12 to 1e12; what is beyond is counted in the last one of its side."""
_INDICES_A_POWER: Final = 1 << SCALE


def index_of(value: float) -> int:
    """The bucket of a value above zero."""
    fraction, exponent = math.frexp(value)  # value = fraction * 2^exponent, 0.5 <= fraction < 1
    index = math.ceil(math.log2(fraction) * _INDICES_A_POWER) + exponent * _INDICES_A_POWER - 1
    return min(max(index, INDEX_MIN), INDEX_MAX)


@final
class Histogram:
    """How many observations fell where. Units: those of what is observed; durations are in seconds."""

    __slots__ = ("buckets", "count", "high", "low", "sum", "zeros")

    def __init__(self) -> None:
        """Nothing was observed yet."""
        self.count = 0
        self.sum = 0.0
        self.low = math.inf
        self.high = -math.inf
        self.zeros = 0
        self.buckets: dict[int, int] = {}

    def observe(self, value: float) -> None:
        """Count one."""
        self.count += 1
        self.sum += value
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        if value > 0:
            index = index_of(value)
            self.buckets[index] = self.buckets.get(index, 0) + 1
        else:
            self.zeros += 1

    def add(self, other: "Histogram") -> None:
        """Take in another distribution."""
        self.count += other.count
        self.sum += other.sum
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        self.zeros += other.zeros
        for index, count in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + count

    def dense(self) -> tuple[int, list[int]]:
        """The buckets as OTLP writes them: the index of the first one, and the counts from there on."""
        if not self.buckets:
            return 0, []
        first, last = min(self.buckets), max(self.buckets)
        return first, [self.buckets.get(index, 0) for index in range(first, last + 1)]

    def not_above_power(self, exponent: int) -> int:
        """How many observations are 2^exponent or less: exact, because it is a bound between two buckets."""
        end = exponent * _INDICES_A_POWER
        return self.zeros + sum(count for index, count in self.buckets.items() if index < end)
