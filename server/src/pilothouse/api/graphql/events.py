"""Resolvers about what happened: pages of events, and the events as they happen."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import msgspec
from ariadne import QueryType, SubscriptionType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.subscriptions import CATCH_UP_MAX, GATHER_S
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import read_instant
from pilothouse.base.pages import Page, page_request
from pilothouse.domain.events import Event, EventKind, kinds_of, message_of
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.storage import event_rows, events, runtime_rows, tenancy
from pilothouse.storage.event_rows import EventReach, EventScope
from pilothouse.storage.runtime_rows import RuntimeScope
from pilothouse.storage.unit import Connection

query = QueryType()
subscription = SubscriptionType()
bindables = (query, subscription)

KINDS_ASKED_MAX = 50


class _Mentioned(msgspec.Struct, frozen=True, kw_only=True):
    """What events tell of, as far as it is still there."""

    runtimes: Mapping[int, RuntimeRow]
    projects: Mapping[str, Row]
    integrations: Mapping[str, Row]
    environments: Mapping[str, Row]


@query.field("events")
async def list_events(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    filter: Row | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List events, newest first."""
    request, scope = info.context, _scope(filter or {})
    page, reach = page_request(scope.cursors_of, first, after), _reach(request)

    def read(connection: Connection) -> tuple[Page[Event], _Mentioned, int]:
        _, newest = events.bounds(connection)
        found = event_rows.list_rows(connection, reach, scope, page)
        return found, _mentioned(connection, reach, found.nodes), newest

    found, mentioned, newest = await request.services.store.read(read)
    return views.connection(found.map(lambda event: _view(request, event, mentioned)), sequence=newest)


@subscription.source("eventHappened")
async def event_happened(
    _: Any, info: Info, filter: Row | None = None, after: int | None = None
) -> AsyncGenerator[Row, None]:
    """Follow the events: what was missed first, then what happens."""
    request, scope = info.context, _scope(filter or {})
    if after is not None and after < 0:
        raise InvalidInput("A sequence is never negative.", field="after", fix="Send the last `sequence` that you saw.")
    bus = request.services.bus
    feed = bus.subscribe()  # before the gap is read, so that nothing falls in between
    held = request.subject.holdings.grants
    try:
        seen, missed = await _gap(request, scope, after)
        if missed is None:
            yield _resync(seen)
        for change in missed or ():
            yield change
        while True:
            happened, lost = await feed.take(GATHER_S)
            if feed.closed:
                return
            await request.renew(request.services.clock.now())
            held, held_before = request.subject.holdings.grants, held
            fresh = [event.sequence for event in happened if event.sequence > seen and event.kind in scope.kinds]
            seen = max([seen, *(event.sequence for event in happened)])
            for change in await _these(request, scope, fresh):
                yield change
            if lost or held != held_before:  # what was listed with other rights is to be read again
                yield _resync(seen)
    finally:
        bus.unsubscribe(feed)


@subscription.field("eventHappened")
def event_change(change: Row, _info: Info, **_arguments: Any) -> Row:  # Any: the source's arguments
    """Pass a change on."""
    return change


async def _gap(request: GraphQLRequest, scope: EventScope, after: int | None) -> tuple[int, list[Row] | None]:
    """Read what happened since the client last looked; None instead of events when it is too much or forgotten."""
    reach = _reach(request)

    def read(connection: Connection) -> tuple[int, list[Event] | None, _Mentioned]:
        oldest, newest = events.bounds(connection)
        found: list[Event] | None = []
        if after is not None:
            is_bridged = oldest - 1 <= after <= newest
            found = (
                event_rows.list_after(connection, reach, scope, after, limit=CATCH_UP_MAX + 1) if is_bridged else None
            )
        if found is not None and len(found) > CATCH_UP_MAX:
            found = None
        return newest, found, _mentioned(connection, reach, found or ())

    newest, found, mentioned = await request.services.store.read(read)
    return newest, None if found is None else [_change(request, event, mentioned) for event in found]


