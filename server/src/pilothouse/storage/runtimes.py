"""Runtimes and their artifact sets, as they age: who is succeeded, retired, removed. What heartbeats store is in `reported`."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, select, update

from pilothouse.base.instants import Instant
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage import presence
from pilothouse.storage.tables import artifact_sets, runtimes

_KEYS_AT_ONCE = 500
"""Keys in one question: databases limit how many values a statement may bring."""

_SUM_UP = (
    update(artifact_sets)
    .where(artifact_sets.c.digest == bindparam("of_digest"))
    .values(likeness=bindparam("to_likeness"), failed_count=bindparam("to_failed"))
)
_other = runtimes.alias("other")
_NAMESAKES = (
    select(runtimes.c.key, _other.c.key)
    .join(
        _other,
        (_other.c.integration_id == runtimes.c.integration_id)
        & (_other.c.environment_id == runtimes.c.environment_id)
        & (_other.c.name == runtimes.c.name)
        & (_other.c.key != runtimes.c.key),
    )
    .where(
        runtimes.c.key.in_(bindparam("of_keys", expanding=True)),
        runtimes.c.retired_at.is_(None),
        _other.c.retired_at.is_(None),
    )
)


def list_unsummed_artifacts(connection: Connection, limit: int) -> list[tuple[str, bytes, RuntimeType]]:
    """List artifact sets in use of which nobody has computed yet what replicas should share: digest, document, by what type."""
    c = artifact_sets.c
    used = (
        select(runtimes.c.artifact_digest, func.min(runtimes.c.runtime_type).label("runtime_type"))
        .join(artifact_sets, c.digest == runtimes.c.artifact_digest)
        .where(c.likeness.is_(None))
        .group_by(runtimes.c.artifact_digest)
        .order_by(runtimes.c.artifact_digest)
        .limit(limit)
        .subquery("used")
    )
    statement = select(c.digest, c.document, used.c.runtime_type).join(used, used.c.artifact_digest == c.digest)
    return [(row[0], row[1], RuntimeType(row[2])) for row in connection.execute(statement)]


def sum_up_artifacts(connection: Connection, sums: Sequence[tuple[str, str, int]]) -> None:
    """Store what replicas should share of sets: digest, sum, failed artifacts."""
    if sums:
        rows = [{"of_digest": digest, "to_likeness": each, "to_failed": failed} for digest, each, failed in sums]
        connection.execute(_SUM_UP, rows)


def list_namesakes(connection: Connection, keys: Sequence[int]) -> list[tuple[int, int]]:
    """List, for runtimes, the keys of others that bear the same name in the same place: pairs of theirs and the other's."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        rows = connection.execute(_NAMESAKES, {"of_keys": list(keys[start : start + _KEYS_AT_ONCE])})
        found.extend((row[0], row[1]) for row in rows)
    return found


def retire(connection: Connection, keys: Sequence[int], at: Instant) -> None:
    """Hide runtimes whose name a successor took over; they are kept a while for the audit."""
    connection.execute(update(runtimes).where(runtimes.c.key.in_(keys)).values(retired_at=at))
    presence.note_change(connection, keys)


def forget_retired(connection: Connection, before: Instant) -> int:
    """Delete the runtimes that were retired before a moment."""
    return connection.execute(delete(runtimes).where(runtimes.c.retired_at < before)).rowcount


def forget_unused_artifacts(connection: Connection, before: Instant) -> int:
    """Delete the artifact sets that nobody reports any more."""
    used = select(runtimes.c.artifact_digest).where(runtimes.c.artifact_digest == artifact_sets.c.digest).exists()
    return connection.execute(delete(artifact_sets).where(artifact_sets.c.stored_at < before, ~used)).rowcount


def remove(connection: Connection, key: int) -> None:
    """Delete a runtime with everything that hangs on it."""
    connection.execute(delete(runtimes).where(runtimes.c.key == key))


def is_key_used(connection: Connection, key_id: str) -> bool:
    """Tell whether any runtime that is not retired used a secret last."""
    statement = select(runtimes.c.key).where(runtimes.c.key_id == key_id, runtimes.c.retired_at.is_(None)).limit(1)
    return connection.execute(statement).first() is not None
