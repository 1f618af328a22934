"""Telemetry's parts: the store that the settings name, the intake before it, and its periodic work."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from pilothouse.access.places import EVERYWHERE
from pilothouse.app.embedded import embedded_settings
from pilothouse.app.home_id import Homes, home_id
from pilothouse.base.clock import Clock
from pilothouse.config import Settings
from pilothouse.observe.figures import Figures
from pilothouse.operations.telemetry_origins import OriginBook
from pilothouse.presence import Board
from pilothouse.protocol.telemetry_routes import TelemetryEdge
from pilothouse.storage import telemetry_origins, tenancy
from pilothouse.storage.replicas import ReplicaRow
from pilothouse.storage.unit import Store
from pilothouse.telemetry.intake import Intake
from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.opening import OpenedOnUse
from pilothouse.telemetry.retention import parse_keep
from pilothouse.telemetry.senders import CollectorSender
from pilothouse.telemetry.store import TelemetryStore
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.footing import Footing
from pilothouse.telemetry.stores.memory import MemoryStore

RETAIN_EVERY_S = 600.0
"""What is past its time is kept so much longer, at most."""
_FORGET_ORIGINS_S = 90 * 86_400.0
"""Runtimes that went are remembered so long; records that come later than that are unclaimed."""
_TOGETHER: Final = "Set PILOTHOUSE_TELEMETRY_STORE=opensearch on all of them, with one cluster."
_log = structlog.get_logger(__name__)


def telemetry_store(settings: Settings, origins: OriginBook, footing: Footing | None = None) -> TelemetryStore:
    """Make the store; its process is started by the first who needs it.

    footing: the embedded store's, where another process has it
    """
    embedded = embedded_settings(settings)

    async def open_embedded() -> TelemetryStore:
        return await EmbeddedStore.open(embedded)

    if footing is not None:
        return EmbeddedStore(footing, budget_bytes=embedded.budget_bytes)
    if settings.telemetry_store == "opensearch":
        return _in_opensearch(settings, origins)
    return MemoryStore() if settings.telemetry_store == "memory" else OpenedOnUse(open_embedded)


def _in_opensearch(settings: Settings, origins: OriginBook) -> TelemetryStore:
    """Make the store in a cluster; its client is an extra, and asked for by those alone who chose it.

    Raises: CannotStart
    """
    from pilothouse.telemetry.stores.opensearch.client import OpenSearchStore
    from pilothouse.telemetry.stores.opensearch.settings import OpenSearchSettings, read_urls

    cluster = OpenSearchSettings(
        urls=read_urls(settings.opensearch_url),
        username=settings.opensearch_username,
        password=settings.opensearch_password or "",
        api_key=settings.opensearch_api_key or "",
        ca_file=settings.opensearch_ca_file,
        insecure=settings.opensearch_insecure,
        prefix=settings.opensearch_prefix,
        wso2=settings.opensearch_wso2,
    )

    anywhere = CollectorSender(token_id="", place=EVERYWHERE)

    async def open_cluster() -> TelemetryStore:
        return await OpenSearchStore.open(cluster, lambda runtime_id: origins.of_runtime(anywhere, runtime_id))

    return OpenedOnUse(open_cluster)


class Telemetry:
    """The store, whom records belong to, and the way in."""

    def __init__(
        self, settings: Settings, database: Store, board: Board, clock: Clock, footing: Footing | None = None
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self.origins = OriginBook(board)
        self.store = telemetry_store(settings, self.origins, footing)
        self.intake = Intake(self.store, self.origins, clock.now)
        self._keep = parse_keep(settings.telemetry_keep)
        self.homes = Homes()
        self._elsewhere: list[str] = []
        """The hosts of other homes from which the database is served."""

    def show(self, figures: Figures, edge: TelemetryEdge) -> None:
        """Show what passes the intake."""
        intake = self.intake
        figures.counter(
            "pilothouse_telemetry_records",
            "Records of telemetry, stored or refused.",
            "outcome",
            lambda: {"stored": intake.accepted, "refused": intake.refused},
        )
        figures.counter(
            "pilothouse_telemetry_turned_away",
            "Requests with telemetry that were not taken; of BUSY and the like the sender comes again.",
            "code",
            lambda: edge.turned_away,
        )
        figures.gauge(
            "pilothouse_telemetry_queue_bytes",
            "Telemetry that waits to be read or stored.",
            lambda: edge.queue_bytes,
        )
        figures.gauge(
            "pilothouse_telemetry_degraded",
            "1 while telemetry cannot be stored.",
            lambda: intake.degraded is not None,
        )

    def note_others(self, own_host: str, others: Sequence[ReplicaRow]) -> None:
        """Look whether the database is served from other homes, too: each has an embedded store of its own, and shows that alone.

        Names of machines may be alike, as of containers, and one machine may have several homes.
        """
        hosts = self.homes.elsewhere(own_host, {row.id: row.host for row in others})
        if self._settings.telemetry_store != "embedded" or hosts == self._elsewhere:
            return
        self._elsewhere = hosts
        if not hosts:
            self.intake.split = None
            _log.info("telemetry.together")
            return
        self.intake.split = (
            f"{len(hosts) + 1} machines or homes serve this database, and each keeps the logs, metrics and traces that come to"
            f" it: here only a part is shown. {_TOGETHER}"
        )
        _log.warning("telemetry.split", hosts=hosts, fix=_TOGETHER)

    async def begin(self) -> None:
        """Read what the last run knew, and which home this is."""
        if self._settings.telemetry_store == "embedded":
            self.homes.own = await asyncio.to_thread(home_id, self._settings.home)
        await self.origins.begin(self._database)

    async def flush(self) -> None:
        """Store what memory knows and the database does not."""
        await self.origins.flush(self._database)

    async def retain(self) -> None:
        """Remove telemetry that is past its time or too much; a store that nobody ever used stays closed."""
        now = self._clock.now()
        await self._database.write(lambda tx: telemetry_origins.forget_before(tx.connection, now - _FORGET_ORIGINS_S))
        if isinstance(self.store, OpenedOnUse) and not self.store.is_open and not self._is_there():
            return
        environments = await self._database.read(tenancy.all_environments)
        retentions = self._keep.with_ids({one.handle: one.id for one in environments})
        gone = await self.store.retain(int(now * NS_A_SECOND), retentions)
        if gone:
            _log.info("telemetry.removed", files=gone)

    def _is_there(self) -> bool:
        """Whether an earlier run left something to keep: of a cluster that is assumed."""
        if self._settings.telemetry_store == "opensearch":
            return True
        return self._settings.telemetry_store == "embedded" and (self._settings.home / "telemetry").exists()

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        await self.store.close()
