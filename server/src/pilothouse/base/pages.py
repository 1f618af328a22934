"""Pages of a list: cursors that are opaque outside and belong to one list."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import Instant

PAGE_DEFAULT = 50
PAGE_MAX = 500
_CURSOR_LENGTH_MAX = 1024
_DIGITS_MAX = 16
"""Enough for the milliseconds of ten thousand years and for any key; every database holds what has no more."""

T = TypeVar("T")
U = TypeVar("U")


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list is wanted: `first` rows after the one that the cursor stands for."""

    first: int = PAGE_DEFAULT
    after: tuple[str, ...] | None = None
    """Sort key of the last row seen; None for the beginning."""

    def after_number(self) -> int:
        """Read where to go on in a list by number.

        Raises: InvalidInput
        """
        (number,) = self._parts(1)
        return whole_number(number)

    def after_texts(self) -> tuple[str, str]:
        """Read where to go on in a list by text and id.

        Raises: InvalidInput
        """
        text, id_ = self._parts(2)
        return text, id_

    def after_instant(self) -> tuple[Instant, str]:
        """Read where to go on in a list by time, which its cursors write in milliseconds, and id.

        Raises: InvalidInput
        """
        at_ms, id_ = self._parts(2)
        return whole_number(at_ms) / 1000, id_

    def _parts(self, count: int) -> tuple[str, ...]:
        parts = self.after or ()
        if len(parts) != count:  # somebody wrote it by hand
            raise not_of_this_list()
        return parts


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list, and how it goes on."""

    nodes: Sequence[T]
    end_cursor: str | None
    has_next: bool
    total: int | None
    """Of the whole list; None where nobody asked."""

    def map(self, change: Callable[[T], U]) -> "Page[U]":
        """Return the same page with every node changed."""
        return Page(
            nodes=[change(node) for node in self.nodes],
            end_cursor=self.end_cursor,
            has_next=self.has_next,
            total=self.total,
        )


def page_request(of: str, first: int | None, after: str | None) -> PageRequest:
    """Check a page's size and cursor as they came from outside.

    Raises: InvalidInput
    """
    size = PAGE_DEFAULT if first is None else first
    if not 1 <= size <= PAGE_MAX:
        raise InvalidInput(
            f"A page has 1 to {PAGE_MAX} rows, not {size}.", field="first", fix=f"Ask for 1 to {PAGE_MAX} rows."
        )
    return PageRequest(first=size, after=None if after is None else _read_cursor(of, after))


def page_of(
    of: str, rows: Sequence[T], request: PageRequest, total: int | None, key: Callable[[T], tuple[str, ...]]
) -> Page[T]:
    """Make a page of `first + 1` rows that were read, the last of which only tells that there is more."""
    nodes = rows[: request.first]
    return Page(
        nodes=nodes,
        end_cursor=_write_cursor(of, key(nodes[-1])) if nodes else None,
        has_next=len(rows) > request.first,
        total=total,
    )


def slice_of(of: str, rows: Sequence[T], request: PageRequest, key: Callable[[T], tuple[str, ...]]) -> Page[T]:
    """Make a page of a list that lies in memory, sorted by `key`."""
    start = 0
    if request.after is not None:
        start = next((i for i, row in enumerate(rows) if key(row) > request.after), len(rows))
    return page_of(of, rows[start : start + request.first + 1], request, len(rows), key)


def _write_cursor(of: str, key: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((of, *key))).decode("ascii").rstrip("=")


def whole_number(told: str) -> int:
    """Read a number out of a cursor.

    Raises: InvalidInput, also for one that no database holds
    """
    if not (told.isascii() and told.removeprefix("-").isdecimal() and len(told) <= _DIGITS_MAX):
        raise not_of_this_list()
    return int(told)


def not_of_this_list() -> InvalidInput:
    """Make the error for a cursor that is none of a list."""
    return InvalidInput(
        "The cursor does not belong to this list.",
        field="after",
        fix="Pass `pageInfo.endCursor` of the same list, or leave `after` out to begin anew.",
    )


def _read_cursor(of: str, cursor: str) -> tuple[str, ...]:
    refused = not_of_this_list()
    if len(cursor) > _CURSOR_LENGTH_MAX:
        raise refused
    try:
        parts = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=list[str])
    except (binascii.Error, UnicodeError, msgspec.MsgspecError, ValueError):
        raise refused from None
    if len(parts) < 2 or parts[0] != of:  # noqa: PLR2004 - the list's name and a key at least
        raise refused
    return tuple(parts[1:])
