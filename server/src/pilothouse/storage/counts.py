"""Counts of rows, for the figures about ourselves."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, func, select

from pilothouse.storage.alert_tables import alert_notifications, alerts
from pilothouse.storage.tables import commands


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows are in which state."""

    commands: dict[str, int]
    alerts: dict[str, int]
    notices: dict[str, int]


def count_by_state(connection: Connection) -> Counts:
    """Count commands, alerts and notices by their states; what retention removed is not among them."""
    found = [
        {str(row.state): int(row.rows) for row in connection.execute(_rows_by_state(table))}
        for table in (commands, alerts, alert_notifications)
    ]
    return Counts(commands=found[0], alerts=found[1], notices=found[2])


def _rows_by_state(table: Table) -> Select[Any, int]:  # Any: the column is known by its name alone
    return select(table.c.state, func.count().label("rows")).group_by(table.c.state)
