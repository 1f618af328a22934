"""What everybody holds, remembered until somebody changes it: a decision costs no statement."""

from collections.abc import Callable

from pilothouse.access.grants import Holdings
from pilothouse.domain.events import Event, EventKind
from pilothouse.operations.hearing import DEAF_S, Silence, unbroken
from pilothouse.storage import access
from pilothouse.storage.unit import Store

PEOPLE_KEPT = 10_000
"""Holdings that are remembered; the one read longest ago goes first."""


class AccessBook:
    """Holdings by user, dropped as a whole by the event that any of them changed."""

    def __init__(
        self, store: Store, follow: Callable[[Callable[[Event], None]], None], silence_s: Silence = unbroken
    ) -> None:
        """Take the parts; silence_s: for how long events have not been heard, so that what is remembered may have ended."""
        self._silence_s = silence_s
        self._store = store
        self._known: dict[str, Holdings] = {}
        self._generation = 0
        follow(self._hear)

    async def holdings(self, user_id: str) -> Holdings:
        """Tell what somebody holds now.

        Raises: Unavailable
        """
        known = self._known.get(user_id)
        if known is not None and self._silence_s() <= DEAF_S:
            return known
        generation = self._generation
        # Put together in the reader's thread: what a thousand mappings give takes long enough to keep heartbeats waiting.
        holdings = await self._store.read(lambda connection: Holdings(access.list_grants(connection, user_id)))
        if generation == self._generation:  # else it changed while it was read: true for this request, not for the next
            self._known[user_id] = holdings
            while len(self._known) > PEOPLE_KEPT:
                del self._known[next(iter(self._known))]
        return holdings

    def _hear(self, event: Event) -> None:
        if event.kind is EventKind.ACCESS_CHANGED:
            self._generation += 1
            self._known.clear()
