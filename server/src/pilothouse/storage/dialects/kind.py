"""What one kind of database answers about itself."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum, unique
from functools import cache
from typing import Any, Protocol, TypeAlias

import msgspec
from sqlalchemy import Connection, Dialect, Engine

from pilothouse.base.place import Database
from pilothouse.storage.dialects.refusals import Refusal

CONNECT_S = 10
"""Unit: seconds. So long a connection may take to be made, and a free one to be found."""
RECYCLE_S = 1_800
"""Unit: seconds. A connection is not used for longer: what stands between may forget it, and secrets of databases change."""


@unique
class Trouble(Enum):
    """What an error of the database means for the transaction that met it."""

    AGAIN = "again"
    """Somebody else was in the way (a deadlock, a serialization failure): the transaction is gone, and may be run again."""
    GONE = "gone"
    """The connection is lost, or was never made."""
    FULL = "full"
    """There is no room for another write, or the database is read-only."""
    OURS = "ours"
    """Something else that the database cannot do now: nothing of the batch can be kept."""
    STATEMENT = "statement"
    """The statement itself: what asked for it failed, and nothing else."""


class Change(msgspec.Struct, frozen=True):
    """What is changed of many rows of a table."""

    table: str
    key: str
    columns: Mapping[str, str]
    """Those that change, each to a value of its row, and their types as `statements.type_of` names them (the key's is BIGINT)."""
    same: Mapping[str, str]
    """Those that become the same in all rows, likewise."""
    newest: Mapping[str, str]
    """Columns that change only where another one does not become smaller, and the name of that one."""
    unless_older: str | None
    """A row is left alone where this one would become smaller."""


Changing: TypeAlias = Callable[[Sequence[Sequence[Any]], Sequence[Any]], tuple[str, Any]]
"""Writes the statement that changes some rows, and what the driver is given with it. Any: column values; what the driver takes.

Told columns, the key first, then the others in their order, each with a value a row; and the values that are the same in all rows.
"""


def changed(name: str, newest: Mapping[str, str], new: str | None = None) -> str:
    """Write what a column becomes where the rows are called `t` and what is new `v`, or where this is what is new.

    Whether the other column was changed already makes no difference, as MySQL does it from left to right: it is then the larger
    of both, and what is new is not smaller than that exactly when it was not smaller than the old one.
    """
    by, new = newest.get(name), new or f"v.{name}"
    return new if by is None else f"CASE WHEN v.{by} >= t.{by} OR t.{by} IS NULL THEN {new} ELSE t.{name} END"


def as_lists(columns: Sequence[Sequence[Any]]) -> str:  # Any: numbers, texts, nulls
    """Write columns as a list of JSON with a list for each row."""
    if len({len(values) for values in columns}) != 1:
        raise ValueError("Each column has a value for every row.")
    return msgspec.json.encode(list(map(_row_of(len(columns)), *columns))).decode()


@cache
def _row_of(width: int) -> Callable[..., msgspec.Struct]:
    """Make what becomes a list of JSON, and is nothing to the garbage collector: of tuples, thousands would call it all the time."""
    return msgspec.defstruct("Row", [f"value_{place}" for place in range(width)], array_like=True, gc=False)


def is_not_older(change: Change) -> str:
    """Write the end of a condition by which rows are left alone."""
    by = change.unless_older
    return "" if by is None else f" AND (v.{by} >= t.{by} OR t.{by} IS NULL)"


class Kind(Protocol):
    """A kind of database."""

    @property
    def name(self) -> str:
        """Its name in URLs."""
        ...

    @property
    def remembers_numbers(self) -> bool:
        """Tell whether the database knows by itself, within the transaction, which number of a table it gave last."""
        ...

    def dialect(self) -> Dialect:
        """Make SQLAlchemy's idea of it, with our types, without a driver: for statements that are only written down."""
        ...

    def engine(self, database: Database, *, read_only: bool, size: int) -> Engine:
        """Make what opens connections; `size` of them at most.

        Raises: CannotStart when its driver is not installed
        """
        ...

    def trouble(self, error: BaseException) -> Trouble:
        """Tell what a driver's error means."""
        ...

    def refusal(self, error: BaseException) -> Refusal | None:
        """Tell why the server does not let us in, or do what we ask; None when an error means something else."""
        ...

    def oldest(self, dialect: Dialect) -> tuple[int, ...]:
        """Tell the first release of the server that this works with, once `dialect` has been connected; () for any."""
        ...

    def change_many(self, change: Change) -> Changing | None:
        """Write the statement that changes many rows at once; None: SQLAlchemy's for each row is what there is."""
        ...

    def take_turn(self, connection: Connection) -> None:
        """Wait until no other transaction writes; the turn ends with this transaction, however that ends."""
        ...

    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """Keep other processes from migrating meanwhile."""
        ...

    def numbers_given(self, connection: Connection, columns: Mapping[str, str]) -> dict[str, int]:
        """Read how far the database has counted in columns that it numbers, by their tables; not all need be told."""
        ...

    def count_on(self, connection: Connection, columns: Mapping[str, str], numbers: Mapping[str, int]) -> None:
        """Let the database count on behind these numbers, by table. May commit what the connection did before."""
        ...

    def others(self, connection: Connection) -> int | None:
        """Count the connections to this database that are not this one; None when it does not tell everybody."""
        ...
