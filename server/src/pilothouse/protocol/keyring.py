"""The secrets that senders use, ready to verify with: opened once, kept in memory, dropped when they change."""

import asyncio
import contextvars
import math
import time
from collections.abc import Callable, Coroutine, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from pilothouse.base.errors import PilothouseError, StorageUnavailable, Unavailable
from pilothouse.base.instants import Instant
from pilothouse.domain.events import Event, EventKind
from pilothouse.domain.refusals import KeyExpired, KeyRevoked, KeyRevoking, KeyUnknown, RuntimeRefused
from pilothouse.domain.secrets import SecretFacts, SecretState
from pilothouse.operations.hearing import DEAF_S, Silence, unbroken
from pilothouse.protocol.token import SigningKey
from pilothouse.storage import secrets
from pilothouse.storage.sealing import CannotUnseal, Vault
from pilothouse.storage.unit import Store

KEYS_MAX = 200_000
"""Keys kept ready, about 1 kB each; when it is full it is emptied, and filled again by who is in use."""
BELIEVED_S: Final = 300.0
"""Unit: seconds. So long after it was last known that a key is good it is taken where the database cannot be asked: a heartbeat
that only says that its sender lives, and telemetry, go on through an outage; everything else needs the database anyway."""
READ_AT_ONCE: Final = 256
"""Keys of one statement."""
_ANSWERED_WITHIN_S: Final = 2.0
"""Unit: seconds. So long a heartbeat waits for the database to confirm a key that is known: a cut network answers nothing."""
_PAUSE_S: Final = 5.0
"""Unit: seconds. After a question that was not answered none is asked for so long."""
_CHANGES = (
    EventKind.SECRET_BOUND,
    EventKind.SECRET_REVOKED,
    EventKind.SECRET_CHANGED,
    EventKind.SECRET_ROTATED,
)


class Key(msgspec.Struct, eq=False):
    """A secret that is ready to verify with."""

    facts: SecretFacts
    signing: SigningKey
    usable_until: Instant
    """From then on it is refused; one comparison a heartbeat decides, and no database is asked."""
    read_s: float
    """When the database said that it is good, by the keyring's own clock."""


_Outcome = Key | Exception
"""What came of asking for a key; an error is raised by everybody who asked."""


class _Asked(msgspec.Struct, eq=False):
    """Keys that are being read by one statement."""

    waiting: dict[str, asyncio.Future[_Outcome]]
    changed: set[str] = msgspec.field(default_factory=set[str])
    """Those of which a change was heard meanwhile: they are used once, and not kept."""


