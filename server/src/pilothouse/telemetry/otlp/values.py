"""Attributes of OpenTelemetry's JSON, and text from any value."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from pilothouse.telemetry.model import Attributes, AttributeValue

Whole: TypeAlias = int | str
"""A whole number; OTLP writes those of 64 bits as text, and takes both."""


class AnyValue(msgspec.Struct, frozen=True, rename="camel"):
    """A value of any kind; one member is there."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Whole | None = None
    double_value: float | str | None = None
    array_value: "ArrayValue | None" = None
    kvlist_value: "KeyValues | None" = None
    bytes_value: str | None = None

    def plain(self) -> AttributeValue:
        """Return the value itself.

        Raises: ValueError when a number is none
        """
        if self.int_value is not None:
            return int(self.int_value)
        if self.double_value is not None:
            return float(self.double_value)
        if self.array_value is not None:
            return [each.plain() for each in self.array_value.values]
        if self.kvlist_value is not None:
            return plain(self.kvlist_value.values)
        if self.bool_value is not None:
            return self.bool_value
        return self.bytes_value if self.string_value is None else self.string_value


class KeyValue(msgspec.Struct, frozen=True):
    """An attribute."""

    key: str = ""
    value: AnyValue = AnyValue()


class ArrayValue(msgspec.Struct, frozen=True):
    """A list."""

    values: list[AnyValue] = []


class KeyValues(msgspec.Struct, frozen=True):
    """A map."""

    values: list[KeyValue] = []


class Resource(msgspec.Struct, frozen=True):
    """What said it."""

    attributes: list[KeyValue] = []


class InstrumentationScope(msgspec.Struct, frozen=True):
    """The library or logger that said it."""

    name: str = ""


def plain(pairs: Sequence[KeyValue]) -> Attributes:
    """Return attributes as a map.

    Raises: ValueError when a number is none
    """
    return {pair.key: pair.value.plain() for pair in pairs}


def as_text(value: AttributeValue) -> str:
    """Return a value as a line of text: maps and lists as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
