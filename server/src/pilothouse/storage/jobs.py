"""Operations that wait for the writer, and which of them are done together."""

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from pilothouse.base.errors import PilothouseError
from pilothouse.storage.transaction import Transaction

T = TypeVar("T")
One = TypeVar("One")
Together = Callable[[Transaction, Sequence[Any]], Sequence[Any]]
"""Does for many what is asked for each; tells what came of each, in their order. Any: whatever it is given, and returns."""


class Job(msgspec.Struct, eq=False):
    """An operation that waits for the writer."""

    operation: Callable[[Transaction], Any]  # Any: whatever the operation returns
    together: Together | None
    """What does the same for many; None where it is one of its kind."""
    one: Any
    """What `together` is given for it."""
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    context: contextvars.Context
    """Of whoever asked: what is logged beside the loop names its request."""
    was_refused: bool = False
    """Whether it raised, so that nothing of it is kept."""
    _whose: list[None] = msgspec.field(default_factory=lambda: [None])
    """Taken out by the writer that begins it, or by whoever waited and gives it up: by one of them, in whatever thread."""

    def take(self) -> bool:
        """Begin it, or give it up; false when the other one came first."""
        try:
            self._whose.pop()
        except IndexError:
            return False
        return True

    def is_wanted(self) -> bool:
        """Begin it, unless nobody waits for it any more."""
        return not self.done.cancelled() and self.take()


def alone(
    operation: Callable[[Transaction, Sequence[One]], Sequence[T | PilothouseError]], one: One, tx: Transaction
) -> T:
    """Do for one what can be done for many.

    Raises: what came of it, where that is an error
    """
    (outcome,) = operation(tx, [one])
    if isinstance(outcome, PilothouseError):
        raise outcome
    return outcome


def gather(jobs: list[Job]) -> None:
    """Have operations of a kind stand side by side, in the place of the first of them, and all else in its order."""
    first: dict[Any, int] = {}
    for place, job in enumerate(jobs):
        if job.together is not None:
            first.setdefault(job.together, place)
    places = {id(job): (place if job.together is None else first[job.together]) for place, job in enumerate(jobs)}
    jobs.sort(key=lambda job: places[id(job)])
