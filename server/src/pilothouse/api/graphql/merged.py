"""Resolvers about artifacts merged over the runtimes of a place."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from ariadne import ObjectType, QueryType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.commands import is_running
from pilothouse.api.graphql.first_of import RUNTIMES_SHOWN_MAX, first_of
from pilothouse.api.graphql.queries import check_search
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.steering import RUNTIMES_COMPARED_MAX
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.errors import NotFound
from pilothouse.base.pages import page_request, slice_of
from pilothouse.domain import merging
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.merging import Host, MergedArtifact
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.domain.tenancy import list_name
from pilothouse.operations.seeing import find_place
from pilothouse.storage import runtime_rows
from pilothouse.storage.runtime_rows import RuntimeScope
from pilothouse.storage.unit import Connection

query = QueryType()
artifact_type = ObjectType("MergedArtifact")
variant_type = ObjectType("ArtifactVariant")
bindables = (query, artifact_type, variant_type)

_VIEW = Permission.INTEGRATION_MGT_VIEW


class _Merged(msgspec.Struct, frozen=True, kw_only=True):
    """A place, merged."""

    rows: Mapping[int, RuntimeRow]
    artifacts: Sequence[MergedArtifact]


class _Refs:
    """Runtimes as they are told of, each made once."""

    def __init__(self, request: GraphQLRequest, rows: Mapping[int, RuntimeRow]) -> None:
        self._request, self._rows = request, rows
        self._made: dict[int, RuntimeView] = {}

    def of(self, keys: Sequence[int]) -> list[RuntimeView]:
        """Show some of them."""
        return [self._one(key) for key in keys[:RUNTIMES_SHOWN_MAX]]

    def _one(self, key: int) -> RuntimeView:
        if key not in self._made:
            self._made[key] = RuntimeView(self._request, self._rows[key])
        return self._made[key]


@query.field("mergedArtifacts")
async def list_merged(
    _: Any,  # Any: the root, unused
    info: Info,
    project: str,
    integration: str,
    environment: str,
    kind: str | None = None,
    search: str | None = None,
    only_differing: bool | None = None,
    only_failed: bool | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row | None:
    """List the artifacts of one integration in one environment, by kind and name."""
    request, text = info.context, (check_search(search) or "").lower()
    of = list_name(
        "mergedArtifacts", project, integration, environment, kind, text, bool(only_differing), bool(only_failed)
    )
    page = page_request(of, first, after)
    # Read and merged in the reader's thread: what many runtimes report takes long enough to keep heartbeats waiting.
    found = await request.services.store.read(
        lambda connection: _read(request, connection, project, integration, environment)
    )
    if found is None:
        return None
    wanted = [
        artifact
        for artifact in found.artifacts
        if (kind is None or artifact.kind == kind)
        and text in artifact.name.lower()
        and not (only_differing and artifact.in_sync)
        and (artifact.failed or not only_failed)
    ]
    refs = _Refs(request, found.rows)
    shown = slice_of(of, wanted, page, lambda each: (each.kind, each.name, each.package))
    return views.connection(
        shown.map(lambda each: _view(each, refs)),
        differing=sum(not artifact.in_sync for artifact in found.artifacts),
    )


def _read(
    request: GraphQLRequest, connection: Connection, project: str, integration: str, environment: str
) -> _Merged | None:
    try:
        found, _, _ = find_place(connection, request.subject, project, integration, environment)
    except NotFound:
        return None
    scope = RuntimeScope(project=project, integration=integration, environment=environment)
    rows = runtime_rows.list_all(connection, request.reach(_VIEW), scope, RUNTIMES_COMPARED_MAX)
    documents = runtime_rows.list_artifacts(connection, sorted({row.artifact_digest for row in rows}))
    sets = {digest: artifact_set.decode(document) for digest, document in documents.items()}
    runs, nothing = is_running(request), ArtifactSet()
    hosts = [
        Host(runtime_key=row.key, is_running=runs(row.key), artifacts=sets.get(row.artifact_digest, nothing))
        for row in rows
    ]
    return _Merged(rows={row.key: row for row in rows}, artifacts=merging.merge(found.runtime_type, hosts))


def _view(artifact: MergedArtifact, refs: _Refs) -> Row:
    return {
        "kind": artifact.kind,
        "name": artifact.name,
        "package": artifact.package,
        "state": artifact.state,
        "hosted_by": refs.of(artifact.hosted_by),
        "host_count": len(artifact.hosted_by),
        "missing_on": refs.of(artifact.missing_on),
        "missing_count": len(artifact.missing_on),
        "in_sync": artifact.in_sync,
        "variants": [
            {
                "differences": variant.differences,
                "runtimes": refs.of(variant.runtime_keys),
                "runtime_count": len(variant.runtime_keys),
            }
            for variant in artifact.variants
        ],
    }


@artifact_type.field("hostedBy")
def hosted_by(row: Row, _info: Info, first: int | None = None) -> list[RuntimeView]:
    """List the runtimes that host an artifact."""
    return first_of(row["hosted_by"], first)


@artifact_type.field("missingOn")
def missing_on(row: Row, _info: Info, first: int | None = None) -> list[RuntimeView]:
    """List running runtimes that do not host an artifact."""
    return first_of(row["missing_on"], first)


@variant_type.field("runtimes")
def runtimes_of_variant(row: Row, _info: Info, first: int | None = None) -> list[RuntimeView]:
    """List the runtimes that report an artifact in one form."""
    return first_of(row["runtimes"], first)
