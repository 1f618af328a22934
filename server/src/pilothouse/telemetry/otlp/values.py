"""Attributes of OpenTelemetry's JSON, and text from any value."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from pilothouse.telemetry.model import Attributes, AttributeValue
from pilothouse.telemetry.otlp.effort import DEPTH_MAX
from pilothouse.telemetry.otlp.errors import OtlpUnreadable

Whole: TypeAlias = int | str
"""A whole number; OTLP writes those of 64 bits as text, and takes both."""


class AnyValue(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A value of any kind; one member is there."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Whole | None = None
    double_value: float | str | None = None
    array_value: "ArrayValue | None" = None
    kvlist_value: "KeyValues | None" = None
    bytes_value: str | None = None

    def plain(self, depth: int = DEPTH_MAX) -> AttributeValue:
        """Return the value itself.

        Raises: OtlpUnreadable; ValueError when a number is none
        """
        if not depth:
            raise OtlpUnreadable("values lie too deep within one another")
        if self.int_value is not None:
            return int(self.int_value)
        if self.double_value is not None:
            return float(self.double_value)
        if self.array_value is not None:
            return [each.plain(depth - 1) for each in self.array_value.values]
        if self.kvlist_value is not None:
            return plain(self.kvlist_value.values, depth - 1)
        if self.bool_value is not None:
            return self.bool_value
        return self.bytes_value if self.string_value is None else self.string_value


class KeyValue(msgspec.Struct, frozen=True, gc=False):
    """An attribute."""

    key: str = ""
    value: AnyValue = AnyValue()


class ArrayValue(msgspec.Struct, frozen=True, gc=False):
    """A list."""

    values: list[AnyValue] = []


class KeyValues(msgspec.Struct, frozen=True, gc=False):
    """A map."""

    values: list[KeyValue] = []


class Resource(msgspec.Struct, frozen=True, gc=False):
    """What said it."""

    attributes: list[KeyValue] = []


class InstrumentationScope(msgspec.Struct, frozen=True, gc=False):
    """The library or logger that said it."""

    name: str = ""


def plain(pairs: Sequence[KeyValue], depth: int = DEPTH_MAX) -> Attributes:
    """Return attributes as a map.

    Raises: OtlpUnreadable; ValueError when a number is none
    """
    return {pair.key: pair.value.plain(depth) for pair in pairs}


def as_text(value: AttributeValue) -> str:
    """Return a value as a line of text: maps and lists as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
