"""Passwords: argon2id, checked outside of the event loop, and the same time for a name that does not exist.

Source: RFC 9106 (second recommended option: 64 MiB, 3 passes, 4 lanes), as argon2-cffi's defaults have it.
"""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pilothouse.base.errors import InvalidInput

PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 1024
_ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GENERATED_LENGTH = 20  # 58^20: 117 bits


class Passwords:
    """Makes and checks password hashes, one at a time: 64 MiB and a core each must not crowd out heartbeats."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="pilothouse-argon2")

    @cached_property
    def _decoy(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """Hash a password. Takes about 50 ms: not for the event loop."""
        return self._hasher.hash(password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Check a password; without a hash (no such user) it takes as long and says no."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._matches, password_hash, password)

    def close(self) -> None:
        """Let the worker go."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password_hash: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._decoy, password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False


def generate_password() -> str:
    """Make a password that is shown once: letters and digits that are not mistaken for each other."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED_LENGTH))


def check_password(password: str, *, field: str) -> str:
    """Return a password that is long enough.

    Raises: InvalidInput
    """
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise InvalidInput(
            f"A password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters, not {len(password)}.",
            field=field,
            fix="Use a long one, for example four or five unrelated words.",
        )
    return password
