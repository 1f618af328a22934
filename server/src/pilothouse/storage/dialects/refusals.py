"""Why a database server does not let us in, or do what we ask: what its administrator mends, said with the way to mend it."""

from enum import Enum, unique
from typing import Final

from pilothouse.base.errors import StorageRefused, StorageUnavailable


@unique
class Refusal(Enum):
    """What stands between a control plane and its database."""

    SIGN_IN = "sign-in"
    """The user is not known, the password is wrong, or nobody may connect from this machine."""
    NO_DATABASE = "no-database"
    """The server has no database of that name, or hides it from this user."""
    NO_RIGHT = "no-right"
    """The user may connect, and may not do what is needed."""
    TLS = "tls"
    """TLS is not as the URL asks for it."""
    CONNECTIONS = "connections"
    """The server has as many connections as it takes."""
    UNREACHABLE = "unreachable"
    """Nobody answers at the host and port."""


_SAID: Final = {
    Refusal.SIGN_IN: (
        "The database server refuses the sign-in",
        "Look at user and password in PILOTHOUSE_DATABASE_URL, where @ is %40, / is %2F and : is %3A, and at who may connect from here.",
    ),
    Refusal.NO_DATABASE: (
        "The database server has no such database",
        "Make the database and let the user own it, or name another one at the end of PILOTHOUSE_DATABASE_URL.",
    ),
    Refusal.NO_RIGHT: (
        "The database user may not do this",
        "Let the user in PILOTHOUSE_DATABASE_URL own the database, or grant it every right there: it makes and changes tables.",
    ),
    Refusal.TLS: (
        "The database cannot be reached by TLS as it was asked for",
        "Look at sslmode and sslrootcert in PILOTHOUSE_DATABASE_URL, and at the server's certificate: its name, its authority, its end.",
    ),
    Refusal.CONNECTIONS: (
        "The database server takes no more connections",
        "Raise its limit, or lower PILOTHOUSE_DATABASE_POOL: each process holds that many and one more.",
    ),
    Refusal.UNREACHABLE: (
        "The database server cannot be reached",
        "Look whether it runs, at host and port in PILOTHOUSE_DATABASE_URL, and at what lies between: names, firewalls.",
    ),
}
_PASSES: Final = {Refusal.CONNECTIONS, Refusal.UNREACHABLE}
"""What waiting may mend."""


def say(refusal: Refusal, told: str) -> StorageUnavailable:
    """Say it in our words and in the driver's."""
    message, fix = _SAID[refusal]
    kind = StorageUnavailable if refusal in _PASSES else StorageRefused
    return kind(f"{message}: {told}.", fix=fix)
