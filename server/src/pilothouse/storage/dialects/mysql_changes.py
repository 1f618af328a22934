"""How MySQL and MariaDB change many rows in one statement, each to values of its own.

A list of JSON that is joined serves any rows; but an update of joined tables notes first what it will change, in a table of the
server's own, and does it in a second pass. Rows whose keys lie close together are therefore changed by their places in a list of
values, which is an update of one table: the server needs 0.6 of the time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pilothouse.storage.dialects.kind import Change, Changing, as_lists, changed, is_not_older

_CLOSE: Final = 2
"""Keys lie close together where at least every second number between the first and the last is one of them."""
_BEFORE_ALL: Final = -(2**63)
_NULL: Final = "NULL"


class _Document(msgspec.Struct, frozen=True):
    """A text of JSON. Left to itself the driver writes texts sign by sign where one of them is a quotation mark."""

    text: str


class _Listed(msgspec.Struct, frozen=True):
    """Values that are written into the statement one after the other."""

    text: str


def _quoted(text: str) -> str:
    """Write a text into a statement: the session's mode lets a backslash escape."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


ENCODERS: Final[Mapping[type, Callable[[Any, object], str]]] = {  # Any: of the type it stands for
    _Document: lambda document, _mapping=None: _quoted(document.text),
    _Listed: lambda listed, _mapping=None: listed.text,
}
"""What the driver's connections write our values with."""


def changing(change: Change) -> Changing:
    """Write the statement by whichever way is quicker for the rows that it is given."""
    any_rows, close_rows = _joined(change), _by_place(change)

    def write(
        columns: Sequence[Sequence[Any]], same: Sequence[Any]
    ) -> tuple[str, Any]:  # Any: column values; for the driver
        keys = columns[0]
        are_close = max(keys) - min(keys) < _CLOSE * len(keys)
        return (close_rows if close_rows is not None and are_close else any_rows)(columns, same)

    return write


def _joined(change: Change) -> Changing:
    """By a list of JSON. A row is a list, too: to look values up by their names takes the server longer than to change them."""
    same = dict.fromkeys(change.same, "%s")
    changes = ", ".join(
        f"t.{name} = {changed(name, change.newest, same.get(name))}" for name in (*change.same, *change.columns)
    )
    wanted = {change.key: "BIGINT", **change.columns}.items()
    types = ", ".join(f"{name} {_in_json(type_)} PATH '$[{place}]'" for place, (name, type_) in enumerate(wanted))
    statement = (
        f"UPDATE {change.table} AS t JOIN JSON_TABLE(%s, '$[*]' COLUMNS({types})) AS v "  # noqa: S608 - our own tables
        f"ON t.{change.key} = v.{change.key}{is_not_older(change)} SET {changes}"
    )
    types_of = [type_ for _, type_ in wanted]

    def write(
        columns: Sequence[Sequence[Any]], same: Sequence[Any]
    ) -> tuple[str, Any]:  # Any: column values; for the driver
        exact = [
            _as_texts(values) if type_ == "DOUBLE PRECISION" else values
            for type_, values in zip(types_of, columns, strict=True)
        ]
        return statement, (_Document(as_lists(exact)), *same)

    return write


def _as_texts(values: Sequence[float | None]) -> list[str | None]:
    """Write numbers as texts: of one that is a number of JSON MySQL is wrong in its last digit."""
    return [None if one is None else repr(one) for one in values]


def _by_place(change: Change) -> Changing | None:
    """By each key's place in lists of values; only where a moment tells rows that change from those that are not meant."""
    by = change.unless_older
    if by is None or change.newest:
        return None
    place = f"ELT(t.{change.key} - %s, %s)"
    changes = ", ".join(
        [*(f"t.{name} = %s" for name in change.same), *(f"t.{name} = {place}" for name in change.columns)]
    )
    statement = (
        f"UPDATE {change.table} AS t SET {changes} WHERE t.{change.key} BETWEEN %s AND %s "  # noqa: S608 - our own tables
        f"AND CAST({place} AS SIGNED) >= COALESCE(t.{by}, {_BEFORE_ALL})"
    )
    deciding = list(change.columns).index(by)

    def write(
        columns: Sequence[Sequence[Any]], same: Sequence[Any]
    ) -> tuple[str, Any]:  # Any: column values; for the driver
        keys, *others = columns
        first, last = min(keys), max(keys)
        if list(keys) != list(range(first, last + 1)):
            others = [_spread(keys, values, first, last) for values in others]
        lists = [_Listed(_listed(type_, values)) for type_, values in zip(change.columns.values(), others, strict=True)]
        places = [part for listed in lists for part in (first - 1, listed)]
        return statement, (*same, *places, first, last, first - 1, lists[deciding])

    return write


def _spread(
    keys: Sequence[int], values: Sequence[Any], first: int, last: int
) -> list[Any]:  # Any: of a column, or null
    """Give each number from the first key to the last its value; null to those that are no key."""
    spread: list[Any] = [None] * (last - first + 1)  # Any: as above
    for key, one in zip(keys, values, strict=True):
        spread[key - first] = one
    return spread


def _listed(type_: str, values: Sequence[Any]) -> str:  # Any: as above
    """Write values of a column into a statement, all at once where none of them needs to be looked at."""
    if type_.startswith("VARCHAR"):
        together = "".join([one for one in values if one is not None])
        if "'" in together or "\\" in together:
            return ",".join([_NULL if one is None else _quoted(one) for one in values])
        return ",".join([_NULL if one is None else f"'{one}'" for one in values])
    # Numbers look in JSON as in the statement; those with an exponent would lose digits there.
    numbers = msgspec.json.encode(values)[1:-1].decode()
    return numbers if "e" not in numbers else ",".join([_NULL if one is None else f"'{one!r}'" for one in values])


def _in_json(type_: str) -> str:
    """Name a type for a value out of JSON; a text would take the letters of the database, whatever those are."""
    if type_.startswith("VARCHAR"):
        return f"{type_} CHARACTER SET utf8mb4"
    return "DOUBLE" if type_ == "DOUBLE PRECISION" else type_
