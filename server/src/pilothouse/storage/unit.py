"""One transaction: operations that wait together are committed together, and their events leave after the commit.

Operations are plain functions of a transaction. One thread writes (SQLite has one writer anyway) and commits whatever
queued up while the last commit was on its way to the disk: each operation in a savepoint of its own (unless it is alone), so that
one that is refused takes nothing with it. Operations of a kind that can be done together (`write_together`) are one to the database: a
statement for all of them, and not one for each.

On a database server, the writers of all processes take turns, and a batch that met somebody else's lock, or a lost connection before
its commit, is run again: operations must do nothing but use their transaction.
Source: performance.md section 4, "group commit"; ADR 0003, ADR 0020.
"""

import asyncio
import contextlib
import contextvars
import itertools
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from pilothouse.base.errors import PilothouseError, StorageUnavailable, Unavailable
from pilothouse.base.place import Database, database_of
from pilothouse.domain.events import Event
from pilothouse.storage import engine as engines
from pilothouse.storage.dialects import Trouble
from pilothouse.storage.dialects.kind import CONNECT_S
from pilothouse.storage.jobs import Job, Together, alone, gather
from pilothouse.storage.savepoints import apart
from pilothouse.storage.transaction import Transaction

T = TypeVar("T")
One = TypeVar("One")
_log = structlog.get_logger(__name__)

BATCH_MAX = 200
"""Operations in one commit."""
QUEUE_MAX = 10_000
"""Operations that may wait for the writer; more are refused with 503. Emptied by the writer thread."""

ATTEMPTS_MAX = 5
"""So often a batch is run before it fails, where others were in its way."""
_PAUSE_S = 0.02
"""Unit: seconds. Before the second attempt; twice as long before each further one."""
_FAILURES = (DBAPIError, PoolTimeout, sqlite3.Error, OSError)
"""What a driver, the pool or the network raises."""
_WORTH_ANOTHER = {Trouble.GONE, Trouble.AGAIN}
_ENDS_A_BATCH = (SQLAlchemyError, sqlite3.Error, OSError, Unavailable)
"""The same, and what SQLAlchemy says of a transaction whose connection is gone: the writer outlives them all."""

__all__ = ["Connection", "NotUnique", "Store", "Transaction", "connections"]

NotUnique = IntegrityError
"""What the database raises when a row is there already that may be there once."""


def connections(engine: Engine) -> tuple[int, int]:
    """Tell how many connections of an engine are in use, and how many there may be."""
    pool = engine.pool
    return (pool.checkedout(), pool.size()) if isinstance(pool, QueuePool) else (0, 0)


