"""Commands, as they are queued, handed over and ended. What people see of them is in `command_rows`."""

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, case, delete, func, insert, or_, select, update

from pilothouse.base.instants import Instant
from pilothouse.domain.commands import OPEN, READS, SEALED, Command, CommandAction, CommandRoute, CommandState
from pilothouse.domain.runtime import ReportDocument
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import Aspect, SteerableKind
from pilothouse.storage.many import in_batches
from pilothouse.storage.tables import artifact_sets, commands, integrations, runtime_reports, runtimes

_OPEN = [state.value for state in OPEN]
_c = commands.c
_COLUMNS = [_c[name] for name in Command.__struct_fields__]
_KEYS_AT_ONCE = 500


class SteeredRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a runtime to steer it."""

    key: int
    id: str
    runtime_id: str
    name: str | None
    runtime_type: RuntimeType
    project_id: str
    integration_id: str
    environment_id: str
    key_id: str | None
    artifact_digest: str
    document: ReportDocument
    tunnel_probed_at: Instant | None
    tunnel_proved_at: Instant | None

    @property
    def process(self) -> str | None:
        """What tells its process from the next one under the same id."""
        node = self.document.node
        if node.started_at is None and node.process_id is None:
            return None
        return f"{node.process_id}@{node.started_at}"


_STEERED = (
    select(
        runtimes.c.key,
        runtimes.c.id,
        runtimes.c.runtime_id,
        runtimes.c.name,
        runtimes.c.runtime_type,
        integrations.c.project_id,
        runtimes.c.integration_id,
        runtimes.c.environment_id,
        runtimes.c.key_id,
        runtimes.c.artifact_digest,
        runtime_reports.c.document,
        runtimes.c.tunnel_probed_at,
        runtimes.c.tunnel_proved_at,
    )
    .join(runtime_reports, runtime_reports.c.runtime_key == runtimes.c.key)
    .join(integrations, integrations.c.id == runtimes.c.integration_id)
)
_STEERED_BY_KEY = _STEERED.where(runtimes.c.key == bindparam("of_key"))
_STEERED_BY_KEYS = _STEERED.where(runtimes.c.key.in_(bindparam("keys", expanding=True)))
_STEERED_IN_PLACE = _STEERED.where(
    runtimes.c.integration_id == bindparam("of_integration_id"),
    runtimes.c.environment_id == bindparam("of_environment_id"),
    runtimes.c.retired_at.is_(None),
).order_by(runtimes.c.key)
# All open ones, and of every wish the last that ended.
_of_keys = _c.runtime_key.in_(bindparam("keys", expanding=True))
_last_ended = (
    select(func.max(_c.number))
    .where(_of_keys, _c.wish_number.is_not(None), _c.state.not_in(_OPEN))
    .group_by(_c.runtime_key, _c.wish_number)
)
_RELEVANT = select(*_COLUMNS).where(_of_keys, or_(_c.state.in_(_OPEN), _c.number.in_(_last_ended))).order_by(_c.number)
_HAVING_OPEN = select(_c.runtime_key).where(_of_keys, _c.state.in_(_OPEN)).distinct()
_DOCUMENTS = select(artifact_sets.c.digest, artifact_sets.c.document).where(
    artifact_sets.c.digest.in_(bindparam("digests", expanding=True))
)
_NOTE_PROBE = update(runtimes).where(runtimes.c.key == bindparam("of_key")).values(tunnel_probed_at=bindparam("to_at"))
_NOTE_TUNNEL = update(runtimes).where(runtimes.c.key == bindparam("of_key")).values(tunnel_proved_at=bindparam("to_at"))
_BY_IDS = select(*_COLUMNS).where(_c.id.in_(bindparam("ids", expanding=True)))
_KEEP_RESULT = update(commands).where(_c.id == bindparam("of_id")).values(result=bindparam("to_result"))
_ADD = insert(commands)
_CHANGE = (
    update(commands)
    .where(_c.id == bindparam("of_id"))
    .values(
        {
            name: bindparam(f"to_{name}")
            for name in ("state", "reason", "route", "attempts", "delivered_at", "ended_at", "next_attempt_at")
        }
    )
)


def find_steered(connection: Connection, runtime_key: int) -> SteeredRuntime | None:
    """Find a runtime to steer."""
    row = connection.execute(_STEERED_BY_KEY, {"of_key": runtime_key}).mappings().first()
    return None if row is None else _steered(row)


def list_steered(connection: Connection, integration_id: str, environment_id: str) -> list[SteeredRuntime]:
    """List the runtimes of a place that are not retired."""
    place = {"of_integration_id": integration_id, "of_environment_id": environment_id}
    return [_steered(row) for row in connection.execute(_STEERED_IN_PLACE, place).mappings()]


def list_steered_of(connection: Connection, runtime_keys: Collection[int]) -> dict[int, SteeredRuntime]:
    """Find runtimes to steer, by key."""
    return {
        row["key"]: _steered(row)
        for keys in in_batches(sorted(runtime_keys))
        for row in connection.execute(_STEERED_BY_KEYS, {"keys": keys}).mappings()
    }


def list_artifacts(connection: Connection, digests: Collection[str]) -> dict[str, bytes]:
    """Find the documents of artifact sets, by digest."""
    return {
        row.digest: row.document
        for some in in_batches(sorted(digests))
        for row in connection.execute(_DOCUMENTS, {"digests": some})
    }


def list_relevant(connection: Connection, runtime_key: int) -> list[Command]:
    """List a runtime's open commands, and of every wish the last one that ended."""
    return list_relevant_of(connection, [runtime_key]).get(runtime_key, [])


