"""Slowing down who guesses passwords."""

import math

from pilothouse.base.errors import TooManyAttempts
from pilothouse.base.instants import Instant

FAILURES_ALLOWED = 5
"""Failures in a window before the next attempt must wait."""
ADDRESS_FAILURES_ALLOWED = 20
"""The same by address: several people may sit behind one."""
WINDOW_S = 300.0
"""How long failures are remembered."""
ENTRIES_MAX = 10_000
"""Names and addresses remembered; the oldest go first."""

_ALLOWED = {"account": FAILURES_ALLOWED, "address": ADDRESS_FAILURES_ALLOWED}


class Throttle:
    """Counts failures by account and by address; in memory, so a restart forgives."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], tuple[int, Instant]] = {}

    def check(self, username: str, address: str | None, now: Instant) -> None:
        """Refuse when either the account or the address has failed too often lately.

        Raises: TooManyAttempts
        """
        for key in self._keys(username, address):
            count, since = self._failures.get(key, (0, now))
            if count >= _ALLOWED[key[0]] and now - since < WINDOW_S:
                raise TooManyAttempts(wait_s=math.ceil(WINDOW_S - (now - since)))

    def failed(self, username: str, address: str | None, now: Instant) -> bool:
        """Note a failure; True when from now on the account or the address has to wait."""
        for key in self._keys(username, address):
            count, since = self._failures.pop(key, (0, now))
            self._failures[key] = (1, now) if now - since >= WINDOW_S else (count + 1, since)
        while len(self._failures) > ENTRIES_MAX:
            del self._failures[next(iter(self._failures))]
        return any(self._failures.get(key, (0, now))[0] >= _ALLOWED[key[0]] for key in self._keys(username, address))

    def succeeded(self, username: str, address: str | None) -> None:
        """Forgive an account, and take back what this attempt counted against its address."""
        self._failures.pop(("account", username.lower()), None)
        count, since = self._failures.get(("address", address or ""), (0, 0.0))
        if count:
            self._failures["address", address or ""] = (count - 1, since)

    def take_back(self, username: str, address: str | None) -> None:
        """Take back what an attempt counted that came to nothing for another's fault."""
        for key in self._keys(username, address):
            count, since = self._failures.get(key, (0, 0.0))
            if count:
                self._failures[key] = (count - 1, since)

    def _keys(self, username: str, address: str | None) -> list[tuple[str, str]]:
        keys = [("account", username.lower())]
        return keys if address is None else [*keys, ("address", address)]