async def _these(request: GraphQLRequest, scope: EventScope, sequences: Sequence[int]) -> list[Row]:
    """Show of these events those that the caller sees and wants."""
    if not sequences:
        return []
    reach = _reach(request)

    def read(connection: Connection) -> tuple[list[Event], _Mentioned]:
        found = event_rows.list_these(connection, reach, scope, sequences)
        return found, _mentioned(connection, reach, found)

    found, mentioned = await request.services.store.read(read)
    return [_change(request, event, mentioned) for event in found]


def _reach(request: GraphQLRequest) -> EventReach:
    return EventReach(
        integrations=request.reach(Permission.INTEGRATION_MGT_VIEW),
        projects=request.reach(Permission.PROJECT_MGT_VIEW),
        environments=request.reach(Permission.SIGNED_IN),
    )


def _mentioned(connection: Connection, reach: EventReach, told: Sequence[Event]) -> _Mentioned:
    """Read what events tell of, all of it together."""
    keys = {event.runtime_key for event in told if event.runtime_key is not None}
    project_ids = {event.project_id for event in told if event.project_id is not None}
    integration_ids = {event.integration_id for event in told if event.integration_id is not None}
    projects, integrations = tenancy.list_names(connection, project_ids, integration_ids)
    environments = tenancy.all_environments(connection) if any(event.environment_id for event in told) else []
    rows = runtime_rows.list_by_keys(connection, reach.integrations, keys, RuntimeScope()) if keys else {}
    return _Mentioned(
        runtimes=rows,
        projects={id_: {"handle": names[0], "display_name": names[1]} for id_, names in projects.items()},
        integrations={id_: {"handle": names[0], "display_name": names[1]} for id_, names in integrations.items()},
        environments={
            each.id: {"handle": each.handle, "display_name": each.display_name, "critical": each.critical}
            for each in environments
        },
    )


def _view(request: GraphQLRequest, event: Event, mentioned: _Mentioned) -> Row:
    row = None if event.runtime_key is None else mentioned.runtimes.get(event.runtime_key)
    # A database may give the key of a runtime that is gone to a later one.
    if row is not None and (row.registered_at > event.at or row.integration_id != event.integration_id):
        row = None
    return {
        "sequence": event.sequence,
        "at": event.at,
        "kind": event.kind.value,
        "message": message_of(event, None if row is None else row.name or row.runtime_id),
        "runtime": None if row is None else RuntimeView(request, row),
        "project": mentioned.projects.get(event.project_id or ""),
        "integration": mentioned.integrations.get(event.integration_id or ""),
        "environment": mentioned.environments.get(event.environment_id or ""),
        "secret_key_id": event.key_id,
    }


def _change(request: GraphQLRequest, event: Event, mentioned: _Mentioned) -> Row:
    return {"sequence": event.sequence, "resync": False, "event": _view(request, event, mentioned)}


def _resync(sequence: int) -> Row:
    return {"sequence": sequence, "resync": True, "event": None}


def _scope(wanted: Row) -> EventScope:
    """Check a filter as it came from outside.

    Raises: InvalidInput
    """
    if wanted.get("integration") is not None and wanted.get("project") is None:
        raise InvalidInput(
            "An integration's handle is unique within its project, which is not named.",
            field="project",
            fix="Name the project beside the integration.",
        )
    asked = wanted.get("kinds")
    return EventScope(
        **{name: wanted.get(name) for name in ("project", "integration", "environment", "runtime")},
        kinds=tuple(EventKind) if asked is None else _kinds(asked),
        since=read_instant(wanted.get("from"), "from"),
        until=read_instant(wanted.get("to"), "to"),
    )


def _kinds(asked: Sequence[str]) -> tuple[EventKind, ...]:
    if len(asked) > KINDS_ASKED_MAX:
        raise InvalidInput(f"A filter has at most {KINDS_ASKED_MAX} kinds.", field="kinds", fix="Name whole things.")
    chosen: set[EventKind] = set()
    for each in asked:
        found = kinds_of(each)
        if not found:
            raise InvalidInput(
                f"'{each[:40]}' is no kind of event.",
                field="kinds",
                fix="Name whole kinds such as `runtime.offline`, or all of a thing with a dot: `runtime.`",
            )
        chosen |= set(found)
    return tuple(kind for kind in EventKind if kind in chosen)
