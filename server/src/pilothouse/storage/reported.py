"""What full heartbeats store, of many at once: a statement for all of them, and not one for each.

The statements are built once: building one takes SQLAlchemy longer than a database needs to run it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, bindparam, literal_column, select, update

from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime import KnownRuntime, Report
from pilothouse.storage.adding import add_all
from pilothouse.storage.counter_tables import TURN
from pilothouse.storage.many import add_each_numbered, in_batches
from pilothouse.storage.tables import artifact_sets, runtime_presence, runtime_reports, runtimes

Identity = tuple[str, str, str]
"""Which runtime reports: its runtimeId under its own integration and environment, never elsewhere."""

_r = runtimes.c
_FIND_KNOWN = (
    select(
        _r.runtime_id,
        _r.integration_id,
        _r.environment_id,
        _r.key,
        _r.id,
        _r.name,
        _r.version,
        _r.key_id,
        _r.runtime_hash,
        _r.artifact_digest,
        _r.retired_at,
        runtime_reports.c.document,
        runtime_presence.c.interval_s,
        runtime_presence.c.status,
        runtime_presence.c.told,
    )
    .join(runtime_reports)
    .join(runtime_presence, runtime_presence.c.runtime_key == _r.key)
    .where(
        _r.runtime_id.in_(bindparam("runtime_ids", expanding=True)),
        _r.integration_id.in_(bindparam("integration_ids", expanding=True)),
    )
)
_ARTIFACTS_THERE = select(artifact_sets.c.digest).where(
    artifact_sets.c.digest.in_(bindparam("digests", expanding=True))
)
_CHANGE = (
    update(runtimes)
    .where(_r.key == bindparam("of_key"))
    .values(
        {
            name: bindparam(f"to_{name}")
            for name in ("name", "version", "key_id", "runtime_hash", "artifact_digest", "retired_at")
        }
    )
)
_CHANGE_ARTIFACTS = (
    update(runtimes)
    .where(_r.key == bindparam("of_key"))
    .values({name: bindparam(f"to_{name}") for name in ("runtime_hash", "artifact_digest")})
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
_BEARING_NAMES = select(_r.key, _r.integration_id, _r.environment_id, _r.name, _r.runtime_id).where(
    _r.integration_id.in_(bindparam("integration_ids", expanding=True)),
    _r.environment_id.in_(bindparam("environment_ids", expanding=True)),
    _r.name.in_(bindparam("names", expanding=True)),
    # Not to be looked up: SQLite would take an index that begins with it, and read everybody who lives there.
    (_r.retired_at + literal_column("0", Integer)).is_(None),
)


class NewRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime that reports for the first time."""

    id: str
    report: Report
    document: bytes
    told: str | None
    registered_at: Instant


