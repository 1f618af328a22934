"""Commands as people see them: lists, and what stands open or failed."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, false, func, select, true

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.domain.commands import OPEN, Command, CommandAction, CommandState
from pilothouse.storage import commands as hot
from pilothouse.storage.columns import Rows
from pilothouse.storage.scope import within
from pilothouse.storage.tables import commands, desired_states, environments, integrations, projects, runtimes

_c = commands.c
_KEYS_AT_ONCE = 500
_SHOWN = _c.action != CommandAction.PROBE.value


class CommandScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which commands a list is about; None leaves a dimension open."""

    project: str | None = None
    integration: str | None = None
    environment: str | None = None
    runtime: str | None = None
    states: tuple[CommandState, ...] | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What stands open or failed of one runtime."""

    open: int = 0
    oldest_queued_at: Instant | None = None
    failed: int = 0
    failure: str = ""
    """Why the latest one failed."""


def list_rows(connection: Connection, reach: Reach, scope: CommandScope, request: PageRequest) -> Page[Command]:
    """List commands, newest first."""
    wanted = and_(_seen(reach), _SHOWN, _inside(scope))
    statement = _joined(select(*[_c[name] for name in Command.__struct_fields__], _c.number)).where(wanted)
    if request.after is not None:
        statement = statement.where(_c.number < request.after_number())
    rows = list(connection.execute(statement.order_by(_c.number.desc()).limit(request.first + 1)).mappings())
    total = connection.execute(_joined(select(func.count())).where(wanted)).scalar_one()
    numbers = {row["id"]: row["number"] for row in rows}
    return page_of("commands", hot.read_rows(rows), request, total, lambda command: (str(numbers[command.id]),))


def find_row(connection: Connection, reach: Reach, id: str) -> Command | None:  # noqa: A002
    """Find a command."""
    statement = _joined(select(*[_c[name] for name in Command.__struct_fields__])).where(_seen(reach), _c.id == id)
    rows = list(connection.execute(statement).mappings())
    return next(iter(hot.read_rows(rows)), None)


def list_by_ids(connection: Connection, reach: Reach, ids: Sequence[str]) -> list[Command]:
    """Find commands by their ids, leaving out what people do not see."""
    found: list[Command] = []
    for start in range(0, len(ids), _KEYS_AT_ONCE):
        part = list(ids[start : start + _KEYS_AT_ONCE])
        statement = _joined(select(*[_c[name] for name in Command.__struct_fields__])).where(
            _seen(reach), _SHOWN, _c.id.in_(part)
        )
        found.extend(hot.read_rows(list(connection.execute(statement).mappings())))
    return found


def list_of_place(connection: Connection, integration_id: str, environment_id: str, limit: int) -> list[Command]:
    """List the latest commands of a place that steer something, newest first."""
    statement = (
        select(*[_c[name] for name in Command.__struct_fields__])
        .join(runtimes, runtimes.c.key == _c.runtime_key)
        .where(
            runtimes.c.integration_id == integration_id,
            runtimes.c.environment_id == environment_id,
            _c.kind.is_not(None),
        )
        .order_by(_c.number.desc())
        .limit(limit)
    )
    return hot.read_rows(list(connection.execute(statement).mappings()))


def standing_of(connection: Connection, runtime_keys: Sequence[int]) -> dict[int, Standing]:
    """Tell what stands open or failed of some runtimes: two statements, however many they are."""
    found: dict[int, Standing] = {}
    for start in range(0, len(runtime_keys), _KEYS_AT_ONCE):
        keys = list(runtime_keys[start : start + _KEYS_AT_ONCE])
        is_open = (
            select(_c.runtime_key, func.count().label("open"), func.min(_c.queued_at).label("oldest"))
            .where(_c.runtime_key.in_(keys), _c.state.in_([state.value for state in OPEN]), _SHOWN)
            .group_by(_c.runtime_key)
        )
        for row in connection.execute(is_open):
            found[row.runtime_key] = Standing(open=row.open, oldest_queued_at=row.oldest)
        # Of what is desired now only, and only where nothing newer is under way for it.
        newest = (
            select(func.max(_c.number))
            .where(_c.runtime_key.in_(keys), _c.wish_number.in_(select(desired_states.c.change_number)))
            .group_by(_c.runtime_key, _c.wish_number)
        )
        is_failed = (
            select(_c.runtime_key, _c.reason)
            .where(_c.number.in_(newest), _c.state == CommandState.FAILED.value)
            .order_by(_c.number)
        )
        for row in connection.execute(is_failed):
            known = found.get(row.runtime_key, Standing())
            found[row.runtime_key] = msgspec.structs.replace(known, failed=known.failed + 1, failure=row.reason)
    return found


def _seen(reach: Reach) -> ColumnElement[bool]:
    return within(
        reach,
        project=integrations.c.project_id,
        integration=runtimes.c.integration_id,
        environment=runtimes.c.environment_id,
    )


def _joined(statement: Rows) -> Rows:
    return (
        statement.select_from(commands)
        .join(runtimes, runtimes.c.key == _c.runtime_key)
        .join(environments, environments.c.id == runtimes.c.environment_id)
        .join(integrations, integrations.c.id == runtimes.c.integration_id)
        .join(projects, projects.c.id == integrations.c.project_id)
    )


def _inside(scope: CommandScope) -> ColumnElement[bool]:
    if scope.integration is not None and scope.project is None:
        return false()
    pairs = (
        (environments.c.handle, scope.environment),
        (projects.c.handle, scope.project),
        (integrations.c.handle, scope.integration),
        (runtimes.c.id, scope.runtime),
    )
    states = true() if scope.states is None else _c.state.in_([state.value for state in scope.states])
    return and_(true(), states, *(column == value for column, value in pairs if value is not None))
