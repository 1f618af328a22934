"""The tree of errors.

Each class states its meaning in its docstring, carries what it knows as attributes, and has a stable `code` and a `fix`.
Which status answers which error is decided at the edges alone (`protocol/routes.py`, `api/problems.py`).

    PilothouseError
    ├── Refused                     the caller must mend something
    │   ├── InvalidInput            a field is wrong
    │   ├── NotFound                it is not there, or not for you to see
    │   ├── Conflict                it collides with what exists
    │   ├── NotSignedIn             no session, or it ended
    │   ├── NotPermitted            signed in, but not allowed
    │   └── TooManyAttempts         wait before trying again
    ├── Unavailable                 our own trouble: try again later
    │   ├── StorageUnavailable      the database cannot be read or written now
    │   ├── StorageFull             the disk or the database is full or read-only
    │   └── StorageRefused          the database server does not let us in, or do what we need
    └── CannotStart                 the control plane cannot start as configured
"""


class PilothouseError(Exception):
    """Something went wrong that has a name."""

    code: str = "PILOTHOUSE"

    def __init__(self, message: str | None = None, *, fix: str = "", field: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.fix = fix
        self.field = field
        super().__init__(self.message)


class Refused(PilothouseError):
    """The request cannot be carried out as it stands."""

    code = "REFUSED"


class InvalidInput(Refused):
    """A value is not acceptable."""

    code = "INVALID_INPUT"


class NotFound(Refused):
    """There is no such thing, or you may not see it."""

    code = "NOT_FOUND"


class Conflict(Refused):
    """It collides with something that exists."""

    code = "CONFLICT"


class NotSignedIn(Refused):
    """You are not signed in, or your session has ended."""

    code = "NOT_SIGNED_IN"


class NotPermitted(Refused):
    """You are signed in, but this is not permitted to you."""

    code = "NOT_PERMITTED"


class TooManyAttempts(Refused):
    """Too many attempts."""

    code = "TOO_MANY_ATTEMPTS"

    def __init__(self, *, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(
            f"Too many attempts. Try again in {wait_s} s.", fix=f"Wait {wait_s} s before the next attempt."
        )


class Unavailable(PilothouseError):
    """The control plane cannot answer right now; the fault is its own."""

    code = "UNAVAILABLE"


class StorageUnavailable(Unavailable):
    """The database cannot be read or written right now."""

    code = "STORAGE_UNAVAILABLE"


class StorageFull(StorageUnavailable):
    """The database cannot take another write: the disk is full or the file is read-only."""

    code = "STORAGE_FULL"


class StorageRefused(StorageUnavailable):
    """The database server refuses what the control plane needs; waiting does not mend it."""

    code = "STORAGE_REFUSED"


class CannotStart(PilothouseError):
    """The control plane cannot start as it is configured."""

    code = "CANNOT_START"
