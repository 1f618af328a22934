"""How much a request may make us do. Two octets can be a record or a value of their own, and a packed body is short."""

from typing import Final

from pilothouse.telemetry.otlp.errors import OtlpUnreadable

PARTS_MAX: Final = 50_000
"""Fields of one record or resource, those of all values within it included: about 40 ms. An attribute has about five."""
DEPTH_MAX: Final = 32
"""Lists within maps within lists: beyond it a request is refused, as protobuf's own parsers do at 100."""
BUCKETS_MAX: Final = 4_096
"""Of one histogram; exporters write 160 unless they are told otherwise."""
PIECE_OCTETS: Final = 64 * 1024
"""Octets after which others may work, however few records they are."""


OBJECTS_MAX: Final = 250_000
"""Of a request in JSON, which is read in one step: about 100 ms. A line with ten attributes has about 22."""


class Parts:
    """Counts what one record consists of."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = PARTS_MAX

    def take(self) -> None:
        """Count one more.

        Raises: OtlpUnreadable
        """
        self._left -= 1
        if self._left < 0:
            raise OtlpUnreadable(f"one record has more than {PARTS_MAX} fields")


class Pace:
    """Tells a reader when to let others work."""

    __slots__ = ("_count", "_octets", "_records")

    def __init__(self, records: int) -> None:
        """`records` are as many as are read in about a millisecond."""
        self._records = records
        self._count = 0
        self._octets = 0

    def due(self, octets: int, records: int = 1) -> bool:
        """Count what was read; tell whether it is time for others."""
        self._count += records
        self._octets += octets
        if self._count < self._records and self._octets < PIECE_OCTETS:
            return False
        self._count = self._octets = 0
        return True
