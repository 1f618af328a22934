"""Binding contracts/schema.graphql to the resolvers."""

from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from ariadne import EnumType, ScalarType, make_executable_schema
from graphql import GraphQLSchema

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import (
    alerts,
    audit,
    commands,
    events,
    explaining,
    groups,
    ingest_tokens,
    installation,
    keeping,
    log_tail,
    logs,
    mappings,
    merged,
    metrics,
    mi_users,
    not_as_wanted,
    roles,
    runtime_parts,
    secrets,
    service_map,
    steering,
    steering_changes,
    telemetry_origins,
    telemetry_state,
    tenancy,
    tokens,
    traces,
    try_it,
    users,
    viewer,
)
from pilothouse.api.graphql.guard import guard
from pilothouse.api.graphql.mutations import mutation
from pilothouse.api.graphql.queries import query
from pilothouse.api.graphql.subscriptions import subscription
from pilothouse.base.instants import to_rfc3339
from pilothouse.domain.artifacts import KINDS, Base
from pilothouse.domain.artifacts.base import ArtifactState
from pilothouse.domain.commands import CommandAction, CommandRoute, CommandState
from pilothouse.domain.steering import Aspect, SteerableKind
from pilothouse.operations.commanding import Question
from pilothouse.operations.tenancy import HandleKind
from pilothouse.storage.not_as_wanted import Trouble

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
        *audit.bindables,
        *runtime_parts.bindables,
        *secrets.bindables,
        *commands.bindables,
        *mi_users.bindables,
        *steering.bindables,
        *steering_changes.bindables,
        *users.bindables,
        *groups.bindables,
        *roles.bindables,
        *mappings.bindables,
        *explaining.bindables,
        *tenancy.bindables,
        *events.bindables,
        *merged.bindables,
        *not_as_wanted.bindables,
        *tokens.bindables,
        *ingest_tokens.bindables,
        *installation.bindables,
        *keeping.bindables,
        *alerts.bindables,
        *telemetry_origins.bindables,
        *telemetry_state.bindables,
        *logs.bindables,
        *log_tail.bindables,
        *metrics.bindables,
        *traces.bindables,
        *service_map.bindables,
        *try_it.bindables,
        *viewer.bindables,
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
        *(EnumType(kind.__name__, {member.name: member for member in kind}) for kind in _NAMED_ALIKE),
        EnumType("ArtifactKind", {_tag(kind).upper().replace("-", "_"): _tag(kind) for kind in KINDS}),
    ]


def _tag(kind: type[Base]) -> str:
    return str(kind.__struct_config__.tag)


_NAMED_ALIKE: tuple[type[StrEnum], ...] = (
    HandleKind,
    Aspect,
    SteerableKind,
    Question,
    CommandAction,
    CommandState,
    CommandRoute,
    Trouble,
)
