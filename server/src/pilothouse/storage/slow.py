"""Statements that take long: counted, timed, and written to the log by their text, never by their values."""

import time
from typing import Any, Final, final

import structlog
from sqlalchemy import Connection, Engine, event

from pilothouse.observe.traffic import Durations

THRESHOLD_MS: Final = 200
"""Unit: milliseconds. From here on a statement is slow, unless somebody set something else."""
TEXT_MAX: Final = 2_000
"""Characters of a statement that are written."""
_BEGAN: Final = "pilothouse.began_s"
_COMMITTING: Final = "pilothouse.committing_s"
_log = structlog.get_logger(__name__)


@final
class Statements:
    """What statements cost on the engines that it watches. Threads add to it; they read nothing."""

    def __init__(self, threshold_ms: int = THRESHOLD_MS) -> None:
        self._slow_s = threshold_ms / 1000
        """0: none is slow."""
        self.slow: dict[str, int] = {}
        """Slow statements, by `read` and `write`."""
        self.durations: dict[tuple[str, ...], Durations] = {}
        """Of all statements, by `read` and `write`, and of commits."""

    @classmethod
    def of(cls, threshold_ms: int, reader: Engine, writer: Engine) -> "Statements":
        """Watch the engines of one process."""
        statements = cls(threshold_ms)
        statements.watch(reader, "read")
        statements.watch(writer, "write")
        return statements

    def watch(self, engine: Engine, access: str) -> None:
        """Watch what an engine executes. access: `read` or `write`.

        A question's time ends with its first row: what is read after it is the reader's time.
        """
        self.slow.setdefault(access, 0)
        statements = self.durations[access,] = Durations()

        # Any, here and below: what SQLAlchemy passes on of the driver's.
        @event.listens_for(engine, "before_cursor_execute")
        def begins(connection: Connection, *_: Any) -> None:
            connection.info[_BEGAN] = time.perf_counter()

        @event.listens_for(engine, "after_cursor_execute")
        def ended(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
            took_s = time.perf_counter() - connection.info[_BEGAN]
            statements.add(took_s)
            if 0 < self._slow_s <= took_s:
                self._tell(access, statement, took_s, cursor.rowcount)

        if access == "write":
            self._watch_commits(engine)

    def _watch_commits(self, engine: Engine) -> None:
        commits = self.durations["commit",] = Durations()

        @event.listens_for(engine, "commit")
        def commits_now(connection: Connection) -> None:
            connection.info[_COMMITTING] = time.perf_counter()

        @event.listens_for(engine, "rollback")
        def takes_back(connection: Connection) -> None:
            connection.info.pop(_COMMITTING, None)

        @event.listens_for(engine, "checkin")
        def is_through(_connection: Any, record: Any) -> None:
            began_s = record.info.pop(_COMMITTING, None)
            if began_s is None:
                return
            took_s = time.perf_counter() - began_s
            commits.add(took_s)
            if 0 < self._slow_s <= took_s:
                self._tell("write", "COMMIT", took_s, -1)

    def _tell(self, access: str, statement: str, took_s: float, rows: int) -> None:
        self.slow[access] += 1
        known = {"rows": rows} if rows >= 0 else {}
        text = " ".join(statement.split())[:TEXT_MAX]
        _log.warning("database.slow_statement", access=access, ms=round(took_s * 1000), statement=text, **known)
