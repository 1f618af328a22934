"""What each process tells the others that it alone knows: a document of each sort, replaced whole, read when it changed."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from pilothouse.storage.replica_tables import replicas, tellings

_t = tellings.c
_RENEW = (
    update(tellings)
    .where(_t.replica == bindparam("of_replica"), _t.sort == bindparam("of_sort"))
    .values(version=_t.version + 1, document=bindparam("to_document"))
)

Name = tuple[str, str]
"""The replica that tells, and the sort of what it tells."""


def save(connection: Connection, replica: str, sort: str, document: bytes) -> None:
    """Store what a process tells in place of what it told before."""
    values = {"of_replica": replica, "of_sort": sort, "to_document": document}
    if connection.execute(_RENEW, values).rowcount == 0:
        connection.execute(insert(tellings).values(replica=replica, sort=sort, version=1, document=document))


def versions(connection: Connection) -> dict[Name, int]:
    """Tell what there is, and how often it changed."""
    found = connection.execute(select(_t.replica, _t.sort, _t.version))
    return {(row.replica, row.sort): row.version for row in found}


def read(connection: Connection, names: Sequence[Name]) -> dict[Name, bytes]:
    """Read documents; those that are gone are left out."""
    if not names:
        return {}
    asked = frozenset(names)
    wanted = select(_t.replica, _t.sort, _t.document).where(_t.replica.in_({replica for replica, _ in names}))
    return {
        (row.replica, row.sort): row.document for row in connection.execute(wanted) if (row.replica, row.sort) in asked
    }


def forget_unknown(connection: Connection) -> int:
    """Delete what processes told that are forgotten."""
    return connection.execute(delete(tellings).where(_t.replica.not_in(select(replicas.c.id)))).rowcount
