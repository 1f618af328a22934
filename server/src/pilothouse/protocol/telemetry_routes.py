"""The telemetry intake on the runtimes' port: OpenTelemetry's protocol over HTTP.

A request is read in slices of about a millisecond on the loop, one request at a time, so that heartbeats pass between
them. What waits is bounded by its octets; beyond them a sender is told to come back. An answer of success means: on disk.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Final

import msgspec
import structlog

from pilothouse.access.places import Place
from pilothouse.base.clock import Clock
from pilothouse.base.errors import PilothouseError, Refused, Unavailable
from pilothouse.base.instants import Instant
from pilothouse.observe.often import worth_a_line
from pilothouse.operations.ingest_tokens import PREFIX, IngestTokenBook
from pilothouse.protocol.exchange import Inbound, Outbound
from pilothouse.protocol.keyring import Keyring
from pilothouse.protocol.telemetry_answers import (
    IngestTokenRefused,
    MediaTypeUnknown,
    SecretNotBound,
    gunzip,
    refused,
    taken,
)
from pilothouse.protocol.token import TokenReader
from pilothouse.telemetry.errors import StoreBusy, StoreDown
from pilothouse.telemetry.intake import Intake, Refusals
from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.otlp import logs_json, metrics_json, metrics_protobuf, spans_protobuf
from pilothouse.telemetry.otlp.errors import OtlpTooMuch, OtlpUnreadable
from pilothouse.telemetry.otlp.logs import LogReader
from pilothouse.telemetry.otlp.metrics import MetricReader
from pilothouse.telemetry.otlp.spans import SpanReader
from pilothouse.telemetry.senders import CollectorSender, RuntimeSender, Sender
from pilothouse.telemetry.temporality import Differences
from pilothouse.telemetry.wso2_lines import Parting

_log = structlog.get_logger(__name__)

TELEMETRY_PATHS: Final = {"/v1/logs": "logs", "/v1/metrics": "metrics", "/v1/traces": "traces"}
_SCHEME: Final = "bearer "
_UNPACK_BESIDE_BYTES: Final = 4_096
"""What is longer may grow a thousandfold: it is unpacked beside the loop."""


class TelemetryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What of telemetry may be under way."""

    protobuf_bytes_max: int = 16 * 1024 * 1024
    """Unpacked; four times what a collector sends at once by default."""
    json_bytes_max: int = 8 * 1024 * 1024
    """Unpacked; JSON is read in one step, about 20 ms for so much."""
    queue_bytes_max: int = 64 * 1024 * 1024
    """Of all requests that wait to be read or stored. Emptied by the store; beyond it 429."""
    request_bytes: int = 2_048
    """What a request counts beside its body."""
    slices_max: int = 2_000
    """Of a millisecond or less, in which a request is read: 400,000 lines, or 100,000 points or spans."""
    answer_s: float = 9.0
    """A store that takes longer is given up: senders wait 10 s by default, and must hear when to come again."""


