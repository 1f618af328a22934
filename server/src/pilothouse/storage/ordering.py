"""Sorting, continuing and searching lists: the same for every table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Integer, RowMapping, and_, bindparam, false, func, or_, true

from pilothouse.base.pages import Page, PageRequest, not_of_this_list, page_of, whole_number
from pilothouse.storage.columns import InstantMs, Rows

LIKE_ESCAPE = "\\"
NUMBERS_AT_ONCE = 1_000
"""Numbers in one list of a condition: some databases take no more."""
_READ_AT_ONCE = 5_000
_MORE_EACH_TIME = 4
"""Rows that are read at once to fill a page of few of them, at most, and how their number grows."""
_SORT_COLUMNS = ("sort_key", "sort_tie")
T = TypeVar("T")


class Order:
    """How a list is sorted: by a key, then by something unique.

    The database tells the keys that stand in cursors, since what `lower` makes of a letter differs between it and Python.
    """

    def __init__(
        self,
        key: ColumnElement[Any],
        tie: ColumnElement[Any],
        *,
        descending: bool = False,
        index: Sequence[ColumnElement[Any]] = (),
    ) -> None:
        """Sort by a key.

        index: the columns of an index that come before these two, where there is one; the list has one value of each. Then a
            page goes on by two statements, first behind the cursor among those with its key, then behind its key: each is one
            part of the index, which not every database makes of both conditions at once
        """
        self._key, self._tie, self._descending, self._index = key, tie, descending, index

    def page(
        self,
        connection: Connection,
        statement: Rows,
        total: int | None,
        request: PageRequest,
        make: Callable[[Mapping[str, Any]], T],  # Any: column values
        *,
        of: str,
        keeps: Callable[[RowMapping], bool] | None = None,
    ) -> Page[T]:
        """Read one page.

        keeps: says of a row whether it belongs to the list, where the database does not know; then as many rows are read as it
            takes to fill the page, ever more at a time
        Raises: InvalidInput
        """
        shown = statement.add_columns(self._key.label(_SORT_COLUMNS[0]), self._tie.label(_SORT_COLUMNS[1]))
        # PostgreSQL does not know that `IS NULL` leaves one value: it is told the whole order of the index, and MariaDB must not be.
        leading = self._index if connection.dialect.name == "postgresql" else ()
        columns = (*leading, self._key, self._tie)
        order = [column.desc() if self._descending else column.asc() for column in columns]
        wanted = request.first + 1
        rows: list[RowMapping] = []
        after, at_once = request.after, wanted
        while True:
            found: list[RowMapping] = []
            for part in [true()] if after is None else self._continues(after):
                if len(found) < at_once:
                    limited = shown.where(part).order_by(*order).limit(at_once - len(found))
                    found += connection.execute(limited).mappings()
            rows += found if keeps is None else [row for row in found if keeps(row)]
            if len(rows) >= wanted or len(found) < at_once:
                break
            after, at_once = self._cursor_of(found[-1]), min(at_once * _MORE_EACH_TIME, _READ_AT_ONCE)
        page = page_of(of, rows[:wanted], request, total, self._cursor_of)
        return page.map(lambda row: make({name: row[name] for name in row if name not in _SORT_COLUMNS}))

    def _cursor_of(self, row: RowMapping) -> tuple[str, str]:
        key, tie = (row[name] for name in _SORT_COLUMNS)
        return (str(round(key * 1000)) if isinstance(self._key.type, InstantMs) else str(key), str(tie))

    def _continues(self, after: tuple[str, ...]) -> Sequence[ColumnElement[bool]]:
        """Make the conditions of what follows a cursor, each of which is asked for itself."""
        try:
            key, tie = (_read(column, told) for column, told in zip((self._key, self._tie), after, strict=True))
        except ValueError:
            raise not_of_this_list() from None
        beyond = self._key < key if self._descending else self._key > key
        alike = and_(self._key == key, self._tie < tie if self._descending else self._tie > tie)
        return (alike, beyond) if self._index else (or_(beyond, alike),)


def _read(column: ColumnElement[Any], told: str) -> str | int | float:
    """Read a part of a cursor as its column has it.

    Raises: ValueError
    """
    if isinstance(column.type, InstantMs):
        return whole_number(told) / 1000
    return whole_number(told) if isinstance(column.type, Integer) else told


def is_one_of(column: ColumnElement[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Make the condition that a column holds one of many numbers.

    They are written into the statement: databases limit how many values it may bring, and these are numbers of ours.
    """
    parts = (
        column.in_(bindparam(None, numbers[start : start + NUMBERS_AT_ONCE], expanding=True, literal_execute=True))
        for start in range(0, len(numbers), NUMBERS_AT_ONCE)
    )
    return or_(false(), *parts)


def matches(search: str | None, *columns: ColumnElement[str]) -> ColumnElement[bool]:
    """Make the condition that one of the columns holds a text, in whatever case."""
    if not search or not search.strip():
        return true()
    text = func.lower(f"%{literal(search.strip())}%")
    return or_(*(func.lower(column).like(text, escape=LIKE_ESCAPE) for column in columns))


def literal(text: str) -> str:
    """Write a text so that LIKE takes its signs literally, with `LIKE_ESCAPE`."""
    for special in (LIKE_ESCAPE, "%", "_"):
        text = text.replace(special, LIKE_ESCAPE + special)
    return text
