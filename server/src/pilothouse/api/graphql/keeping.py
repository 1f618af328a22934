"""Resolvers about what people keep for themselves."""

from typing import Any

from ariadne import EnumType, MutationType, QueryType

from pilothouse.api.graphql.request import Info
from pilothouse.operations import keeping as operations
from pilothouse.operations.keeping import KeptKind
from pilothouse.storage import kept
from pilothouse.storage.kept import KeptRow

query = QueryType()
mutation = MutationType()
kept_kind = EnumType("KeptKind", {kind.name: kind for kind in KeptKind})
bindables = (query, mutation, kept_kind)


@query.field("kept")
async def list_kept(_: Any, info: Info, kind: KeptKind) -> list[KeptRow]:  # Any: the root, unused, here and below
    """List what the caller keeps of a kind."""
    request = info.context
    return await request.services.store.read(lambda c: kept.list_of(c, request.subject.id, kind))


@mutation.field("keep")
async def keep(_: Any, info: Info, input: dict[str, Any]) -> KeptRow:  # Any: checked by the schema
    """Keep something under a name."""
    request = info.context
    return await request.services.store.write(
        lambda tx: operations.keep(
            tx, request.subject, KeptKind(input["kind"]), input["name"], input["value"], request.now
        )
    )


@mutation.field("forgetKept")
async def forget_kept(_: Any, info: Info, id: str) -> bool:
    """Keep something no longer."""
    request = info.context
    await request.services.store.write(lambda tx: operations.forget(tx, request.subject, id, request.now))
    return True
