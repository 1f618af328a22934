"""When each runtime is to be looked at next, so that a look costs by what changed and not by how many there are.

What time alone can change is kept by slots of time: a runtime that beats stays in its slot, and is put into a later one when that comes.
What else changes has the runtime looked at with the next look.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final

from pilothouse.base.instants import Instant
from pilothouse.presence.entry import Entry

SLOT_S: Final = 0.5
"""Unit: seconds. As long as from look to look: who is looked at a little early is looked at again when the moment comes."""
_EARLY_S: Final = 0.001
"""Rounding of sums must not have anybody looked at late."""


class Rota:
    """Keys of runtimes by when they are looked at, and what the last look found.

    Bounded by the runtimes on the board; a key that was moved to an earlier slot leaves the other one when that comes.
    """

    def __init__(self) -> None:
        self.uneasy: dict[int, None] = {}
        """Of whom something may be said without anything that is new of them: silent, left, or not announced as running."""
        self.silent: set[int] = set()
        """Announced as running, and half of the silence that is allowed has passed, or their channel broke."""
        self.down: set[int] = set()
        """Not announced as running."""
        self.turning: dict[int, None] = {}
        """Whose verdict was another one than was announced when they were looked at."""
        self._asked: dict[int, None] = {}
        self._soon: list[tuple[Instant, int]] = []
        """A heap of those whose time comes within the slot of the last look."""
        self._slots: dict[int, list[int]] = {}
        self._order: list[int] = []
        """A heap of the slots that there are."""
        self._now = 0
        """The slot of the last look."""
        self._founded_on: tuple[Instant, Instant, Instant, bool] = (0.0, 0.0, 0.0, True)
        self.looked_at: Instant = 0.0
        """When the last look was."""

    def ask(self, runtime_key: int) -> None:
        """Have a runtime looked at with the next look."""
        self._asked[runtime_key] = None

    def begin(self, at: Instant, listening_since: Instant, lost_until: Instant, *, is_held: bool) -> bool:
        """Begin a look about a moment; True when it is to be a look at everybody, also at those of whom nothing is to be said.

        When time went back, or verdicts have another foundation, everybody is looked at again of whom something may be said;
        when we listen since another moment, nothing may be known of those either who were heard shortly before.
        """
        founded_on = (at, listening_since, lost_until, is_held)
        if at < self._founded_on[0] or founded_on[1:] != self._founded_on[1:]:
            self._asked.update(self.uneasy)
        is_about_everybody = listening_since != self._founded_on[1]
        self._founded_on = founded_on
        self._now = int(at // SLOT_S)
        while self._soon and self._soon[0][0] <= at:
            self.ask(heappop(self._soon)[1])
        return is_about_everybody

    def take(self, at_most: int) -> tuple[int, list[int]]:
        """List some who are to be looked at, with the slot that they were in; 0 when somebody asked for it."""
        if self._asked:
            return 0, [self._asked.popitem()[0] for _ in range(min(at_most, len(self._asked)))]
        while self._order and self._order[0] <= self._now:
            slot = self._order[0]
            keys = self._slots[slot]
            some = keys[-at_most:]
            del keys[-at_most:]
            if not keys:
                del self._slots[heappop(self._order)]
            if some:
                return slot, some
        return 0, []

    def schedule(self, entry: Entry, due_at: Instant) -> None:
        """Have a runtime looked at when its time comes, or sooner."""
        slot = int((due_at - _EARLY_S) // SLOT_S)
        if slot <= self._now:
            heappush(self._soon, (due_at - _EARLY_S, entry.runtime_key))
        elif not self._now < entry.slot <= slot:  # else it is looked at before, and put into this one then
            entry.slot = slot
            keys = self._slots.get(slot)
            if keys is None:
                self._slots[slot] = [entry.runtime_key]
                heappush(self._order, slot)
            else:
                keys.append(entry.runtime_key)

    def schedule_first(self, entry: Entry, moments: Iterable[Instant], at: Instant) -> None:
        """Have a runtime looked at when the first of these moments comes that is not past."""
        due_at = min((moment for moment in moments if moment > at - _EARLY_S), default=None)
        if due_at is not None:
            self.schedule(entry, due_at)

    def note(self, runtime_key: int, *, is_silent: bool, is_down: bool) -> None:
        """Note what was found of a runtime of which something may be said."""
        self.uneasy[runtime_key] = None
        for holds, found in ((is_silent, self.silent), (is_down, self.down)):
            if holds:
                found.add(runtime_key)
            else:
                found.discard(runtime_key)

    def forget(self, runtime_key: int) -> None:
        """Forget what was found of a runtime."""
        self.uneasy.pop(runtime_key, None)
        self.turning.pop(runtime_key, None)
        self.silent.discard(runtime_key)
        self.down.discard(runtime_key)
