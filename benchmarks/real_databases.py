"""Real databases for benchmarks: the embedded one, and servers started as the tests start them, but with their writes synced.

What a server costs is the CPU of all its processes, as the system accounts it.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from pilothouse.base.place import Database, embedded
from pilothouse.storage import migrate
from pilothouse.storage.engine import open_writer

sys.path.insert(0, str(Path(__file__).parents[1] / "server" / "tests"))

from database_servers import PASSWORD, MariaDbServer, PostgreSqlServer, Server

__all__ = ["KINDS", "PASSWORD", "MariaDbServer", "PostgreSqlServer", "Running", "installed", "running"]
KINDS = ("sqlite", "postgresql", "mariadb")
_MEMORY_MB = 512


class _PostgreSql(PostgreSqlServer):
    """PostgreSQL as somebody would run it: synced, and with memory."""

    def command(self) -> list[str]:
        wanted = ("fsync=on", "full_page_writes=on", f"shared_buffers={_MEMORY_MB}MB", "max_wal_size=4GB")
        return super().command() + [word for setting in wanted for word in ("-c", setting)]


class _MariaDb(MariaDbServer):
    """MariaDB as somebody would run it: synced, and with memory."""

    def command(self) -> list[str]:
        return [
            *super().command(),
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-doublewrite=1",
            f"--innodb-buffer-pool-size={_MEMORY_MB}M",
            "--innodb-flush-method=fsync",
        ]


class Running:
    """A database that runs; each is empty but for the schema."""

    def __init__(self, kind: str, folder: Path, server: Server | None) -> None:
        self.kind = kind
        self._folder = folder
        self._server = server
        self._count = 0

    def fresh(self) -> Database:
        """Make another database with this release's schema and nothing else."""
        self._count += 1
        if self._server is not None:
            return self._server.fresh(name=f"bench{self._count}")
        database = embedded(self._folder / f"bench{self._count}.db")
        engine = open_writer(database)
        migrate.upgrade(engine)
        engine.dispose()
        return database

    def cpu_s(self) -> float:
        """Tell the CPU time that the server's processes used so far; an embedded one's is that of whoever uses it."""
        if self._server is None or self._server.process is None:
            return 0.0
        first = psutil.Process(self._server.process.pid)
        spent = sum(first.cpu_times()[:4])  # user, system, and those of its children that have ended
        for child in first.children(recursive=True):
            try:
                spent += sum(child.cpu_times()[:4])
            except psutil.NoSuchProcess:  # it ends now: its share is in its parent's at the next look
                continue
        return spent


@contextmanager
def running(kind: str) -> Iterator[Running]:
    """Run a database of a kind; it ends with the block, and all its data with it."""
    with tempfile.TemporaryDirectory() as folder:
        server = {"postgresql": _PostgreSql, "mariadb": _MariaDb}[kind]() if kind != "sqlite" else None
        try:
            yield Running(kind, Path(folder), server)
        finally:
            if server is not None:
                server.close()


def installed(wanted: Sequence[str] = KINDS) -> list[str]:
    """List those of these kinds that this machine has; the others are told of."""
    classes = {"postgresql": PostgreSqlServer, "mariadb": MariaDbServer}
    here: list[str] = []
    for kind in wanted:
        missing = classes[kind].missing() if kind in classes else None
        if missing is None:
            here.append(kind)
        else:
            print(f"({missing} is not on this machine: apt-get install {classes[kind].package})")
    return here
