"""Which runtimes are to be looked at by their next heartbeat, beyond noting that they live.

Most have no entry: an idle beat costs one lookup here and nothing else.
"""

from collections.abc import Mapping

import msgspec

from pilothouse.base.instants import Instant

BOOST_S = 30.0
"""So long after a person asked something of a runtime, it is told to come back soon."""
_CADENCES = ((25.0, 1), (20.0, 2), (10.0, 5), (0.0, 10))
"""With more than so many seconds of the boost left, come back after so many (section 6.7)."""


class Item(msgspec.Struct, eq=False):
    """What a runtime's next heartbeat is to bring."""

    due_at: Instant | None = None
    """When its commands are to be looked at; None when there are none."""
    boosted_until: Instant = 0.0
    asked: int = 0
    """The agenda's count when somebody last asked for a look."""

    def is_due(self, now: Instant) -> bool:
        """Tell whether its commands are to be looked at."""
        return self.due_at is not None and self.due_at <= now

    def next_beat_s(self, now: Instant) -> int | None:
        """Tell when it should come back, where somebody waits for it."""
        left_s = self.boosted_until - now
        return next((seconds for above_s, seconds in _CADENCES if left_s > above_s), None)


class Agenda:
    """Items by runtime key. An item leaves when its runtime has no open command and its boost is over."""

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}
        self.asked = 0
        """Counts what was asked for; taken before a look, it tells afterwards whether something came meanwhile."""

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, runtime_key: int) -> bool:
        return runtime_key in self._items

    def load(self, due: Mapping[int, Instant]) -> None:
        """Put up what the last run left open."""
        for key, at in due.items():
            self.look_at(key, at)

    def find(self, runtime_key: int) -> Item | None:
        """Find a runtime's item; None for nearly all."""
        return self._items.get(runtime_key)

    def look_at(self, runtime_key: int, at: Instant) -> None:
        """Have a runtime looked at, not later than it was to be."""
        item = self._items.setdefault(runtime_key, Item())
        item.due_at = at if item.due_at is None else min(item.due_at, at)
        self.asked += 1
        item.asked = self.asked

    def settle(self, runtime_key: int, again_at: Instant | None, now: Instant, *, asked: int) -> None:
        """Note that a runtime was looked at, and when again; None when there is nothing more to do.

        `asked` is the count from before the look: what was asked for since then was not seen by it, and still counts.
        """
        item = self._items.get(runtime_key)
        if item is not None and item.asked > asked:
            return  # it is due already
        if again_at is not None:
            self._items.setdefault(runtime_key, Item()).due_at = again_at
            return
        if item is not None:
            item.due_at = None
            if item.boosted_until <= now:
                del self._items[runtime_key]

    def boost(self, runtime_key: int, asked_at: Instant) -> None:
        """Note that a person waits for a runtime since a moment."""
        item = self._items.setdefault(runtime_key, Item())
        item.boosted_until = max(item.boosted_until, asked_at + BOOST_S)

    def drop(self, runtime_key: int) -> None:
        """Forget a runtime that is gone."""
        self._items.pop(runtime_key, None)

    def due(self, now: Instant) -> list[int]:
        """List the runtimes that are to be looked at now."""
        return [key for key, item in self._items.items() if item.is_due(now)]

    def sweep(self, now: Instant) -> None:
        """Drop items whose boost is over."""
        spent = [key for key, item in self._items.items() if item.due_at is None and item.boosted_until <= now]
        for key in spent:
            del self._items[key]