class TelemetryEdge:
    """Takes telemetry in."""

    def __init__(
        self,
        *,
        intake: Intake,
        keyring: Keyring,
        tokens: TokenReader,
        ingest_tokens: IngestTokenBook,
        clock: Clock,
        limits: TelemetryLimits | None = None,
    ) -> None:
        self._intake = intake
        self._keyring = keyring
        self._tokens = tokens
        self._ingest_tokens = ingest_tokens
        self._clock = clock
        self._limits = limits or TelemetryLimits()
        self._differences = Differences()
        self._turn = asyncio.Lock()
        self.queue_bytes = 0
        """Of requests that are under way."""
        self.turned_away: Counter[str] = Counter()
        """Requests that were not taken, by code; a sender that may come again loses nothing by it."""

    async def take(self, request: Inbound) -> Outbound:
        """Answer a request."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        is_json = media_type == "application/json"
        try:
            if not is_json and media_type != "application/x-protobuf":
                raise MediaTypeUnknown(
                    f"The content type is '{media_type[:100]}'.",
                    fix="Send application/x-protobuf or application/json.",
                )
            now = self._clock.now()
            sender = await self._sender(request, now)
            with self._room(len(request.body) + self._limits.request_bytes):
                raw = await self._unpacked(request, is_json=is_json)
                with self._room(len(raw) if raw is not request.body else 0):
                    sort = TELEMETRY_PATHS[request.path]
                    refusals = await self._in_time(self._take(sort, raw, sender, now, is_json=is_json))
                    return taken(refusals, sort, json=is_json)
        except PilothouseError as error:
            return self._turn_away(error, request, is_json=is_json)

    async def _in_time(self, taking: Coroutine[object, object, Refusals]) -> Refusals:
        """Give the store its time.

        Raises: StoreDown, and what taking raises
        """
        try:
            async with asyncio.timeout(self._limits.answer_s):
                return await taking
        except TimeoutError:
            late = StoreDown(f"The telemetry store did not answer within {self._limits.answer_s:g} s.")
            self._intake.degraded = late.message
            raise late from None

    async def _take(self, sort: str, raw: bytes, sender: Sender, now: Instant, *, is_json: bool) -> Refusals:
        now_ns = int(now * NS_A_SECOND)
        if sort == "logs":
            return await self._take_logs(raw, sender, now_ns, is_json=is_json)
        if sort == "metrics":
            return await self._take_metrics(raw, sender, now_ns, is_json=is_json)
        return await self._take_spans(raw, sender, now_ns, is_json=is_json)

    async def _take_logs(self, raw: bytes, sender: Sender, now_ns: int, *, is_json: bool) -> Refusals:
        reader = LogReader(now_ns)
        await self._read(lambda: logs_json.read_json(reader, raw) if is_json else reader.protobuf(raw))
        if not isinstance(sender, CollectorSender):
            return await self._intake.take_logs(sender, reader.told)
        parting = Parting()
        await self._read(lambda: parting.part(reader.told))
        refusals = await self._intake.take_logs(sender, parting.lines)
        if parting.points:
            more = await self._intake.take_metrics(sender, parting.points)
            refusals = Refusals(records=refusals.records + more.records, reason=refusals.reason or more.reason)
        return refusals

    async def _take_metrics(self, raw: bytes, sender: Sender, now_ns: int, *, is_json: bool) -> Refusals:
        reader = MetricReader(now_ns, self._differences, sender)
        read = metrics_json.read_json if is_json else metrics_protobuf.read_protobuf
        try:
            await self._read(lambda: read(reader, raw))
            refusals = await self._intake.take_metrics(sender, reader.told)
        except BaseException:
            reader.undo()
            raise
        return self._with(refusals, sender, reader.not_taken, "summaries and changes without a total cannot be kept")

    async def _take_spans(self, raw: bytes, sender: Sender, now_ns: int, *, is_json: bool) -> Refusals:
        reader = SpanReader(now_ns)
        await self._read(lambda: reader.json(raw) if is_json else spans_protobuf.read_protobuf(reader, raw))
        refusals = await self._intake.take_spans(sender, reader.told)
        return self._with(refusals, sender, reader.not_taken, "spans without trace and span id belong to no trace")

    def _with(self, refusals: Refusals, sender: Sender, records: int, reason: str) -> Refusals:
        """Add what the reader did not take."""
        if not records:
            return refusals
        self._intake.refuse(sender, records, reason)
        return Refusals(
            records=refusals.records + records,
            reason=f"{refusals.reason}; {reason}" if refusals.reason else reason,
        )

    async def _read(self, begin: Callable[[], Generator[None]]) -> None:
        """Read a request, one at a time and in slices.

        Raises: OtlpTooMuch, OtlpUnreadable
        """
        async with self._turn:
            try:
                for count, _ in enumerate(begin()):
                    if count == self._limits.slices_max:
                        raise OtlpTooMuch("400,000 lines, 100,000 points or 100,000 spans")
                    await asyncio.sleep(0)
            except (ValueError, OverflowError) as error:
                raise OtlpUnreadable(str(error)[:200]) from None

    async def _unpacked(self, request: Inbound, *, is_json: bool) -> bytes:
        limit = self._limits.json_bytes_max if is_json else self._limits.protobuf_bytes_max
        encoding = (request.content_encoding or "identity").strip().lower()
        if encoding == "identity":
            return request.body  # the exchange's own limit is lower
        if encoding != "gzip":
            raise MediaTypeUnknown(
                f"The body is packed with '{encoding[:40]}'.", fix="Pack it with gzip, or not at all."
            )
        if len(request.body) <= _UNPACK_BESIDE_BYTES:
            return gunzip(request.body, limit)
        return await asyncio.to_thread(gunzip, request.body, limit)

    async def _sender(self, request: Inbound, now: Instant) -> Sender:
        """Find out who sends.

        Raises: TokenError, KeyUnknown, KeyRevoked, KeyExpired, KeyRevoking, IngestTokenRefused, SecretNotBound
        """
        told = request.authorization or ""
        if told[: len(_SCHEME)].lower() == _SCHEME and told[len(_SCHEME) :].startswith(PREFIX):
            return await self._collector(told[len(_SCHEME) :], now)
        key = await self._keyring.load(self._tokens.key_id(request.authorization))
        self._tokens.verify(request.authorization, key.signing, now)
        self._keyring.note_use(key, now)
        binding = key.facts.binding
        if binding is None:
            raise SecretNotBound(fix="Nothing, if the runtime is starting: it binds its secret by its first heartbeat.")
        return RuntimeSender(
            key_id=key.facts.key_id,
            project_id=binding.project_id,
            integration_id=binding.integration_id,
            environment_id=key.facts.environment_id,
        )

    async def _collector(self, token: str, now: Instant) -> CollectorSender:
        found = await self._ingest_tokens.find(token, now)
        if found is None:
            raise IngestTokenRefused(fix="Make another ingest token, and give it to the collector.")
        place = Place(
            project_id=found.project_id, integration_id=found.integration_id, environment_id=found.environment_id
        )
        return CollectorSender(token_id=found.id, place=place)

    @contextmanager
    def _room(self, size_bytes: int) -> Generator[None]:
        if self.queue_bytes + size_bytes > self._limits.queue_bytes_max:
            raise StoreBusy(wait_s=1.0)
        self.queue_bytes += size_bytes
        try:
            yield
        finally:
            self.queue_bytes -= size_bytes

    def _turn_away(self, error: PilothouseError, request: Inbound, *, is_json: bool) -> Outbound:
        self.turned_away[error.code] += 1
        times = self.turned_away[error.code]
        if worth_a_line(times):
            _log.warning(
                "telemetry.turned_away",
                code=error.code,
                cause=error.message,
                fix=error.fix,
                path=request.path,
                address=request.address,
                times=times,
            )
        if not isinstance(error, Refused | Unavailable):
            error = Unavailable()
        return refused(error, json=is_json)
