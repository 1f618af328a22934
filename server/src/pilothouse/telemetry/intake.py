"""Taking in telemetry: each record gets its origin, is brought within limits, is stored or counted as lost."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from pilothouse.base.errors import PilothouseError
from pilothouse.base.instants import Instant
from pilothouse.telemetry.errors import StoreBusy
from pilothouse.telemetry.model import (
    LogBatch,
    LogRecord,
    MetricBatch,
    MetricPoint,
    Origin,
    SpanBatch,
    SpanRecord,
)
from pilothouse.telemetry.senders import NotYours, Origins, RuntimeSender, Sender, Told
from pilothouse.telemetry.store import TelemetryStore

R = TypeVar("R")
B = TypeVar("B", LogBatch, MetricBatch, SpanBatch)

LOSSES_MAX = 10_000
"""Origins of which losses are remembered; beyond it the one that lost nothing for longest is forgotten."""

LOSSES_TOLD_MAX = 1_000
"""So many of them other processes are told: those that lost something last."""

DROPPED_BY_SENDER = "pilothouse.telemetry.dropped"
"""The metric in which a sender says what it dropped itself."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What of one origin's records was lost since the start."""

    origin: Origin
    refused: int
    """Records that we did not take."""
    dropped_by_sender: int
    """Records that the sender says it dropped itself."""
    last_reason: str
    last_at: Instant


class _Told(msgspec.Struct, frozen=True):
    """What a process tells the others."""

    accepted: int
    refused: int
    losses: list[Loss]


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """What of one request was not taken."""

    records: int = 0
    reason: str = ""


class Intake:
    """What every sender's records pass on their way into the store."""

    def __init__(self, store: TelemetryStore, origins: Origins, now: Callable[[], Instant]) -> None:
        self._store = store
        self._origins = origins
        self._now = now
        self._losses: dict[Origin, Loss] = {}
        self._elsewhere: list[_Told] = []
        self._noted = 0
        self.accepted = 0
        """Records stored by this process since its start."""
        self.refused = 0
        """Records refused by this process since its start."""
        self.degraded: str | None = None
        """Why records cannot be stored now; None while they can."""
        self.split: str | None = None
        """Why only a part of all records is shown here; None while all are."""

    @property
    def accepted_by_all(self) -> int:
        """Records stored by all processes that serve the database."""
        return self.accepted + sum(told.accepted for told in self._elsewhere)

    @property
    def refused_by_all(self) -> int:
        """Records refused by all processes that serve the database."""
        return self.refused + sum(told.refused for told in self._elsewhere)

    def losses(self) -> Sequence[Loss]:
        """List who lost records, by whichever process."""
        together = dict(self._losses)
        for loss in (loss for told in self._elsewhere for loss in told.losses):
            known = together.get(loss.origin)
            together[loss.origin] = loss if known is None else _sum(known, loss)
        return list(together.values())

    @property
    def changes(self) -> int:
        """Grows with whatever other processes are to know."""
        return self._noted + self.accepted

    def tell(self) -> bytes:
        """Write what other processes are to know."""
        losses = list(self._losses.values())[-LOSSES_TOLD_MAX:]
        return msgspec.msgpack.encode(_Told(self.accepted, self.refused, losses))

    def hear(self, told: Mapping[str, bytes]) -> None:
        """Take what all other processes know."""
        self._elsewhere = [msgspec.msgpack.decode(document, type=_Told) for document in told.values()]

    def note_loss(self, origin: Origin, reason: str, *, refused: int = 0, dropped_by_sender: int = 0) -> None:
        """Remember that records of an origin were lost."""
        before = self._losses.pop(origin, None)
        self._losses[origin] = Loss(
            origin=origin,
            refused=(before.refused if before else 0) + refused,
            dropped_by_sender=(before.dropped_by_sender if before else 0) + dropped_by_sender,
            last_reason=reason,
            last_at=self._now(),
        )
        self.refused += refused
        self._noted += 1
        if len(self._losses) > LOSSES_MAX:
            del self._losses[next(iter(self._losses))]

    async def take_logs(self, sender: Sender, told: Sequence[Told[LogRecord]]) -> Refusals:
        """Store lines that are within the limits; when it returns they are on disk.

        Raises: StoreBusy, StorageFull, StoreDown; then none of them is kept
        """
        owned, refusals = self._with_origins(sender, told)
        await self._keep([LogBatch(origin, records) for origin, records in owned], self._store.append_logs)
        return refusals

    async def take_metrics(self, sender: Sender, told: Sequence[Told[MetricPoint]]) -> Refusals:
        """Store points, as `take_logs` does."""
        owned, refusals = self._with_origins(sender, told)
        await self._keep([MetricBatch(origin, list(points)) for origin, points in owned], self._store.append_metrics)
        for origin, points in owned:
            for point in points:
                if point.name == DROPPED_BY_SENDER and point.values.sum >= 1:
                    self.note_loss(origin, point.resource or "unknown", dropped_by_sender=int(point.values.sum))
        return refusals

    async def take_spans(self, sender: Sender, told: Sequence[Told[SpanRecord]]) -> Refusals:
        """Store spans that are within the limits, as `take_logs` does."""
        owned, refusals = self._with_origins(sender, told)
        await self._keep([SpanBatch(origin, list(spans)) for origin, spans in owned], self._store.append_spans)
        return refusals

    def refuse(self, sender: Sender, records: int, reason: str) -> None:
        """Count records of a sender that could not be taken as they are."""
        self.note_loss(_named(sender, None), reason, refused=records)

    def _with_origins(
        self, sender: Sender, told: Sequence[Told[R]]
    ) -> tuple[list[tuple[Origin, Sequence[R]]], Refusals]:
        """Find whom records belong to; what the sender may not speak for is counted, and told it."""
        owned: list[tuple[Origin, Sequence[R]]] = []
        records, reason = 0, ""
        for one in told:
            try:
                owned.append((self._origins.of_runtime(sender, one.runtime_id), one.records))
            except NotYours as error:
                reason = str(error)
                records += len(one.records)
                self.note_loss(_named(sender, one.runtime_id), reason, refused=len(one.records))
        return owned, Refusals(records=records, reason=reason)

    async def _keep(self, batches: Sequence[B], append: Callable[[Sequence[B]], Awaitable[None]]) -> None:
        batches = [batch for batch in batches if batch.records]
        if not batches:
            return
        try:
            await append(batches)
        except StoreBusy:
            raise  # it is healthy: more arrives than it takes
        except PilothouseError as error:
            self.degraded = error.message
            raise
        self.degraded = None
        self.accepted += sum(len(batch.records) for batch in batches)


def _sum(one: Loss, other: Loss) -> Loss:
    newer = one if one.last_at >= other.last_at else other
    return msgspec.structs.replace(
        newer,
        refused=one.refused + other.refused,
        dropped_by_sender=one.dropped_by_sender + other.dropped_by_sender,
    )


def _named(sender: Sender, runtime_id: str | None) -> Origin:
    """Say of whom a sender spoke, as far as it may: nothing of the tree that it may not see."""
    if isinstance(sender, RuntimeSender):
        return Origin(
            project_id=sender.project_id,
            integration_id=sender.integration_id,
            environment_id=sender.environment_id,
            runtime_id=runtime_id,
        )
    place = sender.place
    return Origin(
        project_id=place.project_id,
        integration_id=place.integration_id,
        environment_id=place.environment_id,
        runtime_id=runtime_id,
    )