class Keyring:
    """Keys by key id.

    Those that are not ready are read together: what is asked for in one turn of the loop, or while others are read. Whoever asks
    is answered by a read that began later, so that nothing is older than if each had asked alone.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        silence_s: Silence = unbroken,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; silence_s: for how long the changes of other processes have not been heard."""
        self._silence_s = silence_s
        self._clock_s = clock_s
        self._is_asking = False
        self._not_before_s = 0.0
        self._store = store
        self._vault = vault
        self._keys: dict[str, Key] = {}
        # By key id, once each, until they are read; as many as requests that wait.
        self._waiting: dict[str, asyncio.Future[_Outcome]] = {}
        self._under_way: list[_Asked] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None
        self._used: dict[str, Instant] = {}

    def peek(self, key_id: str) -> Key | None:
        """Find a key that is ready, without asking the database."""
        key = self._keys.get(key_id)
        if key is None or (silence_s := self._silence_s()) <= DEAF_S:
            return key
        return key if self._is_believed(key, silence_s) else None

    def usable_until(self, key_id: str) -> Instant:
        """Tell when a key ends; of one that is not ready nothing is known yet."""
        key = self._keys.get(key_id)
        return math.inf if key is None else key.usable_until

    async def load(self, key_id: str) -> Key:
        """Find a key, in the database if need be.

        Raises: KeyUnknown and KeyRevoked, only when the database said so; Unavailable when it could not be asked
        """
        ready = self.peek(key_id)
        if ready is not None:
            return ready
        began_s = self._clock_s()
        self._is_asking = True
        try:
            async with asyncio.timeout(_ANSWERED_WITHIN_S if key_id in self._keys else None):
                outcome = await asyncio.shield(self._ask(key_id))
            if isinstance(outcome, Unavailable):
                raise outcome.with_traceback(None)
        except (PilothouseError, TimeoutError) as error:
            self._not_before_s = self._clock_s() + _PAUSE_S
            known = self._keys.get(key_id)
            if known is not None and min(self._silence_s(), began_s - known.read_s) < BELIEVED_S:
                return known
            if isinstance(error, TimeoutError):
                raise StorageUnavailable from error
            raise
        finally:
            self._is_asking = False
        if isinstance(outcome, Exception):
            raise outcome.with_traceback(None)
        return outcome

    def _ask(self, key_id: str) -> asyncio.Future[_Outcome]:
        """Have a key read with all that are asked for in this turn of the loop, or while others are read."""
        asked = self._waiting.get(key_id)
        if asked is None:
            asked = self._waiting[key_id] = asyncio.get_running_loop().create_future()
            if self._reading is None or self._reading.done():
                self._reading = self._begin(self._read_waiting())
        return asked

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:  # Any: what coroutines are sent
        """Begin what belongs to no request, whoever was the first to ask."""
        task = asyncio.get_running_loop().create_task(work, name="pilothouse-keys", context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read_waiting(self) -> None:
        """Read what waits, statement by statement; one that is not answered holds nobody up who asks later."""
        while self._waiting:
            asked = _Asked(dict(islice(self._waiting.items(), READ_AT_ONCE)))
            for key_id in asked.waiting:
                del self._waiting[key_id]
            await asyncio.wait((self._begin(self._read(asked)),), timeout=_ANSWERED_WITHIN_S)

    async def _read(self, asked: _Asked) -> None:
        began_s, key_ids = self._clock_s(), list(asked.waiting)
        self._under_way.append(asked)
        outcomes: Mapping[str, _Outcome] = {}
        failure: Exception = StorageUnavailable()
        try:
            found = await self._store.read(lambda connection: secrets.find_all(connection, key_ids))
            outcomes = {key_id: self._open(key_id, found.get(key_id), began_s, asked) for key_id in key_ids}
        except Exception as error:  # noqa: BLE001 - it is raised by everybody who asked
            failure = error
        finally:
            self._under_way.remove(asked)
            for key_id, waiting in asked.waiting.items():
                if not waiting.done():
                    waiting.set_result(outcomes.get(key_id, failure))

    def _open(
        self, key_id: str, found: tuple[SecretFacts, bytes | None] | None, began_s: float, asked: _Asked
    ) -> _Outcome:
        """Make a key of what the database said, and keep it, unless it may have changed while it was read."""
        if found is None or found[1] is None:
            self._keys.pop(key_id, None)
        if found is None:
            return KeyUnknown(key_id)
        facts, sealed = found
        if sealed is None:
            return KeyRevoked(key_id)
        try:
            signing = SigningKey(self._vault.open(sealed, key_id=key_id).encode())
        except CannotUnseal as error:
            return error
        key = Key(facts, signing, facts.life.usable_until, began_s)
        if key_id not in asked.changed:
            if len(self._keys) >= KEYS_MAX:
                self._keys.clear()
            self._keys[key_id] = key
        return key

    def _is_believed(self, key: Key, silence_s: float) -> bool:
        """Tell whether a key is taken without a question though changes are not heard.

        One question is under way at a time: a fleet does not wait for a database that is gone.
        """
        now_s = self._clock_s()
        unconfirmed_s = min(silence_s, now_s - key.read_s)
        return unconfirmed_s < (BELIEVED_S if self._is_asking or now_s < self._not_before_s else DEAF_S)

    def follow(self, event: Event) -> None:
        """Drop a key that was bound, or whose life was changed."""
        if event.kind in _CHANGES and event.key_id is not None:
            self._keys.pop(event.key_id, None)
            for asked in self._under_way:
                asked.changed.add(event.key_id)

    def note_use(self, key: Key, now: Instant) -> None:
        """Let a key that verified a message be used, and remember it; flushed with presence.

        Every message that a key signed passes here, so that none is taken after the key's end.
        Raises: KeyExpired, KeyRevoking, KeyRevoked
        """
        if now >= key.usable_until:
            raise _ended(key.facts, now)
        self._used[key.facts.key_id] = now

    def take_used(self) -> dict[str, Instant]:
        """List when keys were used since this was last asked."""
        used, self._used = self._used, {}
        return used

    def give_back(self, used: Mapping[str, Instant]) -> None:
        """Take back a flush that failed."""
        self._used = {**used, **self._used}


def _ended(facts: SecretFacts, now: Instant) -> RuntimeRefused:
    """Say why a key cannot be used any more."""
    life = facts.life
    if life.expires_at is not None and life.state_at(now) is SecretState.EXPIRED:
        return KeyExpired(facts.key_id, life.expires_at)
    if life.revoked_from is not None and life.state_at(now) is SecretState.REVOKING:
        return KeyRevoking(facts.key_id, life.revoked_from)
    return KeyRevoked(facts.key_id)
