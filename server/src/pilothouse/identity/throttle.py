"""Slowing down who guesses passwords."""

import ipaddress
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

_HOUSEHOLD_BITS = 64
NOBODY = "\0"
"""Begins what is counted like an account and is none."""
ALLOWED = {"account": FAILURES_ALLOWED, "address": ADDRESS_FAILURES_ALLOWED}


class Throttle:
    """Counts failures by account and by address in the memory of this process, so that a restart forgives.

    Addresses are counted here. So is who guesses short codes, as an account that nobody signs in to. Who guesses passwords of an
    account is counted for all processes together: `operations/attempts.py`.
    """

    def __init__(self) -> None:
        # Cap: ENTRIES_MAX; the oldest go first.
        self._failures: dict[tuple[str, str], tuple[int, Instant]] = {}

    def check(self, account: str | None, address: str | None, now: Instant) -> None:
        """Refuse when either the account or the address has failed too often lately.

        Raises: TooManyAttempts
        """
        for key in _keys(account, address):
            count, since = self._failures.get(key, (0, now))
            if (wait_s := left_s(key[0], count, since, now)) > 0:
                raise TooManyAttempts(wait_s=wait_s)

    def failed(self, account: str | None, address: str | None, now: Instant) -> bool:
        """Note a failure; True when from now on the account or the address has to wait."""
        for key in _keys(account, address):
            count, since = self._failures.pop(key, (0, now))
            self._failures[key] = one_more(count, since, now)
        while len(self._failures) > ENTRIES_MAX:
            del self._failures[next(iter(self._failures))]
        return any(self._failures.get(key, (0, now))[0] >= ALLOWED[key[0]] for key in _keys(account, address))

    def take_back(self, account: str | None, address: str | None) -> None:
        """Take back what an attempt counted that succeeded, or came to nothing for another's fault."""
        for key in _keys(account, address):
            count, since = self._failures.get(key, (0, 0.0))
            if count:
                self._failures[key] = (count - 1, since)


def one_more(count: int, since: Instant, now: Instant) -> tuple[int, Instant]:
    """Count one more failure: how many there are in the window that began when."""
    return (1, now) if not count or now - since >= WINDOW_S else (count + 1, since)


def left_s(kind: str, count: int, since: Instant, now: Instant) -> int:
    """Tell how long an account or an address has to wait; 0 when it has not."""
    return math.ceil(WINDOW_S - (now - since)) if count >= ALLOWED[kind] and now - since < WINDOW_S else 0


def _keys(account: str | None, address: str | None) -> list[tuple[str, str]]:
    named = [] if account is None else [("account", account.lower())]
    return named if address is None else [*named, ("address", network_of(address))]


def network_of(address: str) -> str:
    """Tell what one household has: an IPv4 address, or the 64 bits that begin an IPv6 one, whose rest anybody may choose."""
    try:
        read = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv4Address):
        return str(read)
    if read.ipv4_mapped is not None:
        return str(read.ipv4_mapped)
    return str(ipaddress.ip_network((read, _HOUSEHOLD_BITS), strict=False))
