"""Real database servers for tests: started from the system's packages on a free port of loopback, ended with the tests.

Their data lies in a temporary folder and is not synced to the disk: that makes them quick, and a test of durability kills the
server's process, not the machine: what was handed to the system survives that.
"""

import os
import pwd
import shutil
import signal
import sys
from pathlib import Path

import pytest
from mysql_server import MySqlServer
from pilothouse.storage.engine import open_writer
from server_process import ESCAPED, PASSWORD, Server, ServerOfTables, ends_with_us, free_port
from sqlalchemy import Engine

__all__ = [
    "ESCAPED",
    "ONE_OF_SERVED",
    "PASSWORD",
    "SERVED",
    "SERVERS",
    "MariaDbServer",
    "MySqlServer",
    "PostgreSqlServer",
    "Server",
    "end_all",
    "ends_with_us",
    "free_port",
    "running",
]


class PostgreSqlServer(Server):
    """PostgreSQL."""

    kind = "postgresql"
    package = "postgresql"

    @classmethod
    def binaries(cls) -> Path | None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        onpath = shutil.which("postgres")
        return found[-1].parent if found else Path(onpath).parent if onpath else None

    @classmethod
    def missing(cls) -> str | None:
        return None if cls.binaries() else "PostgreSQL's server"

    @property
    def user(self) -> str | None:
        """It refuses to run as root."""
        return "postgres" if os.geteuid() == 0 else None

    @property
    def last_word(self) -> int:
        """Its first process has to take the others with it."""
        return signal.SIGINT

    def prepare(self) -> None:
        words = self.folder / "password"
        words.write_text(PASSWORD)
        if self.user:
            for path in (self.folder, words):
                shutil.chown(path, self.user, self.user)
        user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        made = ["--username=pilot", f"--pwfile={words}", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8"]
        command = [f"{self.binaries()}/initdb", "-D", f"{self.folder}/data", *made, "--locale=C.UTF-8"]
        self._made(command, cwd=self.folder, **user)

    def command(self) -> list[str]:
        wanted = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
            "max_connections": 60,
        }
        options = [word for name, value in wanted.items() for word in ("-c", f"{name}={value}")]
        return [f"{self.binaries()}/postgres", "-D", f"{self.folder}/data", *options]

    def begin(self) -> None:
        self.run("SELECT 1")

    def administrator(self) -> Engine:
        return open_writer(self.database("postgres"))

    def run(self, *statements: str) -> None:
        engine = self.administrator()
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for statement in statements:
                    connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    def empty(self, name: str) -> None:
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')

    def copy(self, template: str, name: str) -> None:
        self.run(
            f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy',
        )


class MariaDbServer(ServerOfTables):
    """MariaDB."""

    kind = "mariadb"
    package = "mariadb-server"

    @classmethod
    def missing(cls) -> str | None:
        both = shutil.which("mariadbd") or Path("/usr/sbin/mariadbd").exists()
        return None if both and shutil.which("mariadb-install-db") else "MariaDB's server"

    def prepare(self) -> None:
        me = pwd.getpwuid(os.geteuid()).pw_name
        self._made(
            [
                shutil.which("mariadb-install-db") or "",
                "--no-defaults",
                f"--datadir={self.folder}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--user={me}",
            ]
        )
        self.write_first_words()

    def command(self) -> list[str]:
        me = pwd.getpwuid(os.geteuid()).pw_name
        return [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd",
            "--no-defaults",
            f"--datadir={self.folder}/data",
            f"--user={me}",
            f"--port={self.port}",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            f"--init-file={self.folder}/init.sql",
            f"--tmpdir={self.own_tmp()}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=0",
            "--innodb-buffer-pool-size=48M",
            "--skip-log-bin",
            "--innodb-flush-method=nosync",
            "--sync-frm=OFF",
        ]


SERVERS: dict[str, type[Server]] = {server.kind: server for server in (PostgreSqlServer, MariaDbServer, MySqlServer)}
SERVED = [
    *(pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in ("postgresql", "mariadb")),
    pytest.param("mysql", marks=[pytest.mark.xdist_group("mysql"), pytest.mark.slow]),
]
"""For tests that are run on each: each starts once for all tests of a run that keep together.

Whole rooms of tests (`replicas`, `workers`) bear a second group and so a server of their own, lest one worker have all of them.
"""
ONE_OF_SERVED = [
    SERVED[0],
    *(pytest.param(kind, marks=[pytest.mark.xdist_group(kind), pytest.mark.slow]) for kind in ("mariadb", "mysql")),
]
"""For what hardly depends on the kind and takes processes of ours: `make test` is content with one server."""
_running: dict[str, Server] = {}


def running(kind: str) -> Server:
    """Start a server, or give the one that runs already; it ends with the tests. Skips by name where it is not installed.

    One that has ended meanwhile, whatever ended it, is started again with its data. One that cannot be started at first is tried
    once more from an empty folder: what all tests of a run begin with is asked for once, and its failure is theirs.
    """
    if kind not in _running:
        made = SERVERS[kind]
        if (missing := made.missing()) is not None:
            reason = f"{missing} is not installed: apt-get install {made.package}"
            if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        try:
            _running[kind] = made()
        except pytest.fail.Exception as told:
            sys.stderr.write(f"{told}\nIt is tried once more.\n")
            _running[kind] = made()
    server = _running[kind]
    if not server.is_up:
        server.start()
    return server


def end_all() -> None:
    """End every server that was started."""
    while _running:
        _running.popitem()[1].close()