class Store:
    """The database of one control plane."""

    def __init__(self, place: Database | Path, publish: Callable[[Sequence[Event]], None]) -> None:
        database = database_of(place)
        self._kind = engines.kind_of(database)
        self._writer_engine = engines.open_writer(database)
        self._reader_engine = engines.open_readers(database)
        self._publish = publish
        self.last_failure: str | None = None
        """What the database said when the last commit failed; None when it went through."""
        self.asking = 0
        """Questions that are being answered, or wait for a connection."""
        self.committed_s: float | None = None
        """When the last commit was told of, by `time.monotonic`; None before the first."""
        # Cap: QUEUE_MAX, which whoever asks looks at.
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._coming: list[Job] = []
        """Operations of this turn of the loop; they join the queue at its end."""
        self.free_within_s: float = CONNECT_S
        """Unit: seconds. So long a question waits for a free connection."""
        self.turn_within_s: float = database.timeout_s
        """Unit: seconds. So long an operation waits until the writer begins it; then nothing of it was or will be done."""
        self._began_s: float | None = None
        self._is_over = False
        """Whether what is queued from now on is not written any more: set by the writer, when it came to the end."""
        self._readers = ThreadPoolExecutor(database.pool, thread_name_prefix="pilothouse-read")
        self._thread = threading.Thread(target=self._write_loop, name="pilothouse-write", daemon=True)
        self._thread.start()

    @property
    def reader_engine(self) -> Engine:
        """The engine that reads; for tests that count statements."""
        return self._reader_engine

    @property
    def writer_engine(self) -> Engine:
        """The engine that writes; for tests that count statements."""
        return self._writer_engine

    @property
    def waiting(self) -> int:
        """Operations that wait for the writer."""
        return self._jobs.qsize() + len(self._coming)

    @property
    def waiting_reads(self) -> int:
        """Questions that wait for a connection."""
        return max(0, self.asking - connections(self._reader_engine)[0])

    @property
    def writing_s(self) -> float:
        """For how long the transaction that is under way has been; 0 when none is."""
        began_s = self._began_s
        return 0.0 if began_s is None else time.monotonic() - began_s

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask the database, outside of the event loop.

        Raises: Unavailable, also when no connection becomes free in time
        """
        context = contextvars.copy_context()
        self.asking += 1
        asked = self._readers.submit(context.run, self._ask, question)
        answer = asyncio.wrap_future(asked)
        try:
            await asyncio.wait((answer,), timeout=self.free_within_s)
            if not answer.done() and asked.cancel():
                raise StorageUnavailable(
                    f"All {connections(self._reader_engine)[1]} connections to the database were busy"
                    f" for {self.free_within_s:g} s.",
                    fix="Try again in a few seconds. If it stays, look for slow statements or raise PILOTHOUSE_DATABASE_POOL.",
                )
            return await answer
        finally:
            answer.cancel()
            self.asking -= 1

    async def write(self, operation: Callable[[Transaction], T]) -> T:
        """Run an operation in a transaction; it is durable when this returns.

        Who stops to wait for an operation before it has begun takes it back.

        Raises: Unavailable, and whatever the operation raises (then nothing of it is kept)
        """
        return await self._queue(operation, None, None)

    async def write_together(
        self, operation: Callable[[Transaction, Sequence[One]], Sequence[T | PilothouseError]], one: One
    ) -> T:
        """Run an operation for something, in one go with whatever else of its kind waits; it is durable when this returns.

        operation: is given what it is to be done for, and tells of each what came of it, in their order. Of what it tells an
            error it has written nothing. What it raises is of all: then it is run again for each alone, and nothing was kept.

        Raises: Unavailable, the error that is told, and whatever the operation raises
        """
        return await self._queue(partial(alone, operation, one), operation, one)

    async def _queue(
        self,
        operation: Callable[[Transaction], T],
        together: Together | None,
        one: Any,  # Any: what the operation is for
    ) -> T:
        loop = asyncio.get_running_loop()
        if self.waiting >= QUEUE_MAX:
            raise Unavailable(
                f"{QUEUE_MAX} writes are waiting for the database already.", fix="Try again in a few seconds."
            )
        job = Job(operation, together, one, loop.create_future(), loop, contextvars.copy_context())
        if together is None:
            self._jobs.put(job)
        else:
            self._bring(job)
        too_late = loop.call_later(self.turn_within_s, self._give_up, job)
        try:
            return await job.done
        finally:
            too_late.cancel()

    def _bring(self, job: Job) -> None:
        """Queue an operation that can be done with others, with all that come in the same turn of the loop.

        Else a writer that is free takes the first of them alone, and a commit costs as much as ten of them.
        """
        if not self._coming:
            job.loop.call_soon(self._hand_over)
        self._coming.append(job)

    def _hand_over(self) -> None:
        coming, self._coming = self._coming, []
        for job in coming:
            self._jobs.put(job)

    def _give_up(self, job: Job) -> None:
        """Take an operation back that the writer did not come to."""
        if not job.done.done() and job.take():
            job.done.set_exception(
                StorageUnavailable(
                    f"The database did not come to this within {self.turn_within_s:g} s; nothing of it was done.",
                    fix="Try again in a few seconds. If it stays, look at the database server and at /readyz.",
                )
            )

    def close(self) -> None:
        """Finish what is queued and close the database."""
        self._hand_over()
        self._jobs.put(None)
        self._thread.join(timeout=30)
        self._readers.shutdown(wait=True)
        self._reader_engine.dispose()
        self._writer_engine.dispose()

    def _ask(self, question: Callable[[Connection], T]) -> T:
        is_second, began_s = False, time.monotonic()
        while True:
            try:
                with self._reader_engine.connect() as connection:
                    return question(connection)
            except _FAILURES as error:
                trouble = engines.trouble_of(engines.first_cause(error), self._kind)
                # A connection that lay in the pool while the server was started again: the next one is a new one.
                if is_second or trouble not in _WORTH_ANOTHER or time.monotonic() - began_s > CONNECT_S:
                    raise engines.translate(error, self._kind) from error
                is_second = True

    def _write_loop(self) -> None:
        while not self._is_over and (first := self._jobs.get()) is not None:
            jobs = [first] if first.is_wanted() else []
            self._add_waiting(jobs)
            if jobs:
                self._began_s = time.monotonic()
                outcomes, happened = self._commit(jobs)
                self._began_s = None
                jobs[0].loop.call_soon_threadsafe(self._settle, jobs, outcomes, happened)

    def _add_waiting(self, jobs: list[Job]) -> None:
        """Add what waits to a batch, as far as there is room."""
        with contextlib.suppress(queue.Empty):
            while len(jobs) < BATCH_MAX and not self._is_over:
                job = self._jobs.get_nowait()
                if job is None:
                    self._is_over = True
                elif job.is_wanted():
                    jobs.append(job)

    def _commit(self, jobs: list[Job]) -> tuple[list[Any], list[Event]]:
        attempt, trouble, began_s = 0, Trouble.OURS, time.monotonic()
        while True:
            attempt += 1
            committing = [False]
            try:
                outcomes, happened = self._run_all(jobs, committing)
            except _ENDS_A_BATCH as error:
                trouble = engines.trouble_of(engines.first_cause(error), self._kind)
                is_soon = time.monotonic() - began_s < CONNECT_S  # else who waits has waited enough
                if is_soon and self._is_worth_another(trouble, attempt, is_committing=committing[0]):
                    time.sleep(_PAUSE_S * 2 ** (attempt - 1))
                    continue
                failure = error if isinstance(error, Unavailable) else engines.translate(error, self._kind)
                self.last_failure = failure.message
                _log.error("database.commit_failed", operations=len(jobs), cause=failure.message, fix=failure.fix)
                return [failure] * len(jobs), []
            self.last_failure = None
            return outcomes, happened

    def _is_worth_another(self, trouble: Trouble, attempt: int, *, is_committing: bool) -> bool:
        """Tell whether a batch is run again.

        A connection that is lost before the commit took nothing with it but the transaction. One that is lost during the commit
        may have committed: nobody knows, and running everything again could do everything twice.
        """
        if trouble is Trouble.AGAIN:
            return attempt < ATTEMPTS_MAX
        return trouble is Trouble.GONE and attempt == 1 and not is_committing

    def _run_all(self, jobs: list[Job], committing: list[bool]) -> tuple[list[Any], list[Event]]:
        """Run all operations in one transaction, and commit it; those too that came while it waited for its turn."""
        happened: list[Event] = []
        with self._writer_engine.connect() as connection, connection.begin() as whole:
            self._kind.take_turn(connection)
            self._add_waiting(jobs)
            if len(jobs) > 1:
                gather(jobs)
                outcomes = self._run_each(connection, jobs, happened)
            else:
                outcomes = [self._run(connection, jobs[0], happened, nullcontext)]
                if jobs[0].was_refused:  # nobody else's work is in this transaction
                    whole.rollback()
                    return outcomes, []
            committing[0] = True
        return outcomes, happened

    def _run_each(self, connection: Connection, jobs: Sequence[Job], happened: list[Event]) -> list[Any]:
        """Run operations, those of a kind that stand side by side together. Any: what the operations return."""
        outcomes: list[Any] = []
        for together, group in itertools.groupby(jobs, key=lambda job: job.together):
            same = list(group)
            told = None
            if together is not None and len(same) > 1:
                told = self._run_together(connection, together, same, happened)
            outcomes += told or [self._run(connection, job, happened, apart) for job in same]
        return outcomes

    def _run_together(
        self,
        connection: Connection,
        together: Together,
        jobs: Sequence[Job],
        happened: list[Event],
    ) -> list[Any] | None:
        """Run operations of a kind as one; None when that failed without the database, and nothing of it is kept."""
        transaction = Transaction(connection)
        try:
            with apart(connection):
                outcomes = list(together(transaction, [job.one for job in jobs]))
                stored = transaction.write_events()
        except Exception as error:
            if self._is_whole(error, connection):
                raise
            return None  # which of them it was is found by running each alone
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.was_refused = isinstance(outcome, BaseException)
        happened.extend(stored)
        return outcomes

    def _is_whole(self, error: Exception, connection: Connection) -> bool:
        """Tell whether the database itself failed, so that nothing of a batch can be kept."""
        if isinstance(error, DBAPIError):
            return engines.trouble_of(engines.first_cause(error), self._kind) is not Trouble.STATEMENT
        if isinstance(error, PilothouseError):
            return False
        # The connection is lost, and some drivers let through what the network said.
        return isinstance(error, OSError) or (isinstance(error, SQLAlchemyError) and connection.invalidated)

    def _run(
        self,
        connection: Connection,
        job: Job,
        happened: list[Event],
        held: Callable[[Connection], AbstractContextManager[Any]],
    ) -> Any:  # Any: the operation's own result
        """Run one operation, held apart from others. An error is its outcome, unless the database itself failed."""
        transaction = Transaction(connection)
        # Until it comes to its end: one that returns a refusal wants what it wrote to be kept.
        job.was_refused = True
        try:
            with held(connection):
                result = job.context.run(job.operation, transaction)
                stored = job.context.run(transaction.write_events)
        except Exception as error:  # an edge: a refusal or a defect goes to whoever waits, the writer lives on
            if self._is_whole(error, connection):
                raise
            return error
        job.was_refused = False
        happened.extend(stored)
        return result

    def _settle(self, jobs: Sequence[Job], outcomes: Sequence[Any], happened: Sequence[Event]) -> None:
        if not all(isinstance(outcome, BaseException) for outcome in outcomes):
            self.committed_s = time.monotonic()
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.done.done():
                continue
            if isinstance(outcome, BaseException):
                job.done.set_exception(outcome)
            else:
                job.done.set_result(outcome)
        if happened:
            self._publish(happened)
