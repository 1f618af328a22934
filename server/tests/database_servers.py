"""Real database servers for tests: started from the system's packages on a free port of loopback, ended with the tests.

Their data lies in a temporary folder and is not synced to the disk: that makes them quick, and a test of durability kills the
server's process, not the machine: what was handed to the system survives that.
"""

import contextlib
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

import pytest
from pilothouse.base.place import Database
from pilothouse.storage import migrate
from pilothouse.storage.engine import open_writer
from sqlalchemy import Engine

READY_S = 90.0
PASSWORD = "p:l@t"
"""With signs that a URL must escape."""
ESCAPED = "p%3Al%40t"
MIGRATED = "migrated"


class Server(ABC):
    """A database server of its own."""

    kind: str
    package: str
    """What Debian calls it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"pilothouse-{self.kind}-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self.prepare()
        self.start()

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Tell what is missing on this machine; None when nothing is."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """Make the command that runs the server in the foreground."""

    @abstractmethod
    def begin(self) -> None:
        """Make the user that tests connect as, once."""

    @abstractmethod
    def administrator(self) -> Engine:
        """Connect as who may make databases."""

    @abstractmethod
    def empty(self, name: str) -> None:
        """Make a database with nothing in it, in the place of one of that name."""

    @abstractmethod
    def copy(self, template: str, name: str) -> None:
        """Make a database like another, in the place of one of that name."""

    @property
    def user(self) -> str | None:
        return None

    def url(self, name: str) -> str:
        return f"{self.kind}://pilot:{ESCAPED}@127.0.0.1:{self.port}/{name}"

    def database(self, name: str) -> Database:
        return Database(url=self.url(name))

    def blank(self) -> Database:
        """Make a database with nothing in it."""
        self._count += 1
        name = f"blank{self._count}"
        self.empty(name)
        return self.database(name)

    @functools.cached_property
    def migrated(self) -> str:
        """Name a database with the schema and nothing else: not to be written to, but copied."""
        self.empty(MIGRATED)
        engine = open_writer(self.database(MIGRATED))
        migrate.upgrade(engine)
        engine.dispose()
        return MIGRATED

    def fresh(self, template: str | None = None, name: str = "fresh") -> Database:
        """Make a copy of a database, by default of one with the schema alone. The last copy of that name is gone."""
        self.copy(template or self.migrated, name)
        return self.database(name)

    def start(self) -> None:
        """Start, and wait until it answers."""
        user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own
                self._ends_with_us() + self.command(), stdout=log, stderr=log, cwd=self.folder, **user
            )
        ends_at = time.monotonic() + READY_S
        while time.monotonic() < ends_at:
            if self.process.poll() is not None:
                pytest.fail(f"{self.kind} ended: {(self.folder / 'log').read_text()[-600:]}")
            try:
                self.begin()
            except Exception:  # noqa: BLE001 - whatever the driver says while the server is not there yet
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"{self.kind} did not start in time")

    def _ends_with_us(self) -> list[str]:
        """Whoever kills the tests kills their servers."""
        found = shutil.which("setpriv")
        return [found, "--pdeathsig", "INT" if self.kind == "postgresql" else "KILL", "--"] if found else []

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the server's process, and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)
            self.process = None

    def kill(self) -> None:
        """End the server as a crash of its machine's system would: every process of it at once, none with a last word."""
        if self.process is not None:
            for each in [*_children(self.process.pid), self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            self.process.wait(timeout=60)
            self.process = None

    @property
    def is_up(self) -> bool:
        """Tell whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def close(self) -> None:
        """End everything."""
        self.stop(signal.SIGINT if self.kind == "postgresql" else signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


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

    def prepare(self) -> None:
        words = self.folder / "password"
        words.write_text(PASSWORD)
        if self.user:
            for path in (self.folder, words):
                shutil.chown(path, self.user, self.user)
        user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        made = ["--username=pilot", f"--pwfile={words}", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8"]
        subprocess.run(  # noqa: S603 - our own
            [f"{self.binaries()}/initdb", "-D", f"{self.folder}/data", *made, "--locale=C.UTF-8"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **user,
        )

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


class MariaDbServer(Server):
    """MariaDB."""

    kind = "mariadb"
    package = "mariadb-server"

    @classmethod
    def missing(cls) -> str | None:
        both = shutil.which("mariadbd") or Path("/usr/sbin/mariadbd").exists()
        return None if both and shutil.which("mariadb-install-db") else "MariaDB's server"

    def prepare(self) -> None:
        me = pwd.getpwuid(os.geteuid()).pw_name
        subprocess.run(  # noqa: S603 - our own
            [
                shutil.which("mariadb-install-db") or "",
                "--no-defaults",
                f"--datadir={self.folder}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--user={me}",
            ],
            check=True,
            capture_output=True,
        )
        (self.folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS pilot@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO pilot@'127.0.0.1';\n"
        )

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
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=0",
            "--innodb-buffer-pool-size=48M",
            "--skip-log-bin",
            "--innodb-flush-method=nosync",
            "--sync-frm=OFF",
        ]

    def begin(self) -> None:
        self.run("SELECT 1")

    def administrator(self) -> Engine:
        return open_writer(self.database("information_schema"))

    def run(self, *statements: str) -> None:
        engine = self.administrator()
        try:
            with engine.connect() as connection:
                for statement in statements:
                    connection.exec_driver_sql(statement.replace("%", "%%"))
                connection.commit()
        finally:
            engine.dispose()

    def empty(self, name: str) -> None:
        # Another character set than ours: the schema must say itself what it needs.
        self.run(f"DROP DATABASE IF EXISTS `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET latin1")

    def copy(self, template: str, name: str) -> None:
        """Copy row by row within the server."""
        engine = self.administrator()
        with engine.connect() as connection:
            asked = "SELECT table_name FROM tables WHERE table_schema = %s ORDER BY table_name"
            tables = connection.exec_driver_sql(asked, (template,)).scalars().all()
            do = connection.exec_driver_sql
            self.empty(name)
            do("SET foreign_key_checks = 0")
            do(f"USE `{name}`")
            for table in tables:
                do(do(f"SHOW CREATE TABLE `{template}`.`{table}`").one()[1].replace("%", "%%"))
                do(f"INSERT INTO `{table}` SELECT * FROM `{template}`.`{table}`")
            connection.commit()
        engine.dispose()


SERVERS: dict[str, type[Server]] = {server.kind: server for server in (PostgreSqlServer, MariaDbServer)}
_running: dict[str, Server] = {}


def running(kind: str) -> Server:
    """Start a server, or give the one that runs already; it ends with the tests. Skips by name where it is not installed."""
    if kind not in _running:
        made = SERVERS[kind]
        if (missing := made.missing()) is not None:
            reason = f"{missing} is not installed: apt-get install {made.package}"
            if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        _running[kind] = made()
    return _running[kind]


def end_all() -> None:
    """End every server that was started."""
    while _running:
        _running.popitem()[1].close()


def _children(process_id: int) -> list[int]:
    """Find the processes that a process started itself."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            told = stat.read_text()
            if int(told.rpartition(")")[2].split()[1]) == process_id:
                found.append(int(stat.parent.name))
    return found


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
