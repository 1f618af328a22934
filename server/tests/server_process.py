"""One database server of the tests' own: its process, its folder, its databases."""

import contextlib
import functools
import gc
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytest
from pilothouse.base.place import Database
from pilothouse.storage import migrate
from pilothouse.storage.engine import open_writer
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

READY_S = 150.0
"""On a machine with two cores and several servers that start at once, a start takes tens of seconds."""
STARTS_MAX = 3
LOWEST_PORT = 10_000
LOWEST_OUTGOING = 32_768
"""From here on ports are given to outgoing connections, where the system does not tell."""
TOLD_MAX = 2000
"""So much of a server's log is shown where it fails."""
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
        try:
            self.prepare()
            self._start_somewhere()
        except BaseException:
            self.close()
            raise

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
        """Start at its port, and wait until it answers."""
        if (trouble := self._try_to_start()) is not None:
            pytest.fail(f"{self.kind} at port {self.port} {trouble}\n{self.told}")

    def _start_somewhere(self) -> None:
        """Start; where somebody else took the port meanwhile, at another one."""
        for _ in range(STARTS_MAX - 1):
            if self._try_to_start() is None:
                return
            self.port = free_port()
        self.start()

    def _try_to_start(self) -> str | None:
        """Start, and wait until it answers; says what was in the way, with nothing left of it."""
        user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own
                ends_with_us(self.last_word) + self.command(), stdout=log, stderr=log, cwd=self.folder, **user
            )
        ends_at, refused = time.monotonic() + READY_S, "nothing"
        while time.monotonic() < ends_at:
            if (code := self.process.poll()) is not None:
                self.process = None
                return f"ended with {code} before it answered:"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                try:
                    self.begin()
                except Exception as error:  # noqa: BLE001 - whatever the driver says while the server is not there yet
                    refused = str(error)
                else:
                    return None
                gc.collect()  # pg8000 leaves sockets that were refused to the collector
            time.sleep(0.1)
        self.kill()
        return f"did not answer within {READY_S:g} s, but: {refused}"

    @property
    def told(self) -> str:
        """The end of its log."""
        log = self.folder / "log"
        return log.read_text(errors="replace")[-TOLD_MAX:] if log.exists() else "It wrote no log."

    def _made(self, words: list[str], **how: Any) -> None:  # Any: what subprocess takes
        """Run a command that makes the data folder; what it said is shown where it fails."""
        done = subprocess.run(  # noqa: S603 - our own
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **how
        )
        if done.returncode != 0:
            pytest.fail(f"{words[0]} ended with {done.returncode}:\n{done.stdout[-TOLD_MAX:]}")

    @property
    def last_word(self) -> int:
        """The signal that ends it at once, and leaves nothing of it."""
        return signal.SIGKILL

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
        self.stop(self.last_word)
        shutil.rmtree(self.folder, ignore_errors=True)


class ServerOfTables(Server):
    """MariaDB or MySQL: what they have in common."""

    def write_first_words(self) -> None:
        """Write what it is told at each start: the user that tests connect as."""
        (self.folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS pilot@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO pilot@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def own_tmp(self) -> Path:
        """Give the folder for its temporary tables: in the system's, which all share, another one's start clears what it finds."""
        place = self.folder / "tmp"
        place.mkdir(exist_ok=True)
        return place

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
        self._take_from_everybody(name)
        # Another character set than ours: the schema must say itself what it needs.
        self.run(f"DROP DATABASE IF EXISTS `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET latin1")

    def _take_from_everybody(self, name: str) -> None:
        """End the connections to a database, as PostgreSQL's FORCE does.

        A test that failed may have left one with a transaction open: it would keep the database from being made anew, and
        with that every test that follows from beginning.
        """
        engine = self.administrator()
        with engine.connect() as connection:
            asked = "SELECT id FROM processlist WHERE db = %s AND id <> connection_id()"
            for one in connection.exec_driver_sql(asked, (name,)).scalars().all():
                with contextlib.suppress(DBAPIError):  # it has ended by itself
                    connection.exec_driver_sql(f"KILL {int(one)}")
        engine.dispose()

    def copy(self, template: str, name: str) -> None:
        """Copy row by row within the server."""
        engine = self.administrator()
        with engine.connect() as connection:
            # What is computed is computed again: MySQL takes it from nobody.
            asked = (
                "SELECT table_name, group_concat('`', column_name, '`') FROM columns WHERE table_schema = %s "
                "AND coalesce(generation_expression, '') = '' GROUP BY table_name ORDER BY table_name"
            )
            tables = connection.exec_driver_sql(asked, (template,)).all()
            do = connection.exec_driver_sql
            self.empty(name)
            do("SET foreign_key_checks = 0")
            do(f"USE `{name}`")
            for table, columns in tables:
                do(do(f"SHOW CREATE TABLE `{template}`.`{table}`").one()[1].replace("%", "%%"))
                do(f"INSERT INTO `{table}` ({columns}) SELECT {columns} FROM `{template}`.`{table}`")
            connection.commit()
        engine.dispose()


def _children(process_id: int) -> list[int]:
    """Find the processes that a process started itself."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            told = stat.read_text()
            if int(told.rpartition(")")[2].split()[1]) == process_id:
                found.append(int(stat.parent.name))
    return found


def ends_with_us(number: int) -> list[str]:
    """What a command begins with whose process ends, by a signal, when whoever started it is killed."""
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", signal.Signals(number).name[3:], "--"] if found else []


def free_port() -> int:
    """Find a port that nobody has, and that the system gives to no outgoing connection.

    A port of that range may be taken as somebody's own end of a connection while a server of ours is down and starts again.
    The choice is the system's: the seed of tests is the same in all processes of a run.
    """
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    below = int(told.read_text().split()[0]) if told.exists() else LOWEST_OUTGOING
    while True:
        port = LOWEST_PORT + secrets.randbelow(below - LOWEST_PORT)
        with socket.socket() as listening, contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port
