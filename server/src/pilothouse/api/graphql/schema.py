"""Binding contracts/schema.graphql to the resolvers."""

from functools import cache
from pathlib import Path
from typing import Any

from ariadne import EnumType, ScalarType, make_executable_schema
from graphql import GraphQLSchema

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import secrets
from pilothouse.api.graphql.guard import guard
from pilothouse.api.graphql.mutations import mutation
from pilothouse.api.graphql.queries import query, runtime
from pilothouse.api.graphql.subscriptions import subscription
from pilothouse.base.instants import to_rfc3339
from pilothouse.domain.artifacts.base import ArtifactState
from pilothouse.operations.tenancy import HandleKind

date_time = ScalarType("DateTime")


@date_time.serializer
def write_instant(value: float) -> str:
    """Write an instant as RFC 3339."""
    return to_rfc3339(value)


@cache
def load_schema(path: Path) -> GraphQLSchema:
    """Read the contract and bind it.

    Raises: CannotStart when something in it declares no permission
    """
    schema = make_executable_schema(
        path.read_text(encoding="utf-8"),
        query,
        mutation,
        subscription,
        runtime,
        *secrets.bindables,
        date_time,
        *_enums(),
        convert_names_case=True,
    )
    guard(schema)
    return schema


def _enums() -> list[Any]:  # Any: Ariadne's bindables
    return [
        EnumType("Permission", {permission.name: permission for permission in Permission}),
        EnumType("ArtifactState", {state.name: state for state in ArtifactState}),
        EnumType("HandleKind", {kind.name: kind for kind in HandleKind}),
    ]
