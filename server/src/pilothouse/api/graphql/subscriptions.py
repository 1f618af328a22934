"""The change feed of the Runtimes pages: what was missed first, then what happens."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any

from ariadne import SubscriptionType

from pilothouse.access.grants import Place, Reach
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.commands import shown
from pilothouse.api.graphql.queries import scope_of
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.errors import InvalidInput
from pilothouse.domain.commands import Command
from pilothouse.domain.events import Event, EventKind
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.storage import command_rows, events, runtime_rows, tenancy
from pilothouse.storage.runtime_rows import Elsewheres, RuntimeScope
from pilothouse.storage.unit import Connection

subscription = SubscriptionType()

GATHER_S = 0.05
"""Changes that come within this are read by one statement."""
CATCH_UP_MAX = 1_000
"""Changes that are sent one by one after a gap; behind more, the client reads its page again."""
_KINDS = {
    EventKind.RUNTIME_REGISTERED: "REGISTERED",
    EventKind.RUNTIME_RUNNING: "RUNNING",
    EventKind.RUNTIME_OFFLINE: "OFFLINE",
    EventKind.RUNTIME_REPORTED: "REPORTED",
    EventKind.RUNTIME_RETIRED: "RETIRED",
    EventKind.RUNTIME_REMOVED: "REMOVED",
    EventKind.COMMAND_QUEUED: "COMMAND",
    EventKind.COMMAND_DELIVERED: "COMMAND",
    EventKind.COMMAND_ENDED: "COMMAND",
    EventKind.DESIRED_CHANGED: "DESIRED",
}
_GONE = frozenset({EventKind.RUNTIME_REMOVED, EventKind.DESIRED_CHANGED})
"""What is told without a runtime: there is none any more, or it is about all of a place."""
_OF_COMMANDS = frozenset({EventKind.COMMAND_QUEUED, EventKind.COMMAND_DELIVERED, EventKind.COMMAND_ENDED})


@subscription.source("runtimeChanged")
async def runtime_changed(
    _: Any,
    info: Info,
    filter: Row | None = None,
    after: int | None = None,
) -> AsyncGenerator[Row, None]:
    """Follow the runtimes of a scope."""
    request, scope = info.context, scope_of(filter)
    if after is not None and after < 0:
        raise InvalidInput("A sequence is never negative.", field="after", fix="Send the last `sequence` that you saw.")
    bus = request.services.bus
    feed = bus.subscribe()  # before the gap is read, so that nothing falls in between
    held = request.subject.holdings.grants
    try:
        seen, caught_up = await _gap(request, after)
        if caught_up is None:
            yield _resync(request, seen)
        else:
            async for change in _changes(request, scope, caught_up):
                yield change
        while True:
            happened, missed = await feed.take(GATHER_S)
            if feed.closed:
                return
            await request.renew(request.services.clock.now())
            held, held_before = request.subject.holdings.grants, held
            fresh = [event for event in happened if event.kind in _KINDS and event.sequence > seen]
            seen = max([seen, *(event.sequence for event in happened)])
            async for change in _changes(request, scope, fresh):
                yield change
            if missed or held != held_before:  # what was listed with other rights is to be read again
                yield _resync(request, seen)
    finally:
        bus.unsubscribe(feed)


@subscription.field("runtimeChanged")
def runtime_change(change: Row, _info: Info, **_arguments: Any) -> Row:  # Any: the source's arguments
    """Pass a change on."""
    return change


async def _gap(request: GraphQLRequest, after: int | None) -> tuple[int, list[Event] | None]:
    """Read what happened since the client last looked; None instead of events when it is too much or forgotten."""

    def read(connection: Connection) -> tuple[int, list[Event] | None]:
        oldest, newest = events.bounds(connection)
        if after is None:
            return newest, []
        if after > newest or after < oldest - 1:
            return newest, None
        missed = events.list_after(connection, after, kinds=list(_KINDS), limit=CATCH_UP_MAX + 1)
        return newest, None if len(missed) > CATCH_UP_MAX else missed

    return await request.services.store.read(read)


async def _changes(request: GraphQLRequest, scope: RuntimeScope, happened: Iterable[Event]) -> AsyncIterator[Row]:
    """Show changes of the runtimes in scope, each runtime as it is now."""
    latest = {_subject_of(event): event for event in happened}  # the last of each counts
    if not latest:
        return
    reach = request.reach(Permission.INTEGRATION_MGT_VIEW)
    keys = [event.runtime_key for event in latest.values() if event.runtime_key is not None]
    gone = [event for event in latest.values() if event.kind in _GONE]

    def read(connection: Connection) -> tuple[dict[int, RuntimeRow], Elsewheres, frozenset[int]]:
        found = runtime_rows.list_by_keys(connection, reach, keys, scope)
        return (
            found,
            runtime_rows.list_elsewhere(connection, reach, list(found.values())),
            _inside(connection, reach, scope, gone),
        )

    rows, elsewhere, gone_here = await request.services.store.read(read)
    commands = await _commands(request, [e.detail for e in latest.values() if e.kind in _OF_COMMANDS])
    for event in sorted(latest.values(), key=lambda event: event.sequence):
        row = None if event.runtime_key is None else rows.get(event.runtime_key)
        if row is None and event.sequence not in gone_here:
            continue
        told = None if row is None or row.retired_at is not None else RuntimeView(request, row, elsewhere)
        command = commands.get(event.detail)
        if command is None and event.kind in _OF_COMMANDS:
            continue  # one that the control plane sent by itself
        yield {
            "sequence": event.sequence,
            "at": event.at,
            "resync": False,
            "kind": _KINDS[event.kind],
            "runtime": told,
            "runtime_key": row.id if row is not None else _id_of_removed(event),
            "command": None if command is None or row is None else shown(command, RuntimeView(request, row, elsewhere)),
        }


def _inside(connection: Connection, reach: Reach, scope: RuntimeScope, gone: list[Event]) -> frozenset[int]:
    """Tell which of the events that have no runtime to ask belong to a scope and a reach, by their sequence."""
    if not gone:
        return frozenset()
    environment = None if scope.environment is None else tenancy.find_environment(connection, scope.environment)
    project = None if scope.project is None else tenancy.find_project(connection, scope.project)
    integration = (
        None
        if scope.project is None or scope.integration is None
        else tenancy.find_integration(connection, scope.project, scope.integration)
    )
    asked = (scope.environment, scope.project, scope.integration)
    places = [None if found is None else found.id for found in (environment, project, integration)]

    def is_inside(event: Event) -> bool:
        told = (event.environment_id, event.project_id, event.integration_id)
        of_secret = event.kind is EventKind.DESIRED_CHANGED or scope.secret_key_id in {None, event.key_id}
        place = Place(
            project_id=event.project_id, integration_id=event.integration_id, environment_id=event.environment_id
        )
        return (
            of_secret
            and reach.covers(place)
            and all(handle is None or id_ == place for handle, id_, place in zip(asked, told, places, strict=True))
        )

    return frozenset(event.sequence for event in gone if is_inside(event))


def _subject_of(event: Event) -> tuple[str, int | str | None]:
    if event.kind in _OF_COMMANDS:
        return ("command", event.detail)
    if event.kind is EventKind.DESIRED_CHANGED:
        return ("desired", f"{event.integration_id} {event.environment_id}")
    return ("runtime", event.runtime_key)


def _id_of_removed(event: Event) -> str | None:
    return event.detail if event.kind is EventKind.RUNTIME_REMOVED else None


async def _commands(request: GraphQLRequest, ids: list[str]) -> dict[str, Command]:
    reach = request.reach(Permission.INTEGRATION_MGT_VIEW)
    if not ids:
        return {}
    found = await request.services.store.read(lambda c: command_rows.list_by_ids(c, reach, ids))
    return {command.id: command for command in found}


def _resync(request: GraphQLRequest, sequence: int) -> Row:
    return {
        "sequence": sequence,
        "at": request.now,
        "resync": True,
        "kind": None,
        "runtime": None,
        "runtime_key": None,
        "command": None,
    }
