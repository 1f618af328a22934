"""Resolvers about commands: what was asked of runtimes once, and what became of it."""

import asyncio
from typing import Any

from ariadne import MutationType, ObjectType, QueryType

from pilothouse.access.grants import sees
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.queries import scope_of
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.pages import page_request
from pilothouse.domain.commands import SEALED, Command, CommandState
from pilothouse.domain.steering import SteerableKind
from pilothouse.management.translate import call_for
from pilothouse.operations import commanding, secrets, workflows
from pilothouse.operations.asking import IsRunning
from pilothouse.operations.commanding import Question
from pilothouse.operations.seeing import place_of
from pilothouse.operations.steering import Where
from pilothouse.storage import command_rows
from pilothouse.storage.command_rows import CommandScope
from pilothouse.storage.unit import Transaction

query = QueryType()
mutation = MutationType()
command = ObjectType("Command")
bindables = (query, mutation, command)

_VIEW = Permission.INTEGRATION_MGT_VIEW
_RETRYABLE = frozenset({CommandState.FAILED, CommandState.EXPIRED})


@query.field("commands")
async def list_commands(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    filter: Row | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List commands, newest first."""
    wanted = filter or {}
    states = wanted.pop("states", None)
    runtime = wanted.pop("runtime", None)
    scope = scope_of(wanted)
    return await list_in(
        info.context,
        CommandScope(
            project=scope.project,
            integration=scope.integration,
            environment=scope.environment,
            runtime=runtime,
            states=None if states is None else tuple(states),
        ),
        first,
        after,
    )


async def list_in(request: GraphQLRequest, scope: CommandScope, first: int | None, after: str | None) -> Row:
    """List the commands of a scope."""
    page, reach = page_request("commands", first, after), request.reach(_VIEW)
    found = await request.services.store.read(lambda c: command_rows.list_rows(c, reach, scope, page))
    shown = await asyncio.gather(*(view(request, each) for each in found.nodes))  # their runtimes are read together
    return views.connection(found, nodes=shown)


@query.field("command")
async def find_command(_: Any, info: Info, id: str) -> Row | None:
    """Show one command."""
    request = info.context
    reach = request.reach(_VIEW)
    found = await request.services.store.read(lambda c: command_rows.find_row(c, reach, id))
    return None if found is None else await view(request, found)


@mutation.field("triggerArtifact")
async def trigger_artifact(_: Any, info: Info, input: Row) -> Row:
    """Run a job once, now."""
    request = info.context
    kind: SteerableKind = input["kind"]
    made = await request.services.store.write(
        lambda tx: commanding.trigger(
            tx,
            request.subject,
            input["runtime"],
            kind=kind,
            name=input["name"],
            package=input.get("package"),
            confirm=input.get("confirm"),
            is_running=is_running(request),
            now=request.now,
            rules=request.services.command_rules,
        )
    )
    return await show_asked(request, made)


@mutation.field("restartRuntime")
async def restart_runtime(_: Any, info: Info, id: str, confirm: str | None = None) -> Row:
    """Restart a Python runtime."""
    request = info.context
    made = await request.services.store.write(
        lambda tx: commanding.restart(
            tx, request.subject, id, confirm=confirm, is_running=is_running(request), now=request.now
        )
    )
    return await show_asked(request, made)


@mutation.field("askRuntime")
async def ask_runtime(_: Any, info: Info, input: Row) -> Row:
    """Ask a runtime something."""
    request = info.context
    kind = input.get("kind")
    question: Question = input["question"]

    def ask(tx: Transaction) -> Command:
        asked = commanding.ask(
            tx,
            request.subject,
            input["runtime"],
            question,
            kind=None if kind is None else str(kind),
            name=input.get("name"),
            is_running=is_running(request),
            now=request.now,
        )
        if question is not Question.LOGGERS:
            call_for(asked)  # what cannot be asked of a management API is refused now, not when it is carried out
        return asked

    return await show_asked(request, await request.services.store.write(ask))


@mutation.field("runWorkflowOperation")
async def run_workflow_operation(_: Any, info: Info, input: Row) -> Row:
    """Send a workflow operation."""
    request = info.context
    made = await request.services.store.write(
        lambda tx: workflows.run(
            tx,
            request.subject,
            where(input),
            input["operation"],
            input["params"],
            is_running=is_running(request),
            now=request.now,
        )
    )
    return await show_asked(request, made)


@mutation.field("retryCommand")
async def retry_command(_: Any, info: Info, id: str) -> Row:
    """Try a command once more."""
    request = info.context
    made = await request.services.store.write(
        lambda tx: commanding.retry(tx, request.subject, id, is_running=is_running(request), now=request.now)
    )
    return await show_asked(request, made)


@mutation.field("deleteRuntime")
async def delete_runtime(_: Any, info: Info, id: str, revoke_secret: bool | None = None) -> Row:
    """Remove a runtime, and its secret if no other one uses it."""
    request = info.context

    def remove(tx: Transaction) -> Row:
        removed = commanding.remove(tx, request.subject, id, now=request.now)
        orphan = removed.orphaned_key_id
        if revoke_secret and orphan is not None:
            secrets.revoke(tx, request.subject, orphan, now=request.now)
        return {
            "deleted": True,
            "orphaned_key_id": orphan,
            "secret_revoked": bool(revoke_secret and orphan is not None),
        }

    return await request.services.store.write(remove)


@command.field("result")
async def result_of(row: Row, info: Info) -> str | None:
    """Show what the runtime answered, to whom may ask the same."""
    if not _may_see(row, info, commanding.ANSWER_NEEDS.get(row["action"])):
        return None
    found = await info.context.results.get(row["id"])
    return None if found is None else found.decode("utf-8", "replace")


@command.field("name")
def name_of(row: Row, info: Info) -> str:
    """Name what it is about; a user, to whom may ask for users."""
    return row["name"] if _may_see(row, info, commanding.NAME_NEEDS.get(row["action"])) else ""


@command.field("reason")
def reason_of(row: Row, info: Info) -> str:
    """Say why it stands so; a runtime's words name the user."""
    if _may_see(row, info, commanding.NAME_NEEDS.get(row["action"])):
        return row["reason"]
    return "Who may change the integration sees why."


def _may_see(row: Row, info: Info, needed: Permission | None) -> bool:
    runtime = row["runtime"]
    if needed is None:
        return True
    return runtime is not None and sees(info.context.subject, needed, place_of(runtime.row))


def is_running(request: GraphQLRequest) -> IsRunning:
    """Tell operations who runs at this moment."""
    board, now = request.services.board, request.now
    return lambda key: board.is_running(key, now)


def where(input: Row) -> Where:
    """Read the place that an input names."""
    return Where(
        project=input["project"],
        integration=input["integration"],
        environment=input["environment"],
        confirm=input.get("confirm"),
    )


async def view(request: GraphQLRequest, row: Command) -> Row:
    """Show a command."""
    found = await request.runtimes.get(row.runtime_key)
    return shown(row, None if found is None else RuntimeView(request, found))


def shown(row: Command, runtime: RuntimeView | None) -> Row:
    """Show a command of a runtime that was read already."""
    value = None if row.value is None or row.aspect is None else row.value.upper()
    return {
        "id": row.id,
        "runtime": runtime,
        "action": row.action,
        "kind": row.kind,
        "name": row.name,
        "package": row.package,
        "aspect": row.aspect,
        "value": value,
        "state": row.state,
        "reason": row.reason,
        "route": row.route,
        "author": row.author,
        "attempts": row.attempts,
        "queued_at": row.queued_at,
        "delivered_at": row.delivered_at,
        "ended_at": row.ended_at,
        "next_attempt_at": row.next_attempt_at if row.is_open and row.delivered_at is not None else None,
        "deadline": row.deadline,
        "retryable": row.state in _RETRYABLE and row.action not in SEALED,
    }


async def show_asked(request: GraphQLRequest, made: Command) -> Row:
    """Show a command that a person asked for just now, and have its runtime come back soon."""
    request.services.agenda.boost(made.runtime_key, request.now)
    return await view(request, made)
