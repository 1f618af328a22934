"""The heartbeats that were refused lately, so that the console can say why a runtime does not appear.

Where several processes serve one database each notes what it refused itself, tells the others, and shows the sum.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from typing import Final

import msgspec

from pilothouse.base.instants import Instant

REFUSALS_MAX = 200
"""Entries kept; the oldest goes first. One entry a cause and sender."""
ACCEPTED_MAX: Final = 10_000
"""Runtimes that were accepted lately and are remembered for what others have not told yet; the oldest goes first."""
_TEXT_LENGTH_MAX = 100
_Key = tuple[str | None, ...]
_Accepted = tuple[str, str]
"""Key id and runtimeId; without the latter, of whatever could not be read further than to the key."""


class RefusedSender(msgspec.Struct, frozen=True, kw_only=True):
    """What could be read of who sent it; None where it could not."""

    address: str | None = None
    key_id: str | None = None
    runtime_id: str | None = None
    runtime_name: str | None = None
    environment: str | None = None
    project: str | None = None
    integration: str | None = None


class RefusalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One cause of refusal, and how often it came."""

    at: Instant
    count: int
    code: str
    message: str
    fix: str
    sender: RefusedSender


class _Told(msgspec.Struct, frozen=True):
    """What a process tells the others."""

    entries: list[RefusalEntry]
    settled: list[tuple[str, str, Instant]]
    """Key id and runtimeId of those that it accepted after others had refused them, and when."""


class RefusalBook:
    """The newest refusals, in memory."""

    def __init__(self, *, is_shared: bool = False) -> None:
        """Begin with none; is_shared: other processes refuse and accept, too."""
        self._is_shared = is_shared
        self._entries: dict[_Key, RefusalEntry] = {}
        self._elsewhere: tuple[RefusalEntry, ...] = ()
        """What other processes refused."""
        self._known_elsewhere: frozenset[_Accepted] = frozenset()
        self._settled_here: dict[_Accepted, Instant] = {}
        self._settled: dict[_Accepted, Instant] = {}
        """By whichever process."""
        self._accepted: dict[_Accepted, Instant] = {}
        self.changes = 0
        """Grows with whatever others are to know."""

    def note(self, code: str, message: str, fix: str, sender: RefusedSender, now: Instant) -> int:
        """Note a refusal; returns how often this one has come here."""
        cut = RefusedSender(
            **{
                name: value if value is None else str(value)[:_TEXT_LENGTH_MAX]
                for name, value in msgspec.structs.asdict(sender).items()
            }
        )
        entry = RefusalEntry(at=now, count=1, code=code, message=message, fix=fix, sender=cut)
        before = self._entries.pop(_key(entry), None)
        count = 1 if before is None else before.count + 1
        self._entries[_key(entry)] = msgspec.structs.replace(entry, count=count)
        self.changes += 1
        while len(self._entries) > REFUSALS_MAX:
            del self._entries[next(iter(self._entries))]
        return count

    def settle(self, key_id: str, runtime_id: str, now: Instant) -> None:
        """Strike out what was held against a runtime that is accepted now, by whichever process."""
        whose = ((key_id, runtime_id), (key_id, ""))
        if self._is_shared:
            for who in whose:
                _put(self._accepted, who, now, ACCEPTED_MAX)
                if who in self._known_elsewhere:
                    self._settle(who, now)
        if not self._entries:
            return
        for key in [key for key, entry in self._entries.items() if _whose(entry) in whose]:
            del self._entries[key]
            self.changes += 1

    def newest(self, count: int, is_shown: Callable[[RefusalEntry], bool]) -> Sequence[RefusalEntry]:
        """List the newest entries that may be shown, of all processes together, newest first."""
        together: dict[_Key, RefusalEntry] = {}
        for entry in chain(self._elsewhere, self._entries.values()):
            if self._is_settled(entry):
                continue
            known = together.get(_key(entry))
            if known is not None:
                newer = entry if entry.at >= known.at else known
                entry = msgspec.structs.replace(newer, count=entry.count + known.count)  # noqa: PLW2901 - it is one with it
            together[_key(entry)] = entry
        shown = sorted(together.values(), key=lambda entry: entry.at)[: -REFUSALS_MAX - 1 : -1]
        return list(islice(filter(is_shown, shown), count))

    def tell(self) -> bytes:
        """Write what others are to know."""
        settled = [(*who, at) for who, at in self._settled_here.items()]
        return msgspec.msgpack.encode(_Told(list(self._entries.values()), settled))

    def hear(self, told: Mapping[str, bytes]) -> None:
        """Take what all other processes know."""
        heard = [msgspec.msgpack.decode(document, type=_Told) for document in told.values()]
        self._elsewhere = tuple(entry for one in heard for entry in one.entries)
        self._known_elsewhere = frozenset(map(_whose, self._elsewhere))
        self._settled = dict(self._settled_here)
        for key_id, runtime_id, at in (settled for one in heard for settled in one.settled):
            self._settled[key_id, runtime_id] = max(at, self._settled.get((key_id, runtime_id), at))
        for entry in self._elsewhere:  # it may be told after it was settled here
            at = self._accepted.get(_whose(entry))
            if at is not None and at >= entry.at and not self._is_settled(entry):
                self._settle(_whose(entry), at)

    def _settle(self, who: _Accepted, at: Instant) -> None:
        _put(self._settled_here, who, at, REFUSALS_MAX)
        self._settled[who] = at
        self.changes += 1

    def _is_settled(self, entry: RefusalEntry) -> bool:
        at = self._settled.get(_whose(entry))
        return at is not None and at >= entry.at


def _key(entry: RefusalEntry) -> _Key:
    return (entry.code, entry.sender.key_id, entry.sender.runtime_id, entry.sender.address)


def _whose(entry: RefusalEntry) -> _Accepted:
    return entry.sender.key_id or "", entry.sender.runtime_id or ""


def _put(into: dict[_Accepted, Instant], who: _Accepted, at: Instant, count_max: int) -> None:
    into.pop(who, None)
    into[who] = at
    if len(into) > count_max:
        del into[next(iter(into))]
