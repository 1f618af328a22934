"""Work that one process does for all that share a database: whose it is, and who goes on when that one is gone.

Nothing becomes wrong when two do it at once: it is idempotent, or decided in transactions. It would be done as often as there are
processes, and processes that see the fleet a moment apart would contradict each other. No clock of another machine is believed:
who sees a claim stand still for `lasts_s` of its own time takes it over. Source: ADR 0022.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.storage import chores
from pilothouse.storage.chores import Chore
from pilothouse.storage.unit import Store

LASTS_S: Final = 6.0
"""Unit: seconds. A claim that was not renewed for so long is taken over."""
RENEW_S: Final = 2.0
"""Unit: seconds between two renewals."""

_log = structlog.get_logger(__name__)


class Claim:
    """One process's hold on one piece of work."""

    def __init__(
        self,
        store: Store,
        name: str,
        now: Callable[[], Instant],
        *,
        is_alone: bool = False,
        lasts_s: float = LASTS_S,
        renew_s: float = RENEW_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; is_alone: no other process shares the database, and everything is ours."""
        self._store = store
        self._name = name
        self._now = now
        self.is_alone = is_alone
        self._lasts_s = lasts_s
        self.renew_s = renew_s
        self._clock_s = clock_s
        self.owner = new_id()
        self._seen: Chore | None = None
        self._seen_since_s = 0.0
        self._renewed_s: float | None = None

    @property
    def is_held(self) -> bool:
        """Whether the work is ours, for all that is known here."""
        return self.is_alone or (
            self._renewed_s is not None and self._clock_s() - self._renewed_s < self._lasts_s - self.renew_s
        )

    async def hold(self) -> bool:
        """Keep the work, or take it where nobody does it any more; tells whether it is ours now.

        Raises: Unavailable
        """
        now_s = self._clock_s()
        if self.is_alone or (self._renewed_s is not None and now_s - self._renewed_s < self.renew_s):
            return True
        found = await self._store.read(partial(chores.find, name=self._name))
        if not self._may_take(found, now_s):
            self._renewed_s = None
            return False
        was_held = self._renewed_s is not None
        renewals = await self._store.write(
            lambda tx: chores.take(tx.connection, self._name, self.owner, found, self._now())
        )
        self._renewed_s = None if renewals is None else now_s
        if renewals is not None and not was_held:
            _log.info("chore.taken", chore=self._name)
        return renewals is not None

    async def let_go(self) -> None:
        """Leave the work to whoever comes next, at once."""
        if self.is_alone or self._renewed_s is None:
            return
        self._renewed_s = None
        await self._store.write(lambda tx: chores.let_go(tx.connection, self._name, self.owner))

    def _may_take(self, found: Chore | None, now_s: float) -> bool:
        """Tell whether work as it was found may be taken: it is nobody's, ours, or of one who was not heard of for long."""
        if found is None or found.owner is None or found.owner == self.owner:
            return True
        if self._seen is None or (found.owner, found.renewals) != (self._seen.owner, self._seen.renewals):
            self._seen, self._seen_since_s = found, now_s
        return now_s - self._seen_since_s >= self._lasts_s


async def is_round_due(store: Store, name: str, every_s: float, now: Instant) -> bool:
    """Take the next round of a piece of work; False when some process did it within `every_s`.

    Raises: Unavailable
    """
    found = await store.read(partial(chores.find, name=name))
    if found is not None and now - every_s < found.done_at <= now + every_s:
        return False
    return await store.write(lambda tx: chores.begin_due(tx.connection, name, every_s, now))