class NewArtifacts(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact set, as it is stored."""

    digest: str
    document: bytes
    service_count: int
    listener_count: int
    stored_at: Instant
    likeness: str
    failed_count: int


def identity_of(report: Report) -> Identity:
    """Tell which runtime reports."""
    return report.runtime_id, report.integration_id, report.environment_id


def find_known(connection: Connection, reports: Sequence[Report]) -> dict[Identity, KnownRuntime]:
    """Find what is stored of the runtimes that report; who is not there is a newcomer."""
    wanted = {identity_of(report) for report in reports}
    found: dict[Identity, KnownRuntime] = {}
    for some in in_batches(sorted(wanted)):
        places = sorted({integration_id for _, integration_id, _ in some})
        asked = {"runtime_ids": [one[0] for one in some], "integration_ids": places}
        for row in connection.execute(_FIND_KNOWN, asked).mappings():
            values: dict[str, Any] = dict(row)  # Any: column values
            one = (values.pop("runtime_id"), values.pop("integration_id"), values.pop("environment_id"))
            if one in wanted:
                values |= {"status": Status(values["status"]), "retired": values.pop("retired_at") is not None}
                found[one] = KnownRuntime(**values)
    return found


def add(connection: Connection, new: Sequence[NewRuntime]) -> list[int]:
    """Store newcomers, under the writers' turn, and return their keys."""
    keys = add_each_numbered(connection, runtimes, [_runtime(one) for one in new])
    if new:
        given = list(zip(keys, new, strict=True))
        add_all(connection, runtime_reports, [{"runtime_key": key, "document": one.document} for key, one in given])
        add_all(connection, runtime_presence, [_presence(key, one) for key, one in given], {"change_number": TURN})
    return keys


def _runtime(new: NewRuntime) -> dict[str, Any]:  # Any: column values
    report = new.report
    return {
        "id": new.id,
        "organization_id": report.organization_id,
        "runtime_id": report.runtime_id,
        "integration_id": report.integration_id,
        "environment_id": report.environment_id,
        "name": report.name,
        "runtime_type": report.runtime_type.value,
        "version": report.version,
        "key_id": report.key_id,
        "runtime_hash": report.runtime_hash,
        "artifact_digest": report.artifact_digest,
        "registered_at": new.registered_at,
    }


def _presence(key: int, new: NewRuntime) -> dict[str, Any]:  # Any: column values
    return {
        "runtime_key": key,
        "seen_at": new.registered_at,
        "interval_s": new.report.interval_s,
        "address": new.report.address,
        "running_since": new.registered_at,
        "status": Status.RUNNING.value,
        "told": new.told,
    }


def change(connection: Connection, changed: Sequence[tuple[KnownRuntime, Report, bytes]]) -> None:
    """Store what runtimes report anew, each with its document; one that was retired is live again."""
    if not changed:
        return
    hardly = [_of_artifacts(known, report) for known, report, _ in changed if _is_else_as_known(known, report)]
    if hardly:  # SQLite writes every index anew that has a column which is told, whether it changes or not
        connection.execute(_CHANGE_ARTIFACTS, hardly)
    wholly = [
        {
            **_of_artifacts(known, report),
            "to_name": report.name,
            "to_version": report.version,
            "to_key_id": report.key_id,
            "to_retired_at": None,
        }
        for known, report, _ in changed
        if not _is_else_as_known(known, report)
    ]
    if wholly:
        connection.execute(_CHANGE, wholly)
    documents = [
        {"of_key": known.key, "to_document": document} for known, _, document in changed if document != known.document
    ]
    if documents:
        connection.execute(_CHANGE_REPORT, documents)


def _is_else_as_known(known: KnownRuntime, report: Report) -> bool:
    """Tell whether nothing of a runtime's own row changed but its artifacts."""
    told = (report.name, report.version, report.key_id)
    return not known.retired and (known.name, known.version, known.key_id) == told


def _of_artifacts(known: KnownRuntime, report: Report) -> dict[str, Any]:  # Any: column values
    return {
        "of_key": known.key,
        "to_runtime_hash": report.runtime_hash,
        "to_artifact_digest": report.artifact_digest,
    }


def note_returns(connection: Connection, returned: Sequence[tuple[KnownRuntime, Report, Instant]]) -> None:
    """Store that runtimes run again, each since when."""
    if returned:
        connection.execute(
            _NOTE_RETURN,
            [
                {
                    "of_key": known.key,
                    "to_seen_at": at,
                    "to_address": report.address,
                    "to_interval_s": known.interval_s if report.interval_s is None else report.interval_s,
                }
                for known, report, at in returned
            ],
        )


def list_artifacts_there(connection: Connection, digests: Iterable[str]) -> set[str]:
    """Tell which artifact sets are stored."""
    return {
        digest
        for some in in_batches(sorted(set(digests)))
        for digest in connection.execute(_ARTIFACTS_THERE, {"digests": some}).scalars()
    }


def keep_artifacts(connection: Connection, sets: Mapping[str, NewArtifacts]) -> None:
    """Store artifact sets by digest, under the writers' turn; none of them is there."""
    add_all(connection, artifact_sets, [msgspec.structs.asdict(one) for one in sets.values()])


def list_bearing_names(connection: Connection, reports: Sequence[Report]) -> list[tuple[int, str, str, str, str]]:
    """List those who are not retired and bear a name that somebody reports.

    Shape: key, integration, environment, name, runtimeId; maybe of more places than were asked for.
    """
    named = sorted(
        {(report.name, report.integration_id, report.environment_id) for report in reports if report.name is not None}
    )
    found: list[tuple[int, str, str, str, str]] = []
    for some in in_batches(named):
        names, integration_ids, environment_ids = zip(*some, strict=True)
        asked = {
            "names": names,
            "integration_ids": sorted(set(integration_ids)),
            "environment_ids": sorted(set(environment_ids)),
        }
        found += [(row[0], row[1], row[2], row[3], row[4]) for row in connection.execute(_BEARING_NAMES, asked)]
    return found
