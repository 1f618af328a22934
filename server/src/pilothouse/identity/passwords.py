"""Passwords: argon2id, checked outside of the event loop, and the same time for a name that does not exist.

Source: RFC 9106 (second recommended option: 64 MiB, 3 passes, 4 lanes), as argon2-cffi's defaults have it; NIST SP 800-63B,
section 5.1.1.2 (length and a list of the commonest instead of rules of composition).
"""

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pilothouse.base.errors import InvalidInput, TooManyAttempts

PASSWORD_LENGTH_MIN: Final = 12
PASSWORD_LENGTH_MAX: Final = 256
"""Characters. What an earlier release took may be longer, up to what is looked at at all."""
LOOKED_AT_MAX: Final = 1_024
"""Characters of a password that is checked; a longer one is nobody's."""
AT_ONCE: Final = 1 if (os.cpu_count() or 1) < 8 else 2  # noqa: PLR2004 - a quarter of a machine's cores, with four lanes each
"""Hashes at the same time: each takes 64 MiB and up to four cores for a moment."""
WAITING_MAX: Final = 16
"""Hashes that wait for their turn: about a second's worth. Beyond it, who comes is sent away."""
_NICENESS: Final = 10
"""Above 0: when cores are scarce, whatever else this machine does comes first."""
_ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GENERATED_LENGTH = 20  # 58^20: 117 bits
_COMMONEST: Final = frozenset(
    # A text is read more easily than seventy lines of one word each.
    """
    123456789012 1234567890123 12345678901234 1234567890123456 123456123456 123123123123 121212121212 112233445566
    012345678910 098765432100 987654321098 098765432109 147258369147 123456789abc 123456789qwe 1q2w3e4r5t6y 1qaz2wsx3edc
    1qaz2wsx3edc4rfv qwertyuiop12 qwertyuiop123 qwertyuiop1234 qwerty123456 qwerty1234567 qwertyqwerty qwertyuiopasdf
    qwertyuiopasdfghjkl asdfghjkl123 asdfghjklzxcvbnm zxcvbnm12345 zaq12wsxcde3 q1w2e3r4t5y6 abcdefghijkl abcdefghijklm
    abcd12345678 abc123456789 abc123abc123 a1b2c3d4e5f6 password1234 password12345 password123456 password1234567
    password2023 password2024 password2025 password2026 password1234! passwordpassword password@123 password!123
    passw0rd1234 p@ssw0rd1234 p@ssword1234 p@ssw0rd123! adminadmin12 adminadminadmin admin1234567 admin12345678
    admin123456789 administrator administrator1 administrator123 rootrootroot rootpassword letmeinletmein letmein12345
    welcome12345 welcome123456 welcome2024! welcomewelcome changemechangeme changeme1234 changeme12345 defaultpassword
    iloveyou1234 iloveyouiloveyou sunshine1234 princess1234 football1234 baseball1234 superman1234 michael12345
    dragondragon monkeymonkey mynameis1234 trustno1trustno1 whatever1234 secretsecret secret123456 testtesttest
    test12345678 testpassword temporary123 integration1 integration123 pilothouse12 pilothouse123 pilothouse1234
    pilothousepilothouse
    """.split()  # noqa: SIM905
)
"""The commonest of those that are long enough, in lower case."""

T = TypeVar("T")


class PasswordRefused(InvalidInput):
    """The new password cannot be taken."""

    code = "PASSWORD_REFUSED"


class Passwords:
    """Makes and checks password hashes, few at a time and with a low priority: heartbeats come first."""

    def __init__(
        self, hasher: PasswordHasher | None = None, *, at_once: int = AT_ONCE, waiting_max: int = WAITING_MAX
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._worker = ThreadPoolExecutor(at_once, thread_name_prefix="pilothouse-argon2", initializer=_stand_back)
        self._under_way_max = at_once + waiting_max
        self._under_way = 0

    @cached_property
    def _decoy(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """Hash a password. Takes about 50 ms: not for the event loop."""
        return self._hasher.hash(password)

    async def make(self, password: str) -> str:
        """Hash a password, outside of the event loop.

        Raises: TooManyAttempts when too many wait already
        """
        return await self._in_turn(lambda: self._hasher.hash(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Check a password; without a hash (no such user) it takes as long and says no.

        Raises: TooManyAttempts when too many wait already
        """
        return await self._in_turn(lambda: self._matches(password_hash, password))

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with other costs than those of now."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Let the workers go."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._under_way >= self._under_way_max:
            raise TooManyAttempts(wait_s=2)
        self._under_way += 1
        # A thread goes on when who waits is cancelled: its place is free when it is done, not before.
        done = self._worker.submit(work)
        loop = asyncio.get_running_loop()
        done.add_done_callback(lambda _: _call_in(loop, self._one_less))
        return await asyncio.wrap_future(done)

    def _one_less(self) -> None:
        self._under_way -= 1

    def _matches(self, password_hash: str | None, password: str) -> bool:
        looked_at = password[:LOOKED_AT_MAX]
        try:
            right = self._hasher.verify(password_hash or self._decoy, looked_at.encode(errors="replace"))
        except (VerificationError, InvalidHashError):
            return False
        return right and password_hash is not None and looked_at == password


def generate_password() -> str:
    """Make a password that is shown once: letters and digits that are not mistaken for each other."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED_LENGTH))


def check_password(password: str, *, field: str, username: str | None = None) -> str:
    """Return a password that may be taken: long enough, not the user's name, none of the commonest.

    Raises: PasswordRefused
    """
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise PasswordRefused(
            f"A password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters, not {len(password)}.",
            field=field,
            fix="Use a long one, for example four or five unrelated words.",
        )
    if any("\ud800" <= character <= "\udfff" for character in password):
        raise PasswordRefused(
            "The password has a character that is none (half of a surrogate pair).",
            field=field,
            fix="Type it again; any character that a keyboard gives may be used.",
        )
    plain = password.casefold()
    if username is not None and plain.strip() == username.casefold():
        raise PasswordRefused(
            "The password is the user name.", field=field, fix="Use something that nobody knows who knows your name."
        )
    if plain.replace(" ", "") in _COMMONEST or len(set(plain)) == 1:
        raise PasswordRefused(
            "The password is one of the commonest, which are tried first.",
            field=field,
            fix="Use a long one of your own, for example four or five unrelated words.",
        )
    return password


def _stand_back() -> None:
    """Lower this thread's priority, and that of the lanes it starts; where the system cannot, all are alike."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody counts any more
        loop.call_soon_threadsafe(call)
