"""Slowing down who guesses passwords: by account for all processes together, by address in each.

Counted in the database, before the password is looked at: many attempts at once, at however many processes, do not slip through.
From where somebody signed in before, their account is counted apart from everywhere else: who fails on purpose elsewhere does not
keep its owner out.
"""

import contextlib
from typing import Final

from pilothouse.base.errors import PilothouseError, TooManyAttempts
from pilothouse.base.instants import Instant
from pilothouse.identity.throttle import ALLOWED, Throttle, left_s, network_of, one_more
from pilothouse.storage import sign_in_attempts
from pilothouse.storage.sign_in_attempts import ANYWHERE, Counted, key_of
from pilothouse.storage.unit import Connection, Store, Transaction

BELIEVED_S: Final = 2.0
"""So long an account that has to wait is not asked for again: a flood of guesses costs no transactions."""
BELIEVED_MAX: Final = 10_000
"""Accounts that are remembered so; the oldest go first."""


class SignInAttempts:
    """Counts attempts to sign in to an account by its password."""

    def __init__(self, store: Store, throttle: Throttle) -> None:
        self._store = store
        self._throttle = throttle
        # By account and address: until when it has to wait, and until when that is believed. Cap: BELIEVED_MAX.
        self._blocked: dict[tuple[str, str | None], tuple[Instant, Instant]] = {}

    async def begin(self, username: str, address: str | None, now: Instant) -> bool:
        """Count an attempt; True when after it the account or the address has to wait.

        Raises: TooManyAttempts when either has failed too often lately; Unavailable
        """
        self._throttle.check(None, address, now)
        key = (username.lower(), address)
        until, believed_until = self._blocked.get(key, (now, now))
        if now < believed_until and now < until:
            raise TooManyAttempts(wait_s=max(1, round(until - now)))
        is_last = self._throttle.failed(None, address, now)
        try:
            failures = await self._store.write(lambda tx: _count(tx.connection, username, address, now))
        except PilothouseError as error:
            self._throttle.take_back(None, address)
            if isinstance(error, TooManyAttempts):
                self._believe(key, now + error.wait_s, now)
            raise
        return is_last or failures >= ALLOWED["account"]

    def succeeded(self, tx: Transaction, username: str, address: str | None, now: Instant) -> None:
        """Forgive an account, in the transaction that lets somebody in, and remember from where that was."""
        account, home = _keys(username, address)
        connection = tx.connection
        if home is None:
            sign_in_attempts.forget(connection, account, ANYWHERE)
            return
        known = home in sign_in_attempts.find(connection, account, [home])
        if not known:
            sign_in_attempts.forget(connection, account, ANYWHERE)
        sign_in_attempts.save(connection, account, home, Counted(failures=0, since=now), now, is_new=not known)

    def was_let_in(self, username: str, address: str | None) -> None:
        """Take back what was counted against the address of who was let in."""
        self._blocked.pop((username.lower(), address), None)
        self._throttle.take_back(None, address)

    def ask_again(self, username: str) -> None:
        """Believe no longer that an account has to wait: somebody forgave it just now."""
        for key in [key for key in self._blocked if key[0] == username.lower()]:
            del self._blocked[key]

    async def take_back(self, username: str, address: str | None, now: Instant) -> None:
        """Take back what an attempt counted that came to nothing for our own fault; as far as the database can be reached."""
        self._throttle.take_back(None, address)
        with contextlib.suppress(PilothouseError):
            await self._store.write(lambda tx: _take_back(tx.connection, username, address, now))

    def _believe(self, key: tuple[str, str | None], until: Instant, now: Instant) -> None:
        self._blocked.pop(key, None)
        self._blocked[key] = (until, now + BELIEVED_S)
        while len(self._blocked) > BELIEVED_MAX:
            del self._blocked[next(iter(self._blocked))]


def forgive(tx: Transaction, username: str, now: Instant) -> None:
    """Forget somebody's failures, wherever they were made."""
    sign_in_attempts.forgive(tx.connection, key_of(username.lower()), now)


def _count(connection: Connection, username: str, address: str | None, now: Instant) -> int:
    account, home = _keys(username, address)
    found = sign_in_attempts.find(connection, account, [ANYWHERE] if home is None else [ANYWHERE, home])
    place = home if home is not None and home in found else ANYWHERE
    before = found.get(place) or Counted(failures=0, since=now)
    if (wait_s := left_s("account", before.failures, before.since, now)) > 0:
        raise TooManyAttempts(wait_s=wait_s)
    failures, since = one_more(before.failures, before.since, now)
    counted = Counted(failures=failures, since=since)
    sign_in_attempts.save(connection, account, place, counted, now, is_new=place not in found)
    return failures


def _take_back(connection: Connection, username: str, address: str | None, now: Instant) -> None:
    account, home = _keys(username, address)
    found = sign_in_attempts.find(connection, account, [ANYWHERE] if home is None else [ANYWHERE, home])
    place = home if home is not None and home in found else ANYWHERE
    if (before := found.get(place)) is not None and before.failures:
        counted = Counted(failures=before.failures - 1, since=before.since)
        sign_in_attempts.save(connection, account, place, counted, now, is_new=False)


def _keys(username: str, address: str | None) -> tuple[str, str | None]:
    return key_of(username.lower()), None if address is None else key_of(network_of(address))
