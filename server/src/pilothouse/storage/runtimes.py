"""Runtimes, their reports and their artifact sets, as heartbeats change them.

The statements are built once: building one takes SQLAlchemy longer than SQLite needs to run it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime import KnownRuntime, Report
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage import presence
from pilothouse.storage.counter_tables import TURN
from pilothouse.storage.statements import add_numbered, insert_unless_there
from pilothouse.storage.tables import artifact_sets, environments, runtime_presence, runtime_reports, runtimes

_KEYS_AT_ONCE = 500
"""Keys in one question: databases limit how many values a statement may bring."""

_FIND_KNOWN = (
    select(
        runtimes.c.key,
        runtimes.c.id,
        runtimes.c.name,
        runtimes.c.version,
        runtimes.c.key_id,
        runtimes.c.runtime_hash,
        runtimes.c.artifact_digest,
        runtimes.c.retired_at,
        runtime_reports.c.document,
        runtime_presence.c.interval_s,
        runtime_presence.c.status,
        runtime_presence.c.told,
    )
    .join(runtime_reports)
    .join(runtime_presence, runtime_presence.c.runtime_key == runtimes.c.key)
    .where(
        runtimes.c.runtime_id == bindparam("of_runtime_id"),
        runtimes.c.integration_id == bindparam("of_integration_id"),
        runtimes.c.environment_id == bindparam("of_environment_id"),
    )
)
_ADD = insert(runtimes).values(
    organization_id=select(environments.c.organization_id)
    .where(environments.c.id == bindparam("of_environment_id"))
    .scalar_subquery()
)
_ADD_REPORT = insert(runtime_reports)
_ADD_PRESENCE = insert(runtime_presence).values(change_number=TURN)
_KEEP_ARTIFACTS = insert_unless_there(artifact_sets)
_SUM_UP = (
    update(artifact_sets)
    .where(artifact_sets.c.digest == bindparam("of_digest"))
    .values(likeness=bindparam("to_likeness"), failed_count=bindparam("to_failed"))
)
_CHANGE = (
    update(runtimes)
    .where(runtimes.c.key == bindparam("of_key"))
    .values(
        {
            name: bindparam(f"to_{name}")
            for name in ("name", "version", "key_id", "runtime_hash", "artifact_digest", "retired_at")
        }
    )
)
_CHANGE_REPORT = (
    update(runtime_reports)
    .where(runtime_reports.c.runtime_key == bindparam("of_key"))
    .values(document=bindparam("to_document"))
)
_NOTE_RETURN = (
    update(runtime_presence)
    .where(runtime_presence.c.runtime_key == bindparam("of_key"))
    .values(
        seen_at=bindparam("to_seen_at"),
        running_since=bindparam("to_seen_at"),
        address=bindparam("to_address"),
        interval_s=bindparam("to_interval_s"),
        status=Status.RUNNING.value,
        change_number=TURN,
    )
)
_BEARING_NAME = select(runtimes.c.key).where(
    runtimes.c.integration_id == bindparam("of_integration_id"),
    runtimes.c.environment_id == bindparam("of_environment_id"),
    runtimes.c.name == bindparam("of_name"),
    runtimes.c.runtime_id != bindparam("of_runtime_id"),
    runtimes.c.retired_at.is_(None),
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


def find_known(connection: Connection, report: Report) -> KnownRuntime | None:
    """Find the runtime that reports: by its runtimeId under its own integration and environment, never elsewhere."""
    place = {
        "of_runtime_id": report.runtime_id,
        "of_integration_id": report.integration_id,
        "of_environment_id": report.environment_id,
    }
    row = connection.execute(_FIND_KNOWN, place).mappings().first()
    if row is None:
        return None
    values: dict[str, Any] = dict(row)  # Any: column values
    values |= {"status": Status(values["status"]), "retired": values.pop("retired_at") is not None}
    return KnownRuntime(**values)


def add(connection: Connection, report: Report, *, id: str, document: bytes, told: str | None, now: Instant) -> int:  # noqa: A002
    """Store a newcomer and return its key."""
    key = add_numbered(
        connection,
        _ADD,
        {
            "id": id,
            "runtime_id": report.runtime_id,
            "integration_id": report.integration_id,
            "environment_id": report.environment_id,
            "of_environment_id": report.environment_id,
            "name": report.name,
            "runtime_type": report.runtime_type.value,
            "version": report.version,
            "key_id": report.key_id,
            "runtime_hash": report.runtime_hash,
            "artifact_digest": report.artifact_digest,
            "registered_at": now,
        },
    )
    connection.execute(_ADD_REPORT, {"runtime_key": key, "document": document})
    connection.execute(
        _ADD_PRESENCE,
        {
            "runtime_key": key,
            "seen_at": now,
            "interval_s": report.interval_s,
            "address": report.address,
            "running_since": now,
            "status": Status.RUNNING.value,
            "told": told,
        },
    )
    return key


def change(connection: Connection, known: KnownRuntime, report: Report, document: bytes) -> None:
    """Store what a runtime reports anew; one that was retired is live again."""
    connection.execute(
        _CHANGE,
        {
            "of_key": known.key,
            "to_name": report.name,
            "to_version": report.version,
            "to_key_id": report.key_id,
            "to_runtime_hash": report.runtime_hash,
            "to_artifact_digest": report.artifact_digest,
            "to_retired_at": None,
        },
    )
    if document != known.document:
        connection.execute(_CHANGE_REPORT, {"of_key": known.key, "to_document": document})


def note_return(connection: Connection, known: KnownRuntime, report: Report, now: Instant) -> None:
    """Store that a runtime runs again."""
    connection.execute(
        _NOTE_RETURN,
        {
            "of_key": known.key,
            "to_seen_at": now,
            "to_address": report.address,
            "to_interval_s": known.interval_s if report.interval_s is None else report.interval_s,
        },
    )


def keep_artifacts(
    connection: Connection,
    digest: str,
    document: bytes,
    *,
    services: int,
    listeners: int,
    likeness: str,
    failed: int,
    now: Instant,
) -> None:
    """Store an artifact set unless it is there already."""
    connection.execute(
        _KEEP_ARTIFACTS,
        {
            "new_digest": digest,
            "new_document": document,
            "new_service_count": services,
            "new_listener_count": listeners,
            "new_stored_at": now,
            "new_likeness": likeness,
            "new_failed_count": failed,
        },
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


def list_bearing_name(connection: Connection, report: Report) -> list[int]:
    """List the keys of other runtimes that bear the same name in the same place and are not retired."""
    if report.name is None:
        return []
    place = {
        "of_integration_id": report.integration_id,
        "of_environment_id": report.environment_id,
        "of_name": report.name,
        "of_runtime_id": report.runtime_id,
    }
    return list(connection.execute(_BEARING_NAME, place).scalars())


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
