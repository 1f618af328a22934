"""What is stored and what is forgotten in time: memory's knowledge, rows past their time, old telemetry."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
import structlog

from pilothouse.app.telemetry import RETAIN_EVERY_S, Telemetry
from pilothouse.base.clock import Clock
from pilothouse.base.errors import PilothouseError
from pilothouse.config import Settings
from pilothouse.domain.presence import Seen
from pilothouse.observe.figures import Figures
from pilothouse.operations import housekeeping, likenesses, liveness, steering
from pilothouse.operations.chores import is_round_due
from pilothouse.operations.ingest_tokens import IngestTokenBook
from pilothouse.operations.replicas import Replicas
from pilothouse.operations.tellings import Tellings
from pilothouse.operations.tokens import TokenBook
from pilothouse.presence import Board, flushing
from pilothouse.protocol.keyring import Keyring
from pilothouse.storage.unit import Store

HOUSEKEEPING_EVERY_S: Final = 3600.0
_log = structlog.get_logger(__name__)


class Upkeep(msgspec.Struct, kw_only=True, eq=False):
    """Flushing and tidying, and which of several processes does what one does for all."""

    settings: Settings
    clock: Clock
    store: Store
    board: Board
    figures: Figures
    keyring: Keyring
    tokens: TokenBook
    ingest_tokens: IngestTokenBook
    telemetry: Telemetry
    replicas: Replicas
    tellings: Tellings

    async def flush(self, *, is_end: bool = False) -> None:
        """Store what memory knows and the database does not; with others that serve it, also that this one is there, or ends."""
        await self.tokens.flush()
        await self.ingest_tokens.flush()
        await self.telemetry.flush()
        if self.replicas.is_shared:
            await self._flush_shared(is_end=is_end)
            return
        rows, used = await flushing.take(self.board, flushing.seen_of), self.keyring.take_used()
        if not rows and not used:
            return

        async def keep(part: Sequence[Seen], is_last: bool) -> None:
            await self.store.write(partial(liveness.keep, rows=part, secrets_used=used if is_last else {}))

        try:
            await flushing.store(self.board, rows, keep)
        except BaseException as error:
            self.figures.flush_failures += isinstance(error, PilothouseError)
            self.keyring.give_back(used)
            raise

    async def _flush_shared(self, *, is_end: bool) -> None:
        used = self.keyring.take_used()
        try:
            await self.replicas.flush(used, is_end=is_end)
        except BaseException as error:
            self.figures.flush_failures += isinstance(error, PilothouseError)
            self.keyring.give_back(used)
            raise
        await self.tellings.exchange(is_end=is_end)

    async def tidy_for_all(self) -> None:
        """Tidy, unless this or another process did so within the hour."""
        if await is_round_due(self.store, "tidy", HOUSEKEEPING_EVERY_S, self.clock.now()):
            await self.tidy()

    async def retain_for_all(self) -> None:
        """Remove old telemetry; out of a cluster that processes share, unless another one did so lately."""
        every_s = RETAIN_EVERY_S * 0.9  # ours come a little late
        is_shared = self.settings.telemetry_store == "opensearch"
        if not is_shared or await is_round_due(self.store, "retain", every_s, self.clock.now()):
            await self.telemetry.retain()

    async def tidy(self) -> None:
        """Forget what is past its time."""
        now = self.clock.now()
        days = self.settings.audit_retention_days
        retention = housekeeping.Retention(audit_s=days * 86_400.0 if days else None)
        forgotten = await self.store.write(lambda tx: housekeeping.forget(tx, retention, now))
        await self.store.write(lambda tx: steering.note_absences(tx, now))
        while await self.store.write(likenesses.sum_up):
            pass  # a part at a time: heartbeats are written between two of them
        await self.store.write(self.replicas.tidy)
        if any(msgspec.structs.astuple(forgotten)):
            _log.info("housekeeping.forgot", **msgspec.structs.asdict(forgotten))