def list_relevant_of(connection: Connection, runtime_keys: Collection[int]) -> dict[int, list[Command]]:
    """List, by runtime, the open commands and of every wish the last one that ended."""
    found: dict[int, list[Command]] = {}
    for keys in in_batches(sorted(runtime_keys)):
        for row in connection.execute(_RELEVANT, {"keys": keys}).mappings():
            found.setdefault(row["runtime_key"], []).append(_command(row))
    return found


def list_having_open(connection: Connection, runtime_keys: Collection[int]) -> set[int]:
    """Tell which runtimes have open commands."""
    return {
        key
        for keys in in_batches(sorted(runtime_keys))
        for key in connection.execute(_HAVING_OPEN, {"keys": keys}).scalars()
    }


def find(connection: Connection, id: str) -> Command | None:  # noqa: A002
    """Find a command."""
    row = connection.execute(select(*_COLUMNS).where(_c.id == id)).mappings().first()
    return None if row is None else _command(row)


def find_all(connection: Connection, ids: Collection[str]) -> dict[str, Command]:
    """Find commands, by id."""
    return {
        row["id"]: _command(row)
        for some in in_batches(sorted(ids))
        for row in connection.execute(_BY_IDS, {"ids": some}).mappings()
    }


def add(connection: Connection, new: Sequence[Command]) -> None:
    """Queue commands, in order."""
    if new:
        connection.execute(_ADD, [_values(command) for command in new])


def save(connection: Connection, changed: Sequence[Command]) -> None:
    """Store where commands stand now; sealed payloads of those that ended are wiped."""
    if changed:
        connection.execute(
            _CHANGE,
            [
                {
                    "of_id": command.id,
                    "to_state": command.state.value,
                    "to_reason": command.reason,
                    "to_route": None if command.route is None else command.route.value,
                    "to_attempts": command.attempts,
                    "to_delivered_at": command.delivered_at,
                    "to_ended_at": command.ended_at,
                    "to_next_attempt_at": command.next_attempt_at,
                }
                for command in changed
            ],
        )
    ended = [command.id for command in changed if command.action in SEALED and not command.is_open]
    if ended:
        connection.execute(update(commands).where(_c.id.in_(ended)).values(payload=None))


def list_sealed(connection: Connection) -> list[tuple[str, str]]:
    """List the sealed payloads that there are, by command: they live for minutes, and few are under way to a runtime."""
    statement = select(_c.id, _c.payload).where(
        _c.action.in_([action.value for action in SEALED]), _c.payload.is_not(None), _c.state.in_(_OPEN)
    )
    return [(row.id, row.payload) for row in connection.execute(statement)]


def reseal(connection: Connection, id: str, payload: str) -> None:  # noqa: A002
    """Store a payload that was sealed anew."""
    connection.execute(update(commands).where(_c.id == id).values(payload=payload))


def keep_results(connection: Connection, results: Sequence[tuple[str, bytes]]) -> None:
    """Keep what runtimes answered, by command."""
    if results:
        packed = [{"of_id": id_, "to_result": zlib.compress(result, 1)} for id_, result in results]
        connection.execute(_KEEP_RESULT, packed)


def find_result(connection: Connection, id: str) -> bytes | None:  # noqa: A002
    """Find what a runtime answered."""
    packed = connection.execute(select(_c.result).where(_c.id == id)).scalar()
    return None if packed is None else zlib.decompress(packed)


