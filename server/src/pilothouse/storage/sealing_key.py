"""Under which key the database's secrets are sealed, so that a control plane with another key does not even start.

The database has the key's number alone (`sealing.key_number`), which every sealed value bears, too; it tells nothing of the key.
"""

from typing import Final

from sqlalchemy import Connection, insert, select, update

from pilothouse.base.errors import CannotStart
from pilothouse.storage.counter_tables import counters
from pilothouse.storage.sealing import KEY_BYTES, key_number

_KEY: Final = "key"
"""The row of the number."""
LOST_KEY: Final = "If that one is lost for good, `pilothouse secrets rotate-key --old-is-lost` begins with a new one."


class WrongKey(CannotStart):
    """The key file belongs to another database."""

    code = "WRONG_KEY"


class KeyMissing(CannotStart):
    """The database's secrets are sealed under a key that is not here."""

    code = "KEY_MISSING"


def find(connection: Connection) -> int | None:
    """Read the number of the key that seals; None before the first start."""
    return connection.execute(select(counters.c.number).where(counters.c.name == _KEY)).scalar_one_or_none()


def check(number: int, keys: bytes) -> None:
    """Check that the key is among those of a key file, which has two while the key is being changed.

    Raises: WrongKey
    """
    if number not in _numbers_of(keys):
        raise WrongKey(
            "The secrets in the database are sealed under another key than the one in the key file.",
            fix="Put back the key file that belongs to this database: every control plane on it needs the same one. "
            + LOST_KEY,
        )


def claim(connection: Connection, keys: bytes) -> None:
    """Note the key at the first start; later, check it. Within a transaction that writes.

    Raises: WrongKey
    """
    number = find(connection)
    if number is None:
        connection.execute(insert(counters).values(name=_KEY, number=_numbers_of(keys)[0]))
    else:
        check(number, keys)


def replace(connection: Connection, keys: bytes) -> None:
    """Note that the first of these keys seals from now on."""
    number = _numbers_of(keys)[0]
    if connection.execute(update(counters).where(counters.c.name == _KEY).values(number=number)).rowcount == 0:
        connection.execute(insert(counters).values(name=_KEY, number=number))


def _numbers_of(keys: bytes) -> list[int]:
    return [int(key_number(keys[start : start + KEY_BYTES]), 16) for start in range(0, len(keys), KEY_BYTES)]
