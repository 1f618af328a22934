"""The heartbeats that were refused lately, so that the console can say why a runtime does not appear."""

from collections.abc import Callable, Sequence
from itertools import islice

import msgspec

from pilothouse.base.instants import Instant

REFUSALS_MAX = 200
"""Entries kept; the oldest goes first. One entry a cause and sender."""
_TEXT_LENGTH_MAX = 100


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


class RefusalBook:
    """The newest refusals, in memory."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str | None, ...], RefusalEntry] = {}

    def note(self, code: str, message: str, fix: str, sender: RefusedSender, now: Instant) -> int:
        """Note a refusal; returns how often this one has come."""
        cut = RefusedSender(
            **{
                name: value if value is None else str(value)[:_TEXT_LENGTH_MAX]
                for name, value in msgspec.structs.asdict(sender).items()
            }
        )
        key = (code, cut.key_id, cut.runtime_id, cut.address)
        before = self._entries.pop(key, None)
        count = 1 if before is None else before.count + 1
        self._entries[key] = RefusalEntry(at=now, count=count, code=code, message=message, fix=fix, sender=cut)
        while len(self._entries) > REFUSALS_MAX:
            del self._entries[next(iter(self._entries))]
        return count

    def settle(self, key_id: str, runtime_id: str) -> None:
        """Strike out what was held against a runtime that is accepted now."""
        if not self._entries:
            return
        for key in [key for key in self._entries if key[1] == key_id and key[2] in (None, runtime_id)]:
            del self._entries[key]

    def newest(self, count: int, is_shown: Callable[[RefusalEntry], bool]) -> Sequence[RefusalEntry]:
        """List the newest entries that may be shown, newest first."""
        return list(islice(filter(is_shown, reversed(self._entries.values())), count))
