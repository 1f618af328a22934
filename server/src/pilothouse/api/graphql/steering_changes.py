"""Mutations of desired states."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ariadne import MutationType

from pilothouse.api.graphql.commands import is_running, shown, where
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.steering import desired_state
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.domain.steering import Aspect, SteerableKind
from pilothouse.operations import steering
from pilothouse.operations.steering import Changed, Life
from pilothouse.storage import desired
from pilothouse.storage.desired import DesiredChange

mutation = MutationType()
bindables = (mutation,)


@mutation.field("changeArtifact")
async def change_artifact(_: Any, info: Info, input: Row) -> Row:
    """Set what is desired of an artifact."""
    return await _change(
        info.context,
        input,
        kind=input["kind"],
        name=input["name"],
        package=input.get("package"),
        aspect=input["aspect"],
        value=str(input["value"]).lower() if input["aspect"] is not Aspect.LEVEL else str(input["value"]).upper(),
    )


@mutation.field("changeLogLevel")
async def change_log_level(_: Any, info: Info, input: Row) -> Row:
    """Set the level that is desired of a logger."""
    return await _change(
        info.context,
        input,
        kind=SteerableKind.LOGGER,
        name=input["logger"],
        package=None,
        aspect=Aspect.LEVEL,
        value=str(input["level"]).upper(),
    )


@mutation.field("resetLogLevel")
async def reset_log_level(_: Any, info: Info, input: Row) -> Row:
    """Go back to the level that the program itself set."""
    request = info.context
    changed = await request.services.store.write(
        lambda tx: steering.reset_log_level(
            tx, request.subject, where(input), input["logger"], life=_life(request), now=request.now
        )
    )
    return await _changed(request, changed)


@mutation.field("forgetDesiredState")
async def forget_desired_state(_: Any, info: Info, input: Row) -> bool:
    """Forget what is desired."""
    request = info.context
    return await request.services.store.write(
        lambda tx: steering.forget(
            tx,
            request.subject,
            where(input),
            kind=input["kind"],
            name=input["name"],
            package=input.get("package"),
            aspect=input["aspect"],
            life=_life(request),
            now=request.now,
        )
    )


async def _change(
    request: GraphQLRequest,
    input: Row,
    *,
    kind: SteerableKind,
    name: str,
    package: str | None,
    aspect: Aspect,
    value: str,
) -> Row:
    changed = await request.services.store.write(
        lambda tx: steering.change_artifact(
            tx,
            request.subject,
            where(input),
            kind=kind,
            name=name,
            package=package,
            aspect=aspect,
            value=value,
            life=_life(request),
            now=request.now,
        )
    )
    return await _changed(request, changed)


async def _changed(request: GraphQLRequest, changed: Changed) -> Row:
    for command in changed.commands:
        request.services.agenda.boost(command.runtime_key, request.now)
    keys = list(dict.fromkeys(command.runtime_key for command in changed.commands))
    rows = dict(zip(keys, await asyncio.gather(*map(request.runtimes.get, keys)), strict=True))
    wish = changed.wish
    history: Sequence[DesiredChange] = ()
    if wish is not None:
        found = await request.services.store.read(lambda c: desired.list_history(c, changed.place, [wish.target]))
        history = found[wish.target]
    return {
        "desired": None if wish is None else desired_state(wish, history, suspended=False),
        "commands": [
            shown(command, RuntimeView(request, row))
            for command in changed.commands
            if (row := rows[command.runtime_key]) is not None
        ],
        "waiting": changed.waiting,
    }


def _life(request: GraphQLRequest) -> Life:
    board, now = request.services.board, request.now

    def running_since(key: int) -> float:
        entry = board.find_key(key)
        return now if entry is None else entry.running_since

    return Life(is_running=is_running(request), running_since=running_since)
