"""One question at work: a cursor of its own, conditions as SQL, an end when its time is over or nobody waits any more."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import duckdb
import msgspec

from pilothouse.telemetry.errors import QuestionTimeout
from pilothouse.telemetry.questions import Admission, Scope
from pilothouse.telemetry.stores.embedded.columns import Batch
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.parts import Part
from pilothouse.telemetry.stores.embedded.shelf import Shelf, View, Waiting, folder_name
from pilothouse.telemetry.stores.embedded.sorts import TABLES, Label

_INTERRUPT_AGAIN_S = 0.02


class Conditions:
    """Conditions that must all hold, with their values apart from the text."""

    def __init__(self, texts: Sequence[str] = (), values: Sequence[object] = ()) -> None:
        self._texts = list(texts)
        self.values = list(values)

    def add(self, text: str, *values: object) -> None:
        """Add one; its `?` stand for the values."""
        self._texts.append(text)
        self.values += values

    def with_also(self, other: "Conditions") -> "Conditions":
        """Return both together."""
        return Conditions([*self._texts, *other._texts], [*self.values, *other.values])  # noqa: SLF001 - of its own class

    @property
    def where(self) -> str:
        """A clause, or nothing."""
        return f" WHERE {' AND '.join(self._texts)}" if self._texts else ""


class Source(msgspec.Struct, frozen=True):
    """A table of records to look into: rows in memory, or a part."""

    table: str
    conditions: Conditions
    labels: Sequence[Label]
    oldest_ns: int
    newest_ns: int
    part: Part | None

    @property
    def indexed(self) -> bool:
        """Whether it has a token index that can be trusted."""
        return self.part is not None and self.part.indexed


class Asking:
    """Runs the statements of one question."""

    def __init__(self, database: duckdb.DuckDBPyConnection, timeout_s: float) -> None:
        self._cursor = database.cursor()
        self._timeout_s = timeout_s
        self.until_s = time.monotonic() + timeout_s
        self._lock = threading.Lock()
        self._running = False
        self._stopped = False

    def run(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows.

        Raises: QuestionTimeout, duckdb.Error
        """
        with self._lock:
            if self._stopped or time.monotonic() >= self.until_s:
                raise QuestionTimeout(timeout_s=self._timeout_s)
            self._running = True
        try:
            return self._cursor.execute(sql, list(values)).fetchall()
        except duckdb.InterruptException:
            raise QuestionTimeout(timeout_s=self._timeout_s) from None
        finally:
            with self._lock:
                self._running = False

    def show(self, name: str, source: object) -> None:
        """Let the statements read Arrow rows under a name."""
        self._cursor.register(name, source)

    def stop(self) -> None:
        """End it: whatever runs is interrupted, nothing more is begun."""
        with self._lock:
            self._stopped = True
        # An interruption that comes just before a statement begins has no effect: it is repeated until it had one.
        while self._running:
            self._cursor.interrupt()
            time.sleep(_INTERRUPT_AGAIN_S)

    def close(self) -> None:
        """Let go of the cursor."""
        self._cursor.close()


def overlaps(scope: Scope, oldest_ns: int, newest_ns: int) -> bool:
    """Tell whether records of that time can be in a scope."""
    return (scope.to_ns is None or oldest_ns < scope.to_ns) and (scope.from_ns is None or newest_ns >= scope.from_ns)


def shelves_of(scope: Scope, shelves: Sequence[Shelf]) -> list[Shelf]:
    """Leave out the shelves of environments that are not asked for, or that nothing may be seen of."""
    if scope.unclaimed:
        return [shelf for shelf in shelves if shelf.folder.name == folder_name(None)]
    asked = {folder_name(id_) for id_ in scope.environment_ids}
    permitted = {place.environment_id for place in scope.places}
    reached = None if None in permitted else {folder_name(id_) for id_ in permitted}
    return [
        shelf
        for shelf in shelves
        if (not asked or shelf.folder.name in asked) and (reached is None or shelf.folder.name in reached)
    ]


def admitted(labels: Sequence[Label], admission: Admission) -> list[int] | None:
    """List the labels that a scope lets through; None when it is all of them."""
    if admission.everything:
        return None
    ids = [id_ for id_, label in enumerate(list(labels)) if admission.admits(label.origin)]
    return None if len(ids) == len(labels) else ids


@contextmanager
def sources(
    asking: Asking, scope: Scope, sort: Sort, shelves: Sequence[Shelf], hashes: Sequence[frozenset[int]] = ()
) -> Generator[list[Source]]:
    """Give the tables in which records of a scope can be, each with the conditions that its time and place make.

    Rows in memory are left out where the index knows none of one of the `hashes`.
    """
    found: list[Source] = []
    used: list[AbstractContextManager[bool]] = []
    admission = Admission(scope)
    try:
        for position, shelf in enumerate(shelves_of(scope, shelves)):
            view = shelf.view()
            found += _waiting(asking, view, scope, sort, f"waiting{position}", admission, hashes)
            for index, part in enumerate(view.parts):
                if (
                    part.oldest_ns is None
                    or part.newest_ns is None
                    or not overlaps(scope, part.oldest_ns, part.newest_ns)
                ):
                    continue
                use = part.in_use()
                there = use.__enter__()
                used.append(use)
                if there:
                    newest = index == len(view.parts) - 1
                    found += _of_part(part, scope, sort, admission, view.flushed if newest else None)
        yield found
    finally:
        for use in used:
            use.__exit__(None, None, None)


def _waiting(
    asking: Asking,
    view: View,
    scope: Scope,
    sort: Sort,
    name: str,
    admission: Admission,
    hashes: Sequence[frozenset[int]],
) -> Iterator[Source]:
    """Give the rows in memory, of logs the newest by themselves: mostly the newest lines are asked for."""
    near = [one for one in view.waiting if overlaps(scope, one.oldest_ns, one.newest_ns)]
    near = [one for one in near if all(one.may_have(some) for some in hashes)]
    labels = admitted(view.labels, admission)
    runs = [near[:-1], near[-1:]] if sort is Sort.LOGS else [near]
    for position, run in enumerate(one for one in runs if one):
        conditions = _conditions(scope, labels)
        if conditions is None:
            return
        oldest, newest = min(one.oldest_ns for one in run), max(one.newest_ns for one in run)
        asking.show(f"{name}_{position}", TABLES[sort].table.source_of(partial(_batches, run)))
        yield Source(f"{name}_{position}", conditions, view.labels, oldest, newest, None)


def _batches(run: Sequence[Waiting]) -> list[Batch]:
    return [one.batch for one in run]


def _of_part(part: Part, scope: Scope, sort: Sort, admission: Admission, flushed: int | None) -> Iterator[Source]:
    conditions = _conditions(scope, admitted(part.labels, admission))
    if conditions is not None:
        if flushed is not None:
            conditions.add("number < ?", flushed)
        table = f"{part.schema}.{TABLES[sort].table.name}"
        yield Source(table, conditions, part.labels, part.oldest_ns or 0, part.newest_ns or 0, part)


def _conditions(scope: Scope, labels: list[int] | None) -> Conditions | None:
    """Make the conditions of time and place; None when no label is let through."""
    conditions = Conditions()
    if labels is not None:
        if not labels:
            return None
        conditions.add(f"label IN ({', '.join(map(str, labels))})")
    if scope.from_ns is not None:
        conditions.add("at_ns >= ?", scope.from_ns)
    if scope.to_ns is not None:
        conditions.add("at_ns < ?", scope.to_ns)
    return conditions
