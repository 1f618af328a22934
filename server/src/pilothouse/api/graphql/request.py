"""What one GraphQL request carries to its resolvers, and what it has read already."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeAlias

from graphql import GraphQLResolveInfo

from pilothouse.access.grants import Reach, Subject, reach
from pilothouse.access.permissions import Permission
from pilothouse.api.context import Services
from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.presence.board import Counts
from pilothouse.storage import runtime_rows
from pilothouse.storage.unit import Connection


class GraphQLRequest:
    """One request: who asks, when, and the tallies and documents that several of its fields share."""

    def __init__(self, services: Services, subject: Subject) -> None:
        self.services = services
        self.subject = subject
        self.now: Instant = services.clock.now()
        self._documents: dict[str, asyncio.Future[ArtifactSet]] = {}
        self._wanted: list[str] = []

    def reach(self, permission: Permission) -> Reach:
        """Tell how far one of the caller's permissions reaches."""
        return reach(self.subject, permission)

    @cached_property
    def counts_by_environment(self) -> dict[str, Counts]:
        """Runtimes by state, for every environment."""
        return self.services.board.counts_by("environment_id", self.now)

    @cached_property
    def counts_by_project(self) -> dict[str, Counts]:
        """Runtimes by state, for every project."""
        return self.services.board.counts_by("project_id", self.now)

    @cached_property
    def counts_by_integration(self) -> dict[str, Counts]:
        """Runtimes by state, for every integration."""
        return self.services.board.counts_by("integration_id", self.now)

    async def artifacts(self, digest: str) -> ArtifactSet:
        """Read an artifact set; all that are asked for at the same time are read by one statement."""
        if digest not in self._documents:
            loop = asyncio.get_running_loop()
            self._documents[digest] = loop.create_future()
            self._wanted.append(digest)
            if len(self._wanted) == 1:
                loop.call_soon(lambda: asyncio.ensure_future(self._read_wanted()))
        return await self._documents[digest]

    async def _read_wanted(self) -> None:
        digests, self._wanted = self._wanted, []
        try:
            documents = await self.services.store.read(_reading(digests))
        except Exception as error:  # noqa: BLE001 - handed to every field that waits
            for digest in digests:
                self._documents[digest].set_exception(error)
            return
        for digest in digests:
            document = documents.get(digest)
            self._documents[digest].set_result(ArtifactSet() if document is None else artifact_set.decode(document))


Info: TypeAlias = "GraphQLResolveInfo[GraphQLRequest]"
"""What a resolver is told; its `context` is the request."""


def _reading(digests: Sequence[str]) -> Callable[[Connection], dict[str, bytes]]:
    return lambda connection: runtime_rows.list_artifacts(connection, digests)
