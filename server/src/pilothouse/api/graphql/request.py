"""What one GraphQL request carries to its resolvers, and what it has read already."""

from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

import msgspec
from graphql import GraphQLResolveInfo

from pilothouse.access.grants import Reach, Subject, reach
from pilothouse.access.permissions import Permission
from pilothouse.api.context import Services
from pilothouse.api.graphql.batch import Batch
from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.presence import counting
from pilothouse.presence.entry import Counts
from pilothouse.storage import command_rows, commands, runtime_rows
from pilothouse.storage.command_rows import Standing
from pilothouse.storage.runtime_rows import RuntimeScope


class GraphQLRequest:
    """One request: who asks, when, and the tallies and documents that several of its fields share."""

    def __init__(self, services: Services, subject: Subject) -> None:
        self.services = services
        self.subject = subject
        self.refresh(services.clock.now())

    def refresh(self, now: Instant) -> None:
        """Forget what was read: a subscription asks again for every change."""
        self.now: Instant = now
        for name in ("counts", "counts_by_environment", "counts_by_project", "counts_by_integration"):
            self.__dict__.pop(name, None)
        self._documents = Batch(self._read_documents)
        self.standings = Batch(self._read_standings)
        """What stands open or failed, by runtime key."""
        self.results = Batch(self._read_results)
        """What runtimes answered, by command id."""
        self.runtimes = Batch(self._read_runtimes)
        """Rows, by runtime key."""

    async def renew(self, now: Instant) -> None:
        """Go on in a subscription: forget what was read, and hold what the caller holds by now."""
        holdings = await self.services.access.holdings(self.subject.id)
        carried = self.subject.holdings.limited_to
        if holdings.grants != self.subject.holdings.grants:
            holdings = holdings if carried is None else holdings.limited(carried)
            self.subject = msgspec.structs.replace(self.subject, holdings=holdings)
        self.refresh(now)

    def reach(self, permission: Permission) -> Reach:
        """Tell how far one of the caller's permissions reaches."""
        return reach(self.subject, permission)

    @cached_property
    def counts(self) -> Counts:
        """All runtimes that the caller may see, by state."""
        parts = self.counts_by_environment.values()
        return Counts(
            running=sum(part.running for part in parts),
            offline=sum(part.offline for part in parts),
            unknown=sum(part.unknown for part in parts),
        )

    @cached_property
    def counts_by_environment(self) -> dict[str, Counts]:
        """Runtimes by state, for every environment."""
        return self._counts_by("environment_id")

    @cached_property
    def counts_by_project(self) -> dict[str, Counts]:
        """Runtimes by state, for every project."""
        return self._counts_by("project_id")

    @cached_property
    def counts_by_integration(self) -> dict[str, Counts]:
        """Runtimes by state, for every integration."""
        return self._counts_by("integration_id")

    def _counts_by(self, dimension: str) -> dict[str, Counts]:
        """Count what the caller may see."""
        return counting.counts_by(self.services.board, dimension, self.now, self.reach(Permission.INTEGRATION_MGT_VIEW))

    async def artifacts(self, digest: str) -> ArtifactSet:
        """Read an artifact set; all that are asked for at the same time are read by one statement."""
        return await self._documents.get(digest) or ArtifactSet()

    async def _read_documents(self, digests: Sequence[str]) -> dict[str, ArtifactSet]:
        documents = await self.services.store.read(lambda c: runtime_rows.list_artifacts(c, digests))
        return {digest: artifact_set.decode(document) for digest, document in documents.items()}

    async def _read_standings(self, keys: Sequence[int]) -> dict[int, Standing]:
        return await self.services.store.read(lambda c: command_rows.standing_of(c, keys))

    async def _read_results(self, ids: Sequence[str]) -> dict[str, bytes]:
        return await self.services.store.read(lambda c: commands.list_results(c, ids))

    async def _read_runtimes(self, keys: Sequence[int]) -> dict[int, RuntimeRow]:
        reach = self.reach(Permission.INTEGRATION_MGT_VIEW)
        return await self.services.store.read(lambda c: runtime_rows.list_by_keys(c, reach, keys, RuntimeScope()))


Info: TypeAlias = "GraphQLResolveInfo[GraphQLRequest]"
"""What a resolver is told; its `context` is the request."""
