"""Sealing secrets at rest: AES-256-GCM under a key that lives outside of the database.

A sealed value is `version (1 byte) · key number (4 bytes) · nonce (12 bytes) · ciphertext and tag`. The secret's key id is
associated data, so that a row's material cannot be put into another row. Source: NIST SP 800-38D; ADR 0005.

The key file holds one key of 32 bytes. While the key is being changed it holds two, the new one first: then what is sealed
under either opens, and whoever is killed in between has lost nothing. The file changes as a whole or not at all.
"""

import glob
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pilothouse.base.errors import CannotStart, PilothouseError

_VERSION = 1
_NONCE_BYTES = 12
KEY_BYTES = 32
_HEADER_BYTES = 5
_DRAFT = ".new"


class CannotUnseal(PilothouseError):
    """A sealed secret cannot be opened with the key at hand."""

    code = "CANNOT_UNSEAL"


class CannotChangeKey(PilothouseError):
    """The key file cannot be changed."""

    code = "CANNOT_CHANGE_KEY"


class Vault:
    """Seals secrets with one key, and opens what was sealed with any of those in the key file."""

    def __init__(self, keys: bytes) -> None:
        """Take keys of 32 bytes each, one after another; the first one seals."""
        self._ciphers = {_number_of(key): AESGCM(key) for key in _split(keys)}
        self._number = _number_of(keys[:KEY_BYTES])
        self._cipher = self._ciphers[self._number]

    @property
    def number(self) -> str:
        """Names the key that seals, in hexadecimal."""
        return self._number.hex()

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
        cipher = self._ciphers.get(number)
        if sealed[:1] != bytes([_VERSION]) or cipher is None:
            raise CannotUnseal(
                f"The secret {key_id} was sealed under another key than the one in the key file.",
                fix="Put back the key file that belongs to this database, or generate new secrets.",
            )
        try:
            return cipher.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], key_id.encode()).decode()
        except InvalidTag:
            raise CannotUnseal(
                f"The stored secret {key_id} was altered.", fix="Revoke it and generate a new one."
            ) from None

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a value is sealed with the key that seals now."""
        return sealed[1:_HEADER_BYTES] == self._number


def load_or_create_key(path: Path) -> bytes:
    """Read the key file, or make it at the first start. Shape: 32 bytes; 64 while the key is being changed, the new one first.

    Raises: CannotStart when it cannot be read or made, or when others may read it
    """
    try:
        return _create(path)
    except FileExistsError:
        return load_key(path)
    except OSError as error:
        raise CannotStart(
            f"The key file {path} cannot be made: {error.strerror}.", fix="Make its directory writable for this user."
        ) from error


def load_key(path: Path) -> bytes:
    """Read the key file, making nothing. Shape: as `load_or_create_key`.

    Raises: CannotStart when it cannot be read, or when others may read it
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        keys = path.read_bytes()
    except OSError as error:
        raise CannotStart(
            f"The key file {path} cannot be read: {error.strerror}.", fix="Make it readable for this user."
        ) from error
    if mode & 0o077:
        raise CannotStart(f"Others may read the key file {path} (mode {mode:o}).", fix=f"Run: chmod 600 {path}")
    if len(keys) not in (KEY_BYTES, 2 * KEY_BYTES):
        raise CannotStart(
            f"The key file {path} has {len(keys)} bytes where {KEY_BYTES} belong.", fix="Restore it from your backup."
        )
    return keys


def begin_key_change(path: Path) -> bytes:
    """Put a new key in front of the one in the key file; one that was put there before, by a change that did not end, stays.

    Shape: 64 bytes, the new key first.
    Raises: CannotStart as `load_key`; CannotChangeKey
    """
    keys = load_key(path)
    if len(keys) > KEY_BYTES:
        return keys
    new = secrets.token_bytes(KEY_BYTES)
    while _number_of(new) == _number_of(keys):  # 32 bits: a collision is rare, not impossible
        new = secrets.token_bytes(KEY_BYTES)
    _replace(path, new + keys)
    return new + keys


def end_key_change(path: Path) -> None:
    """Drop every key but the first. Only when nothing is sealed under the others any more.

    Raises: CannotStart as `load_key`; CannotChangeKey
    """
    _replace(path, load_key(path)[:KEY_BYTES])


def key_number(keys: bytes) -> str:
    """Name the key that seals now, in hexadecimal, without telling anything of it."""
    return _number_of(keys[:KEY_BYTES]).hex()


def _split(keys: bytes) -> list[bytes]:
    return [keys[start : start + KEY_BYTES] for start in range(0, len(keys), KEY_BYTES)]


def _number_of(key: bytes) -> bytes:
    """Name a key without telling anything of it, so that a wrong key file is recognised for what it is."""
    return AESGCM(key).encrypt(bytes(_NONCE_BYTES), b"", b"pilothouse key number")[:4]


def _create(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        raise FileExistsError
    key = secrets.token_bytes(KEY_BYTES)
    temporary = _write_beside(path, key, like=None)
    try:
        os.link(temporary, path)  # fails where the file exists by now: two first starts at once keep one key
    finally:
        temporary.unlink()
    return key


def _replace(path: Path, keys: bytes) -> None:
    """Change the key file as a whole: whoever is stopped half-way leaves the old file or the new one, durable."""
    target = path.resolve()  # a link stays a link
    try:
        for left in target.parent.glob(f"{glob.escape(target.name)}.*{_DRAFT}"):
            left.unlink()  # of one who was killed before the rename: it holds a key
        temporary = _write_beside(target, keys, like=target.stat())
        temporary.replace(target)
        directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise CannotChangeKey(
            f"The key file {path} cannot be changed: {error.strerror}.",
            fix="Run this as the user that the control plane runs as; the key file's directory must be writable.",
        ) from error


def _write_beside(path: Path, content: bytes, *, like: os.stat_result | None) -> Path:
    """Write a file that only its owner reads, durable, next to where it shall be."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_DRAFT}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if like is not None and (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, like.st_uid, like.st_gid)  # root may run this for the control plane's user
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink()
        raise
    return temporary
