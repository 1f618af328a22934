"""Whether somebody may try out a service, and the word by which an environment allows it."""

from collections.abc import Sequence

import msgspec

from pilothouse.access.grants import Subject, reach, require, require_environment
from pilothouse.access.permissions import Permission
from pilothouse.access.places import Place
from pilothouse.base.errors import Conflict, NotFound, NotPermitted
from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.domain.tenancy import Environment
from pilothouse.domain.try_it import Door, Said, doors_of, is_allowed
from pilothouse.operations.audit import audit, changed
from pilothouse.operations.seeing import find_runtime
from pilothouse.operations.tenancy import find_environment
from pilothouse.storage import runtime_rows, try_it
from pilothouse.storage.unit import Connection, Transaction

ACTION = "service.try"


class NotAllowedHere(NotPermitted):
    """Services are not tried out in this environment."""

    code = "TRY_IT_OFF"


class NotRunning(Conflict):
    """The runtime does not run: nobody would answer."""

    code = "TRY_IT_NOT_RUNNING"


class NoSuchPort(NotFound):
    """The runtime reports no HTTP listener at this port."""

    code = "TRY_IT_NO_SUCH_PORT"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to send, as far as the audit keeps it: never a query, a header or a body."""

    method: str
    path: str
    port: int


class Permitted(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is permitted, and is in the audit."""

    runtime: RuntimeRow
    door: Door


def refuse_here(environment: Environment | RuntimeRow, said: Said | None) -> NotAllowedHere | None:
    """Make the refusal for an environment in which services are not tried out; None where they are."""
    critical = environment.critical if isinstance(environment, Environment) else environment.environment_critical
    handle = environment.handle if isinstance(environment, Environment) else environment.environment_handle
    if is_allowed(said, critical=critical):
        return None
    why = "critical, and nobody allowed it there" if critical else "closed for it"
    return NotAllowedHere(
        f"No service is tried out in the environment `{handle}`: it is {why}.",
        fix="Who may manage the environment can allow it on the page Environments.",
    )


def not_permitted(subject: Subject) -> NotPermitted:
    """Make the refusal for who does not hold the permission where the runtime lives."""
    return NotPermitted(
        f"This needs the permission {Permission.INTEGRATION_MGT_TRY.value}, which {subject.username} does not hold here.",
        fix="Ask an administrator for a role that grants it.",
    )


def not_running(row: RuntimeRow) -> NotRunning:
    """Make the refusal for a runtime that does not run."""
    return NotRunning(
        f"The runtime {row.name or row.runtime_id} does not run.", fix="Choose one that runs, or start it."
    )


def no_doors(row: RuntimeRow) -> NoSuchPort:
    """Make the refusal for a runtime without an HTTP listener."""
    return NoSuchPort(
        f"The runtime {row.name or row.runtime_id} reports no HTTP listener.",
        fix="Look at its listeners: only HTTP and HTTPS can be tried out.",
    )


def find(connection: Connection, subject: Subject, runtime_id: str) -> RuntimeRow | None:
    """Find a runtime that somebody may see; None where there is none."""
    return runtime_rows.find_row(connection, reach(subject, Permission.INTEGRATION_MGT_VIEW), runtime_id)


def permit(
    tx: Transaction, subject: Subject, runtime_id: str, wanted: Wanted, *, is_running: bool, now: Instant
) -> Permitted:
    """Permit one request to a runtime, and put it into the audit before it is sent.

    Raises: NotFound, NoSuchPort, NotPermitted, NotAllowedHere, NotRunning
    """
    row, place = find_runtime(tx.connection, subject, runtime_id)
    require(subject, Permission.INTEGRATION_MGT_TRY, at=place)
    refusal = refuse_here(row, said_of(tx.connection, [row.environment_id]).get(row.environment_id))
    if refusal is not None:
        raise refusal
    if row.retired_at is not None or not is_running:
        raise not_running(row)
    door = _door(tx.connection, row, wanted.port)
    audit(
        tx,
        subject,
        ACTION,
        named(row),
        now,
        f"{wanted.method} {wanted.path}"[:_DETAIL_CHARS_MAX],
        after={"listener": door.listener, "method": wanted.method, "path": wanted.path, "port": door.port},
        at=place,
    )
    return Permitted(runtime=row, door=door)


def said_of(connection: Connection, environment_ids: Sequence[str]) -> dict[str, Said]:
    """Read what was said of environments."""
    return try_it.list_said(connection, environment_ids)


def set_allowed(tx: Transaction, subject: Subject, handle: str, *, allowed: bool, now: Instant) -> Environment:
    """Say whether services may be tried out in an environment: whoever may manage it, a critical one by the wider right.

    Raises: NotFound, NotPermitted
    """
    found = find_environment(tx.connection, subject, handle)
    require_environment(subject, found.id, critical=found.critical)
    was = is_allowed(said_of(tx.connection, [found.id]).get(found.id), critical=found.critical)
    before, after = changed({"tryIt": was}, {"tryIt": allowed})
    if after:
        try_it.say(tx.connection, found.id, Said(allowed=allowed, critical=found.critical), subject.username, now)
        place = Place(environment_id=found.id)
        audit(tx, subject, "environment.set-try-it", handle, now, before=before, after=after, at=place)
    return found


def named(row: RuntimeRow) -> str:
    """Name a runtime as the audit does."""
    return f"{row.project_handle}/{row.integration_handle}/{row.environment_handle}/{row.name or row.runtime_id}"


def _door(connection: Connection, row: RuntimeRow, port: int) -> Door:
    documents = runtime_rows.list_artifacts(connection, [row.artifact_digest])
    doors = [door for document in documents.values() for door in doors_of(artifact_set.decode(document))]
    found = next((door for door in doors if door.port == port), None)
    if found is None and not doors:
        raise no_doors(row)
    if found is None:
        raise NoSuchPort(
            f"The runtime {row.name or row.runtime_id} reports no HTTP listener at port {port}.",
            field="port",
            fix=f"Choose one of {', '.join(str(door.port) for door in doors)}.",
        )
    return found


_DETAIL_CHARS_MAX = 1_000
"""Of a path, in the sentence that people read; the field beside it has all of it."""
