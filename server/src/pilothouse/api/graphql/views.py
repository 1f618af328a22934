"""What the schema's types read: our structs, seen as contracts/schema.graphql names them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.service import Resource, Service
from pilothouse.domain.liveness import Status, Verdict
from pilothouse.domain.runtime import Notice, RuntimeRow
from pilothouse.domain.secrets import SecretRow, expiry_notice
from pilothouse.domain.tenancy import Environment, Integration, Project
from pilothouse.observe.refusals import RefusalEntry
from pilothouse.presence.board import Board
from pilothouse.presence.entry import Counts
from pilothouse.storage.runtime_rows import Elsewhere, Elsewheres

RESOURCES_SHOWN_MAX = 1_000
_NOWHERE: Elsewheres = MappingProxyType({})
Row = dict[str, Any]  # Any: values of a GraphQL type, by field name


_SLICE = 20
"""Nodes that are executed in one go: some milliseconds."""


async def in_slices(nodes: Sequence[Any]) -> AsyncIterator[Any]:  # Any: nodes of any type
    """Go through a long list and let heartbeats through now and then.

    What the fields of nodes wait for is waited for when all nodes are there, so that it is still read together.
    """
    for number, node in enumerate(nodes):
        if number % _SLICE == 0 and number > 0:
            await asyncio.sleep(0)
        yield node


def connection(page: Page[Any], **more: Any) -> Row:  # Any: nodes of any type
    """Show a page."""
    return {
        "nodes": page.nodes if len(page.nodes) <= _SLICE else in_slices(page.nodes),
        "page_info": {"end_cursor": page.end_cursor, "has_next_page": page.has_next},
        "total_count": page.total,
        **more,
    }


def environment(request: GraphQLRequest, row: Environment) -> Row:
    """Show an environment."""
    return {**msgspec.structs.asdict(row), "runtimes": request.counts_by_environment.get(row.id, Counts())}


def project(request: GraphQLRequest, row: Project) -> Row:
    """Show a project."""
    return {**msgspec.structs.asdict(row), "runtimes": request.counts_by_project.get(row.id, Counts())}


def integration(request: GraphQLRequest, row: Integration) -> Row:
    """Show an integration."""
    return {
        **msgspec.structs.asdict(row),
        "project": {"handle": row.project_handle, "display_name": row.project_display_name},
        "runtimes": request.counts_by_integration.get(row.id, Counts()),
    }


def secret(row: SecretRow) -> Row:
    """Show a secret, never its material."""
    return {
        **msgspec.structs.asdict(row),
        "bound": row.bound,
        "environment": {
            "handle": row.environment_handle,
            "display_name": row.environment_display_name,
            "critical": row.environment_critical,
        },
        "project": _reference(row.project_handle, row.project_display_name),
        "integration": _reference(row.integration_handle, row.integration_display_name),
    }


def refusal(entry: RefusalEntry) -> Row:
    """Show a heartbeat that was refused."""
    return {**msgspec.structs.asdict(entry), **msgspec.structs.asdict(entry.sender)}


def listener(artifact: Listener) -> Row:
    """Show a listener."""
    return msgspec.structs.asdict(artifact)


def service(artifact: Service) -> Row:
    """Show a service."""
    return {
        **msgspec.structs.asdict(artifact),
        "resources": [_resource(resource) for resource in artifact.resources[:RESOURCES_SHOWN_MAX]],
        "resource_count": len(artifact.resources),
    }


def _verdict_without_beats(row: RuntimeRow, board: Board) -> Verdict:
    """Say how a runtime fares that is not on the board."""
    if row.retired_at is None and board.shared:
        return Verdict(
            status=Status.UNKNOWN,
            reason="It came to another replica of the control plane; what that one heard is known here within seconds.",
            since=row.registered_at,
        )
    return Verdict(
        status=Status.OFFLINE,
        reason="It was retired: a successor of the same name took its place.",
        since=row.retired_at or row.registered_at,
    )


class RuntimeView:
    """A runtime with its verdict of this moment."""

    def __init__(self, request: GraphQLRequest, row: RuntimeRow, elsewhere: Elsewheres = _NOWHERE) -> None:
        board = request.services.board
        entry = board.find_key(row.key)
        verdict = _verdict_without_beats(row, board) if entry is None else board.judge(entry, request.now)
        self.row = row
        self.id = row.id
        self.runtime_id = row.runtime_id
        self.name = row.name
        self.type = row.runtime_type
        self.status = verdict.status
        self.status_reason = verdict.reason
        self.status_since: Instant = verdict.since
        self.last_heartbeat_at = entry.seen_at if entry else None
        self.heartbeat_interval_seconds = entry.interval_s if entry else None
        self.offline_after_seconds = board.offline_after_s(entry) if entry else board.rules.offline_after_s
        self.address = entry.address if entry else None
        self.version = row.version
        self.environment = {
            "handle": row.environment_handle,
            "display_name": row.environment_display_name,
            "critical": row.environment_critical,
        }
        self.project = _reference(row.project_handle, row.project_display_name)
        self.integration = _reference(row.integration_handle, row.integration_display_name)
        self.registered_at = row.registered_at
        self.secret_key_id = row.key_id
        self.node = row.document.node
        self.service_count = row.service_count
        self.listener_count = row.listener_count
        others = [other for other in elsewhere.get(row.runtime_id, ()) if other.key != row.key]
        self.moved_to_key = max(
            (other.key for other in others if other.registered_at > row.registered_at), default=None
        )
        """Another runtime under the same runtimeId that registered later."""
        expiry = None if row.key_id is None else expiry_notice(row.key_id, row.secret_expires_at, request.now)
        self.warnings = [
            *row.document.warnings,
            *_warn_of_elsewhere(request, row, verdict, others),
            *(
                notice
                for notice in (expiry, request.services.board.twins_of(row.key, request.now))
                if notice is not None
            ),
        ]


def _warn_of_elsewhere(
    request: GraphQLRequest, row: RuntimeRow, verdict: Verdict, others: Sequence[Elsewhere]
) -> list[Notice]:
    """Tell of the same runtimeId elsewhere: moved if this one fell silent, a copied id file if both live (4.3)."""
    notices: list[Notice] = []
    for other in others:
        if verdict.status is Status.OFFLINE and other.registered_at > row.registered_at:
            notices.append(
                Notice(
                    code="MOVED", message=f"It reports as {other.place} now.", fix="Nothing, if it was meant to move."
                )
            )
        elif verdict.status is Status.RUNNING and not request.services.board.is_offline(other.key, request.now):
            notices.append(
                Notice(
                    code="SAME_RUNTIME_ID",
                    message=f"The same runtimeId is live as {other.place} too.",
                    fix="Give each process its own working directory or `runtimeIdFile`; do not bake the id file into an image.",
                )
            )
    return notices


def log_levels(levels: Mapping[str, str]) -> list[Row]:
    """Show log levels, by logger."""
    return [{"logger": logger, "level": level} for logger, level in sorted(levels.items())]


def _resource(resource: Resource) -> Row:
    return {"methods": sorted(resource.methods), "path": resource.path, "source": resource.source}


def _reference(handle: str | None, display_name: str | None) -> Row | None:
    return None if handle is None else {"handle": handle, "display_name": display_name}
