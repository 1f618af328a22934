"""Handles: the names that stand in URLs and in Config.toml.

Source: reference/runtime-protocol.md section 3.1.
"""

import re

from pilothouse.base.errors import InvalidInput

HANDLE_LENGTH_MAX = 64
_HANDLE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]+")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def handle_from_name(name: str) -> str | None:
    """Derive a handle from a name as runtimes and forms give it; None when nothing of it is left.

    ASCII letters are lowered, every run of anything else becomes one dash, outer dashes go. `Größe` gives `gr-e`.
    """
    handle = _NOT_ALPHANUMERIC.sub("-", name.translate(_ASCII_LOWER)).strip("-")[:HANDLE_LENGTH_MAX].rstrip("-")
    return handle or None


def check_handle(handle: str, *, field: str = "handle") -> str:
    """Return the handle if it is one.

    Raises: InvalidInput
    """
    if len(handle) > HANDLE_LENGTH_MAX or not _HANDLE.fullmatch(handle):
        close = handle_from_name(handle)
        raise InvalidInput(
            f"'{handle[:80]}' is not a handle.",
            field=field,
            fix="Use lower-case letters, digits and single dashes, 1 to 64 characters"
            + (f", for example '{close}'." if close else "."),
        )
    return handle
