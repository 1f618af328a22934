"""How a database carries out statements: which of them read a large table from one end to the other.

Every one that was seen is asked for its plan with the values that it had. A table is large from a thousand rows on.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pilothouse.storage import tables
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.engine.interfaces import DBAPICursor

LARGE = 1_000


@dataclass(slots=True, frozen=True)
class Asked:
    """A statement, and the values that it was asked with."""

    page: str
    statement: str
    values: Any
    """Any: as the driver takes them."""


@dataclass(slots=True, frozen=True)
class Whole:
    """A table that a statement reads whole."""

    table: str
    rows: int
    """Rows that are left of it."""
    index: str = ""
    """The index that is read whole in the table's place."""


class Seen:
    """The statements that pages ask, each once."""

    def __init__(self, engine: Engine) -> None:
        self.page = ""
        self.all: dict[str, Asked] = {}
        self._engine = engine
        event.listen(engine, "before_cursor_execute", self._note)

    def enough(self) -> None:
        """Note no more."""
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, *told: Any) -> None:  # Any: SQLAlchemy's event
        statement, values = told[2], told[3]
        if self.page and statement.lstrip().upper().startswith(("SELECT", "WITH")):
            self.all.setdefault(statement, Asked(self.page, statement, values))


def prepare(connection: Connection) -> None:
    """Let the database count its rows, as it would do by itself within minutes."""
    for table in tables.metadata.sorted_tables:
        said = {"mysql": "ANALYZE TABLE", "mariadb": "ANALYZE TABLE"}.get(connection.dialect.name, "ANALYZE")
        connection.exec_driver_sql(f"{said} {table.name}").close()


def large_tables(connection: Connection) -> dict[str, int]:
    """Count the rows of the large tables."""
    counts = {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in tables.metadata.sorted_tables
    }
    return {name: count for name, count in counts.items() if count >= LARGE}


def read_whole(connection: Connection, asked: Asked, large: dict[str, int]) -> list[Whole]:
    """List the large tables that a statement reads whole."""
    kind = connection.dialect.name
    said = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN (ANALYZE, FORMAT JSON) "}
    raw = connection.connection.cursor()
    raw.execute(said.get(kind, "ANALYZE FORMAT=JSON ") + asked.statement, asked.values)
    found = list({"sqlite": _of_sqlite, "postgresql": _of_postgresql}.get(kind, _of_mariadb)(raw))
    raw.close()
    aliases = dict(re.findall(r"\b(\w+) AS (\w+)", asked.statement))
    names = {alias: name for name, alias in aliases.items()}
    return [
        Whole(names.get(one.table, one.table), one.rows, one.index)
        for one in found
        if names.get(one.table, one.table) in large
    ]


def _of_postgresql(raw: DBAPICursor) -> Iterator[Whole]:
    told = raw.fetchone()[0]
    plan = json.loads(told) if isinstance(told, str) else told
    for node in _nodes(plan[0]["Plan"], "Plans"):
        whole = node["Node Type"] == "Seq Scan"
        through = node["Node Type"].startswith("Index") and "Index Cond" not in node
        if (whole or through) and "Relation Name" in node and node["Actual Loops"]:
            yield Whole(node["Relation Name"], node["Actual Rows"], node.get("Index Name", ""))


def _of_mariadb(raw: DBAPICursor) -> Iterator[Whole]:
    for node in _nodes(json.loads(raw.fetchone()[0]), ""):
        if node.get("access_type") in ("ALL", "index") and isinstance(node.get("table_name"), str):
            yield Whole(node["table_name"], round(node.get("r_rows") or 0), node.get("key", ""))


def _of_sqlite(raw: DBAPICursor) -> Iterator[Whole]:
    for row in raw.fetchall():
        if found := re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", row[3]):
            yield Whole(found[1], 0, found[2] or "")


def _nodes(node: Any, below: str) -> Iterator[dict[str, Any]]:  # Any: a plan is JSON
    if isinstance(node, dict):
        yield node
        children: Sequence[Any] = node.get(below, ()) if below else list(node.values())
    else:
        children = node if isinstance(node, list) else ()
    for child in children:
        yield from _nodes(child, below)
