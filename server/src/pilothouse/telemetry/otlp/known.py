"""Attributes that came before, found by their octets: most of what records say was said by others."""

from typing import Final, TypeAlias

from pilothouse.telemetry.limits import DEFAULT_LIMITS, Limits, tidy_value
from pilothouse.telemetry.model import AttributeValue
from pilothouse.telemetry.otlp.effort import Parts
from pilothouse.telemetry.otlp.wire import key_value

Pair: TypeAlias = tuple[str, AttributeValue]
"""Key and value, within the limits."""

KNOWN_MAX: Final = 20_000
"""Attributes that are known by their octets, about 400 octets each; when it is full it is emptied."""
_OCTETS_MAX: Final = 128
KNOWN: Final[dict[bytes, Pair]] = {}
"""By the octets of a KeyValue. Read where records are read; written by `learn` alone."""


def learn(octets: bytes, parts: Parts | None = None, limits: Limits = DEFAULT_LIMITS) -> Pair:
    """Read an attribute, and remember it where it is short; lists and maps could be changed by who has them, and are not.

    `parts` counts what its record consists of, where that may be much.

    Raises: OtlpUnreadable
    """
    key, value = key_value(octets, 0, len(octets), parts or Parts())
    pair = key[: limits.key_characters_max], tidy_value(value, limits, limits.depth_max)
    if len(octets) <= _OCTETS_MAX and not isinstance(value, list | dict):
        if len(KNOWN) >= KNOWN_MAX:
            KNOWN.clear()
        KNOWN[octets] = pair
    return pair
