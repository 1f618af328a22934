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
_ALLOWED = {"account": FAILURES_ALLOWED, "address": ADDRESS_FAILURES_ALLOWED}


class Throttle:
    """Counts failures by account and by address; in memory, so a restart forgives.

    From where somebody signed in before, an account is counted apart from everywhere else: who fails on purpose elsewhere does
    not keep its owner out.
    """

    def __init__(self) -> None:
        # Both caps: ENTRIES_MAX; the oldest go first.
        self._failures: dict[tuple[str, str], tuple[int, Instant]] = {}
        self._at_home: dict[tuple[str, str], None] = {}

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
        """Forgive an account, and take back what this attempt counted against its address.

        Without an address it is forgiven wherever it is tried.
        """
        account = username.lower()
        home = None if address is None else (account, _network_of(address))
        for key in self._keys(username, address):
            if key[0] == "account":
                self._failures.pop(key, None)
            elif (entry := self._failures.get(key)) and entry[0]:
                self._failures[key] = (entry[0] - 1, entry[1])
        if home is None or account.startswith(NOBODY):
            for known in [one for one in self._at_home if one[0] == account]:
                self._failures.pop(("account", _apart(known)), None)
            return
        self._at_home.pop(home, None)
        self._at_home[home] = None
        while len(self._at_home) > ENTRIES_MAX:
            del self._at_home[next(iter(self._at_home))]

    def take_back(self, username: str, address: str | None) -> None:
        """Take back what an attempt counted that came to nothing for another's fault."""
        for key in self._keys(username, address):
            count, since = self._failures.get(key, (0, 0.0))
            if count:
                self._failures[key] = (count - 1, since)

    def _keys(self, username: str, address: str | None) -> list[tuple[str, str]]:
        account = username.lower()
        if address is None:
            return [("account", account)]
        home = (account, _network_of(address))
        return [("account", _apart(home) if home in self._at_home else account), ("address", home[1])]


def _apart(home: tuple[str, str]) -> str:
    return "\0at ".join(home)


def _network_of(address: str) -> str:
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
