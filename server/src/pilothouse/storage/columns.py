"""Column types that read the same on every database."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import BigInteger, Integer, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from pilothouse.base.instants import Instant

Rows: TypeAlias = "Select[*tuple[Any, ...]]"  # Any: columns of any type
"""A statement that gives rows."""

Number = BigInteger
"""A whole number of 64 bits."""
BigKey = BigInteger().with_variant(Integer, "sqlite")
"""A growing number as primary key; SQLite grows only what it calls INTEGER."""


class InstantMs(TypeDecorator[Instant]):
    """An instant, stored as whole milliseconds since the epoch: no database's idea of time zones is asked."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Instant | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn seconds into milliseconds."""
        return None if value is None else round(value * 1000)

    @staticmethod
    def all_to_ms(values: Sequence[Instant | None]) -> list[int | None]:
        """Do so with many."""
        return [None if value is None else round(value * 1000) for value in values]

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Instant | None:  # noqa: ARG002 - the driver's integer
        """Turn milliseconds into seconds."""
        return None if value is None else value / 1000
