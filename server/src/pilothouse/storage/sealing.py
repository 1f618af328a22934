"""Sealing secrets at rest: AES-256-GCM under a key that lives outside of the database.

A sealed value is `version (1 byte) · key number (4 bytes) · nonce (12 bytes) · ciphertext and tag`. The secret's key id is
associated data, so that a row's material cannot be put into another row. Source: NIST SP 800-38D; ADR 0005.
"""

import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pilothouse.base.errors import CannotStart, PilothouseError

_VERSION = 1
_NONCE_BYTES = 12
_KEY_BYTES = 32
_HEADER_BYTES = 5


class CannotUnseal(PilothouseError):
    """A sealed secret cannot be opened with the key at hand."""

    code = "CANNOT_UNSEAL"


class Vault:
    """Seals and opens secrets with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        # Names the key without telling anything of it, so that a wrong key file is recognised for what it is.
        self._number = AESGCM(key).encrypt(bytes(_NONCE_BYTES), b"", b"pilothouse key number")[:4]

    def seal(self, material: str, *, key_id: str) -> bytes:
        """Encrypt a secret's material."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return (
            bytes([_VERSION]) + self._number + nonce + self._cipher.encrypt(nonce, material.encode(), key_id.encode())
        )

    def open(self, sealed: bytes, *, key_id: str) -> str:
        """Decrypt a secret's material.

        Raises: CannotUnseal
        """
        number, nonce = sealed[1:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        if sealed[:1] != bytes([_VERSION]) or number != self._number:
            raise CannotUnseal(
                f"The secret {key_id} was sealed under another key than the one in the key file.",
                fix="Put back the key file that belongs to this database, or generate new secrets.",
            )
        try:
            return self._cipher.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], key_id.encode()).decode()
        except InvalidTag:
            raise CannotUnseal(
                f"The stored secret {key_id} was altered.", fix="Revoke it and generate a new one."
            ) from None


def load_or_create_key(path: Path) -> bytes:
    """Read the key file, or make it at the first start.

    Raises: CannotStart when it cannot be read or made, or when others may read it
    """
    try:
        return _create(path)
    except FileExistsError:
        pass
    except OSError as error:
        raise CannotStart(
            f"The key file {path} cannot be made: {error.strerror}.", fix="Make its directory writable for this user."
        ) from error
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        key = path.read_bytes()
    except OSError as error:
        raise CannotStart(
            f"The key file {path} cannot be read: {error.strerror}.", fix="Make it readable for this user."
        ) from error
    if mode & 0o077:
        raise CannotStart(f"Others may read the key file {path} (mode {mode:o}).", fix=f"Run: chmod 600 {path}")
    if len(key) != _KEY_BYTES:
        raise CannotStart(
            f"The key file {path} has {len(key)} bytes where {_KEY_BYTES} belong.", fix="Restore it from your backup."
        )
    return key


def _create(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        raise FileExistsError
    key = secrets.token_bytes(_KEY_BYTES)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # fails where the file exists by now: two first starts at once keep one key
    finally:
        temporary.unlink()
    return key