def list_results(connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    """Find what runtimes answered to some commands."""
    rows = connection.execute(select(_c.id, _c.result).where(_c.id.in_(list(ids)), _c.result.is_not(None)))
    return {row.id: zlib.decompress(row.result) for row in rows}


def list_open_of(connection: Connection, runtime_keys: Sequence[int]) -> list[Command]:
    """List the open commands of some runtimes."""
    found: list[Command] = []
    for start in range(0, len(runtime_keys), _KEYS_AT_ONCE):
        keys = list(runtime_keys[start : start + _KEYS_AT_ONCE])
        rows = connection.execute(
            select(*_COLUMNS).where(_c.runtime_key.in_(keys), _c.state.in_(_OPEN)).order_by(_c.number)
        ).mappings()
        found.extend(_command(row) for row in rows)
    return found


def list_agenda(connection: Connection) -> dict[int, Instant]:
    """Tell of every runtime with open commands when the first of them is to be looked at."""
    at = func.min(case((_c.next_attempt_at.is_(None), _c.queued_at), else_=_c.next_attempt_at))
    rows = connection.execute(
        select(_c.runtime_key, at.label("at")).where(_c.state.in_(_OPEN)).group_by(_c.runtime_key)
    )
    return {row.runtime_key: row.at for row in rows}


def note_probes(connection: Connection, probed: Sequence[tuple[int, Instant]]) -> None:
    """Remember when Micro Integrators were asked whether they carry out what comes through the tunnel, by key."""
    if probed:
        connection.execute(_NOTE_PROBE, [{"of_key": key, "to_at": at} for key, at in probed])


def note_tunnels(connection: Connection, proved: Sequence[tuple[int, Instant]]) -> None:
    """Remember that Micro Integrators do, and since when, by key."""
    if proved:
        connection.execute(_NOTE_TUNNEL, [{"of_key": key, "to_at": at} for key, at in proved])


def doubt_tunnels(connection: Connection, runtime_keys: Collection[int]) -> None:
    """Take back that Micro Integrators carry out what comes through the tunnel: they were silent, and are asked again."""
    for keys in in_batches(sorted(runtime_keys)):
        connection.execute(
            update(runtimes)
            .where(runtimes.c.key.in_(keys), runtimes.c.tunnel_proved_at.is_not(None))
            .values(tunnel_proved_at=None, tunnel_probed_at=None)
        )


def forget_results(connection: Connection, *, reads_before: Instant, writes_before: Instant) -> int:
    """Forget answers that are past their time."""
    is_read = _c.action.in_([action.value for action in READS])
    old = or_(and_(is_read, _c.ended_at < reads_before), and_(~is_read, _c.ended_at < writes_before))
    return connection.execute(update(commands).where(_c.result.is_not(None), old).values(result=None)).rowcount


def forget_before(connection: Connection, at: Instant) -> int:
    """Delete commands that ended before a moment."""
    return connection.execute(delete(commands).where(_c.state.not_in(_OPEN), _c.ended_at < at)).rowcount


def _values(command: Command) -> dict[str, Any]:  # Any: column values
    return {
        name: getattr(value, "value", value)
        for name, value in ((name, getattr(command, name)) for name in Command.__struct_fields__)
    }


def _command(row: RowMapping | Mapping[str, Any]) -> Command:  # Any: column values
    values = dict(row)
    values["action"] = CommandAction(values["action"])
    values["state"] = CommandState(values["state"])
    for name, kind in (("kind", SteerableKind), ("aspect", Aspect), ("route", CommandRoute)):
        values[name] = None if values[name] is None else kind(values[name])
    return Command(**values)


def _steered(row: RowMapping) -> SteeredRuntime:
    values: dict[str, Any] = dict(row)  # Any: column values
    values["runtime_type"] = RuntimeType(values["runtime_type"])
    values["document"] = msgspec.json.decode(values["document"], type=ReportDocument)
    return SteeredRuntime(**values)


def read_rows(rows: Iterable[RowMapping]) -> list[Command]:
    """Read commands from rows that have their columns, and maybe more."""
    return [_command({name: row[name] for name in Command.__struct_fields__}) for row in rows]


def list_of_wish(connection: Connection, wish_number: int, limit: int) -> list[Command]:
    """List the commands that serve one change of the desired state, oldest first."""
    statement = select(*_COLUMNS).where(_c.wish_number == wish_number).order_by(_c.number).limit(limit)
    return [_command(row) for row in connection.execute(statement).mappings()]


def list_overdue(connection: Connection, now: Instant, limit: int) -> list[Command]:
    """List open commands whose deadline has passed."""
    statement = select(*_COLUMNS).where(_c.state.in_(_OPEN), _c.deadline <= now).order_by(_c.number).limit(limit)
    return [_command(row) for row in connection.execute(statement).mappings()]
