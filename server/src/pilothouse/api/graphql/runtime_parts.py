"""Resolvers of what hangs on one runtime: its artifacts by kind, its commands, its channel, whether it does as it is told."""

import msgspec

from pilothouse.api.graphql import views
from pilothouse.api.graphql.commands import list_in
from pilothouse.api.graphql.queries import runtime
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.pages import page_request, slice_of
from pilothouse.domain.artifacts import Base
from pilothouse.domain.artifacts.consumer import Consumer
from pilothouse.domain.artifacts.schedule import Schedule
from pilothouse.domain.commands import CHANNEL_CAPABILITY, CommandAction, can
from pilothouse.domain.liveness import Status
from pilothouse.domain.replicas import facts_of
from pilothouse.storage.command_rows import CommandScope, Standing

bindables = (runtime,)

STALLED_AFTER_S = 60.0
"""An open command older than this, and than twice the silence that is allowed, is a change that has stalled."""


@runtime.field("consumers")
async def consumers_of(view: RuntimeView, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List a runtime's consumers."""
    return await _kind(view, info, Consumer, "consumers", first, after)


@runtime.field("schedules")
async def schedules_of(view: RuntimeView, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List a runtime's scheduled jobs."""
    return await _kind(view, info, Schedule, "schedules", first, after)


@runtime.field("artifacts")
async def artifacts_of(
    view: RuntimeView,
    info: Info,
    kind: str | None = None,
    search: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List artifacts of every kind in one shape."""
    page = page_request("artifacts", first, after)
    found = (await info.context.artifacts(view.row.artifact_digest)).artifacts
    wanted = [
        artifact
        for artifact in found
        if (kind is None or _tag(artifact) == kind) and (not search or search.lower() in artifact.name.lower())
    ]

    def show(artifact: Base) -> Row:
        return {
            "kind": _tag(artifact),
            "name": artifact.name,
            "package": getattr(artifact, "package", ""),
            **{aspect: getattr(artifact, aspect, None) for aspect in ("state", "tracing", "statistics")},
            "facts": [{"name": name, "value": value} for name, value in facts_of(artifact)],  # pyright: ignore[reportArgumentType]
        }

    return views.connection(slice_of("artifacts", wanted, page, lambda each: (_tag(each), *each.identity)).map(show))


@runtime.field("logHandlers")
def log_handlers_of(view: RuntimeView, _info: Info) -> list[Row]:
    """List the handlers that hide what their loggers let through."""
    return [msgspec.structs.asdict(handler) for handler in view.row.document.log_handlers]


@runtime.field("capabilities")
def capabilities_of(view: RuntimeView, _info: Info) -> tuple[str, ...]:
    """List what the runtime declared."""
    return view.row.document.capabilities


@runtime.field("restartable")
def restartable_of(view: RuntimeView, _info: Info) -> bool:
    """Tell whether a restart can be asked of it."""
    return can(view.type, view.row.document.capabilities, CommandAction.RESTART)


@runtime.field("channel")
def channel_of(view: RuntimeView, info: Info) -> Row | None:
    """Show its channel."""
    if CHANNEL_CAPABILITY not in view.row.document.capabilities:
        return None
    entry = info.context.services.board.find_key(view.row.key)
    since = None if entry is None else entry.channel_since
    return {"connected": since is not None, "since": since}


@runtime.field("changes")
async def changes_of(view: RuntimeView, info: Info) -> Row:
    """Tell whether the runtime is what is desired of it; read for all runtimes of a page together."""
    request = info.context
    standing = await request.standings.get(view.row.key) or Standing()
    state, reason = _judge(request, view, standing)
    return {
        "state": state,
        "reason": reason,
        "open_commands": standing.open,
        "failed_commands": standing.failed,
    }


@runtime.field("commands")
async def commands_of(view: RuntimeView, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List a runtime's commands, newest first."""
    return await list_in(info.context, CommandScope(runtime=view.id), first, after)


@runtime.field("movedTo")
async def moved_to(view: RuntimeView, info: Info) -> RuntimeView | None:
    """Show where the same runtimeId reports now."""
    if view.status is not Status.OFFLINE or view.moved_to_key is None:
        return None
    found = await info.context.runtimes.get(view.moved_to_key)
    return None if found is None else RuntimeView(info.context, found)


def _judge(request: GraphQLRequest, view: RuntimeView, standing: Standing) -> tuple[str, str]:
    if standing.failed:
        more = f" ({standing.failed} changes failed.)" if standing.failed > 1 else ""
        return "STALLED", f"{standing.failure}{more}"
    entry = request.services.board.find_key(view.row.key)
    if standing.open and standing.oldest_queued_at is not None:
        allowed_s = max(STALLED_AFTER_S, 2 * (30.0 if entry is None else request.services.board.offline_after_s(entry)))
        age_s = request.now - standing.oldest_queued_at
        if age_s > allowed_s and view.status is Status.RUNNING:
            return "STALLED", f"It beats, but has not done for {age_s:.0f} s what it was told."
        return "CHANGING", f"{standing.open} of its commands have no outcome yet."
    if view.status is not Status.RUNNING and entry is not None and request.services.is_anything_desired(entry):
        return "CHANGING", "It is not running: what is desired of it is told to it when it is back."
    return "IN_SYNC", "Nothing is open."


async def _kind(
    view: RuntimeView,
    info: Info,
    kind: type[Consumer] | type[Schedule],
    name: str,
    first: int | None,
    after: str | None,
) -> Row:
    page = page_request(name, first, after)
    rows = (await info.context.artifacts(view.row.artifact_digest)).all(kind)
    return views.connection(slice_of(name, rows, page, lambda row: row.identity).map(msgspec.structs.asdict))


def _tag(artifact: Base) -> str:
    return str(artifact.__struct_config__.tag)
