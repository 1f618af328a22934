"""Where the database is: one URL, and how many connections and how much time it gets."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from pilothouse.base.errors import CannotStart

SCHEMES = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mariadb",
    "mssql": "mssql",
    "sqlserver": "mssql",
    "oracle": "oracle",
}
"""What a URL may begin with, and the kind of database that it means."""
POOL = 4
TIMEOUT_S = 30.0
PATIENCE_S = 3_600.0
"""Unit: seconds. The same for what takes long because there is much of it: a migration, a backup."""
_SHAPES = "postgresql://user:password@host:5432/database, mariadb://…, mysql://…, mssql://…, oracle://… or sqlite:////path/to/file"


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A database of one control plane."""

    url: str
    """With the password: never to be shown; `shown` is."""
    pool: int = POOL
    """Connections that read at the same time; one more writes."""
    timeout_s: float = TIMEOUT_S
    """Unit: seconds. So long a statement, a lock or the network is waited for."""

    @property
    def kind(self) -> str:
        """Name the kind of database.

        Raises: CannotStart
        """
        scheme = self.url.partition(":")[0].lower()
        if scheme not in SCHEMES or "://" not in self.url:
            raise CannotStart(
                "PILOTHOUSE_DATABASE_URL begins with no kind of database that is known.", fix=f"Write {_SHAPES}."
            )
        return SCHEMES[scheme]

    @property
    def is_embedded(self) -> bool:
        """Tell whether it is a file of ours: migrated at the start, written by one process."""
        return self.kind == "sqlite"

    @property
    def path(self) -> Path:
        """The file of an embedded one."""
        return Path(urlsplit(self.url).path.removeprefix("/"))

    @property
    def patient(self) -> "Database":
        """The same one, for what may take long."""
        return msgspec.structs.replace(self, timeout_s=max(self.timeout_s, PATIENCE_S))

    @property
    def shown(self) -> str:
        """The URL without its password and without its parameters, which may hold another."""
        scheme, _, rest = self.url.partition("://")
        names, at, place = rest.rpartition("@")  # a password that was not escaped may hold any sign
        return f"{scheme}://{names.partition(':')[0]}{at}{place.partition('?')[0]}"


def embedded(path: Path) -> Database:
    """Name the embedded database in a file."""
    return Database(url=f"sqlite:///{path.absolute()}")


def database_of(place: Database | Path) -> Database:
    """Take a path as the embedded database in it."""
    return embedded(place) if isinstance(place, Path) else place
