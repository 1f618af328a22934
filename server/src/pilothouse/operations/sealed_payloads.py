"""Payloads of commands that hold a secret: sealed while they are stored, opened only to leave."""

from base64 import b64decode, b64encode
from typing import Final

from pilothouse.domain.commands import SEALED, Command
from pilothouse.storage import commands
from pilothouse.storage.sealing import CannotUnseal, Vault
from pilothouse.storage.unit import Connection, Transaction

_MARK: Final = "sealed:"


def seal(vault: Vault, command_id: str, payload: str) -> str:
    """Seal a payload, for one command alone."""
    return _MARK + b64encode(vault.seal(payload, key_id=_key(command_id))).decode("ascii")


def reveal(vault: Vault, command: Command) -> str | None:
    """Open the payload of a command; None where it is not a sealed one, or was wiped.

    Raises: CannotUnseal
    """
    if command.action not in SEALED or command.payload is None:
        return None
    return vault.open(_sealed(command.id, command.payload), key_id=_key(command.id))


def check(connection: Connection, vault: Vault) -> int:
    """Open every sealed payload and forget it again; returns how many there are.

    Raises: CannotUnseal
    """
    found = commands.list_sealed(connection)
    for command_id, payload in found:
        vault.open(_sealed(command_id, payload), key_id=_key(command_id))
    return len(found)


def reseal(tx: Transaction, vault: Vault) -> int:
    """Seal with the key that seals now what was sealed with another one; returns how many.

    Raises: CannotUnseal
    """
    found = [(each, _sealed(each, payload)) for each, payload in commands.list_sealed(tx.connection)]
    old = [(each, sealed) for each, sealed in found if not vault.is_current(sealed)]
    for command_id, sealed in old:
        opened = vault.open(sealed, key_id=_key(command_id))
        commands.reseal(tx.connection, command_id, seal(vault, command_id, opened))
    return len(old)


def _key(command_id: str) -> str:
    return f"command:{command_id}"


def _sealed(command_id: str, payload: str) -> bytes:
    if not payload.startswith(_MARK):
        raise CannotUnseal(f"The payload of the command {command_id} is not sealed.", fix="Ask for it anew.")
    try:
        return b64decode(payload.removeprefix(_MARK), validate=True)
    except ValueError:
        raise CannotUnseal(f"The payload of the command {command_id} was altered.", fix="Ask for it anew.") from None
