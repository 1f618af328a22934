"""What each process knows alone and people want to see of all: it is told to the others, and what they told is heard.

Refused senders, for one: a runtime is refused by whichever process it comes to, and who looks why it does not appear asks another.
Not durable before it is told: what a process that is killed learned within the last `EVERY_S` is lost.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol

import msgspec

from pilothouse.storage import tellings
from pilothouse.storage.tellings import Name
from pilothouse.storage.unit import Connection, Store, Transaction

EVERY_S: Final = 2.0
"""Unit: seconds. So long it takes at most, and a flush, until others know."""


class Teller(Protocol):
    """Who knows something that others want to know."""

    @property
    def changes(self) -> int:
        """Grows with whatever is to be told."""
        ...

    def tell(self) -> bytes:
        """Write what is known here."""
        ...

    def hear(self, told: Mapping[str, bytes]) -> None:
        """Take what all others told, by their ids, in place of what they told before."""
        ...


class Tellings:
    """This process's share of what is told."""

    def __init__(
        self, store: Store, replica: str, tellers: Mapping[str, Teller], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the parts; tellers: by the sort of what they tell."""
        self.every_s = EVERY_S
        self._store = store
        self._replica = replica
        self._tellers = tellers
        self._clock_s = clock_s
        self._told: dict[str, int] = {}
        self._known: dict[Name, tuple[int, bytes]] = {}
        """What others told, with its version."""
        self._at_s: float | None = None

    async def exchange(self, *, is_end: bool = False) -> None:
        """Tell what changed here, and hear what changed elsewhere, unless that was done just now.

        Raises: Unavailable, and it is told the next time
        """
        now_s = self._clock_s()
        if self._at_s is not None and now_s - self._at_s < self.every_s and not is_end:
            return
        self._at_s = now_s
        changed = {sort: one.changes for sort, one in self._tellers.items() if one.changes != self._told.get(sort, 0)}
        if changed:
            documents = {sort: self._tellers[sort].tell() for sort in changed}
            await self._store.write(partial(self._save, documents=documents))
            self._told |= changed
        if not is_end:
            await self._hear()

    def _save(self, tx: Transaction, documents: Mapping[str, bytes]) -> None:
        for sort, document in documents.items():
            tellings.save(tx.connection, self._replica, sort, document)

    async def _hear(self) -> None:
        news = await self._store.read(
            partial(_news, me=self._replica, known={name: version for name, (version, _) in self._known.items()})
        )
        sorts = {sort for _, sort in news.changed} | {sort for _, sort in news.gone}
        for name, (version, document) in news.changed.items():
            self._known[name] = version, document
        for name in news.gone:
            del self._known[name]
        for sort in sorts & self._tellers.keys():
            self._tellers[sort].hear(
                {replica: document for (replica, of), (_, document) in self._known.items() if of == sort}
            )


class _News(msgspec.Struct, frozen=True):
    changed: dict[Name, tuple[int, bytes]]
    gone: list[Name]


def _news(connection: Connection, me: str, known: Mapping[Name, int]) -> _News:
    there = {name: version for name, version in tellings.versions(connection).items() if name[0] != me}
    changed = [name for name, version in there.items() if known.get(name) != version]
    read = tellings.read(connection, changed)
    return _News(
        {name: (there[name], document) for name, document in read.items()},
        [name for name in known if name not in there],
    )
