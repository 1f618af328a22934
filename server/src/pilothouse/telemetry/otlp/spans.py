"""Spans: what becomes of them, and how JSON tells them."""

from collections.abc import Generator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from pilothouse.telemetry.limits import DEFAULT_LIMITS, DROPPED, TOLD_TIME, tidy_span
from pilothouse.telemetry.model import NS_A_SECOND, Attributes, AttributeValue, SpanKind, SpanRecord
from pilothouse.telemetry.otlp.effort import Pace
from pilothouse.telemetry.otlp.json_text import decode
from pilothouse.telemetry.otlp.naming import RUNTIME_IDS, runtime_id_of, service_of, who
from pilothouse.telemetry.otlp.values import KeyValue, Resource, Whole, plain
from pilothouse.telemetry.senders import Told

SLICE_SPANS: Final = 50
"""Spans between two breaks in which others may work, about a millisecond."""
_KINDS: Final = (
    SpanKind.INTERNAL,
    SpanKind.INTERNAL,
    SpanKind.SERVER,
    SpanKind.CLIENT,
    SpanKind.PRODUCER,
    SpanKind.CONSUMER,
)
FAILED: Final = 2
EXCEPTION: Final = "exception"
EVENTS: Final = "pilothouse.events"
"""The attribute in which a span keeps what happened within it, but for an exception, whose attributes are its own: a list of
maps with `name`, `at_ns` (nanoseconds since 1970, as text: too large for JavaScript's numbers) and `attributes`."""
_EVENTS_MAX: Final = 64
_DURATION_MAX_NS: Final = 2**63 - 1
_ICP, _ICP_PLAIN = RUNTIME_IDS

Event: TypeAlias = tuple[str, Whole, Attributes]
"""An event: its name, when, and its attributes."""


class SpanReader:
    """Reads one request; what it has read lies in `told`."""

    def __init__(self, observed_ns: int) -> None:
        self._observed_ns = observed_ns
        self._earliest_ns = observed_ns - int(DEFAULT_LIMITS.behind_s_max * NS_A_SECOND)
        self._latest_ns = observed_ns + int(DEFAULT_LIMITS.ahead_s_max * NS_A_SECOND)
        self._by_runtime: dict[str | None, list[SpanRecord]] = {}
        self.not_taken = 0
        """Spans without the ids that make them part of a trace."""

    @property
    def told(self) -> list[Told[SpanRecord]]:
        """The spans of each runtime."""
        return [Told(runtime_id, records) for runtime_id, records in self._by_runtime.items()]

    def json(self, raw: bytes) -> Generator[None]:
        """Read the same from JSON.

        Raises: OtlpUnreadable, ValueError when a number is none
        """
        request = decode(_DECODER, raw)
        pace = Pace(SLICE_SPANS)
        for of_resource in request.resource_spans:
            resource = plain(of_resource.resource.attributes)
            if pace.due(0):
                yield
            for of_scope in of_resource.scope_spans:
                if pace.due(0):
                    yield
                for span in of_scope.spans:
                    self._add(resource, _of_json(span, resource))
                    if pace.due(0):
                        yield

    def take(
        self,
        begun_ns: int,
        ended_ns: int,
        trace_id: str,
        span_id: str,
        parent_id: str,
        name: str,
        kind: int,
        service: str,
        attributes: Attributes,
        runtime_id: str | None,
        *,
        failed: bool,
    ) -> None:
        """Take a span whose ids are ids, and whose attributes are each within the limits."""
        limits = DEFAULT_LIMITS
        if _ICP in attributes or _ICP_PLAIN in attributes:
            runtime_id = runtime_id_of(attributes) or runtime_id
        if len(attributes) > limits.attributes_max:
            dropped = len(attributes) - limits.attributes_max
            attributes = dict(islice(attributes.items(), limits.attributes_max))
            attributes[DROPPED] = dropped
        at_ns = begun_ns
        if not self._earliest_ns <= at_ns <= self._latest_ns:
            if at_ns:
                attributes[TOLD_TIME] = str(at_ns)
            at_ns = self._observed_ns
        record = SpanRecord(
            at_ns=at_ns,
            duration_ns=min(max(ended_ns - begun_ns, 0), _DURATION_MAX_NS),
            trace_id=trace_id,
            span_id=span_id,
            parent_id=parent_id,
            name=name[: limits.value_characters_max],
            kind=kind_of(kind),
            service=service,
            failed=failed,
            attributes=attributes,
        )
        taken = self._by_runtime.get(runtime_id)
        if taken is None:
            taken = self._by_runtime[runtime_id] = []
        taken.append(record)

    def _add(self, resource: Attributes, told: SpanRecord) -> None:
        span = tidy_span(told, self._observed_ns)
        if span is None:
            self.not_taken += 1
            return
        runtime_id = runtime_id_of(span.attributes) or runtime_id_of(resource)
        self._by_runtime.setdefault(runtime_id, []).append(span)


def happened_within(events: Sequence[Event]) -> Attributes:
    """What happened within a span, as an attribute of it; none for exceptions alone."""
    happened: list[AttributeValue] = [
        {"name": name, "at_ns": str(at_ns), "attributes": dict(attributes)}
        for name, at_ns, attributes in events
        if name != EXCEPTION
    ]
    return {EVENTS: happened[:_EVENTS_MAX]} if happened else {}


def _described(said: Attributes, own: Attributes, events: Sequence[Event]) -> Attributes:
    """What is said of a span: who made it, what happened within it, what it says itself."""
    # What happened stands before its own attributes: of those there may be more than are kept.
    kept = said | happened_within(events) | own
    for name, _, attributes in events:
        if name == EXCEPTION:
            kept |= attributes
    return kept


class _Happened(msgspec.Struct, frozen=True, rename="camel", gc=False):
    name: str = ""
    time_unix_nano: Whole = 0
    attributes: list[KeyValue] = []


class _Status(msgspec.Struct, frozen=True, gc=False):
    code: int | str = 0


class _Span(msgspec.Struct, frozen=True, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: Whole = 0
    end_time_unix_nano: Whole = 0
    attributes: list[KeyValue] = []
    events: list[_Happened] = []
    status: _Status = _Status()


class _ScopeSpans(msgspec.Struct, frozen=True, gc=False):
    spans: list[_Span] = []


class _ResourceSpans(msgspec.Struct, frozen=True, rename="camel", gc=False):
    resource: Resource = Resource()
    scope_spans: list[_ScopeSpans] = []


class _Request(msgspec.Struct, frozen=True, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans] = []


_DECODER: Final = msgspec.json.Decoder(_Request)
_NAMED_KINDS: Final[Sequence[str]] = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


def _of_json(span: _Span, resource: Attributes) -> SpanRecord:
    events: list[Event] = [(each.name, each.time_unix_nano, plain(each.attributes)) for each in span.events]
    begun_ns, kind = int(span.start_time_unix_nano), span.kind
    if isinstance(kind, str):
        name = kind.removeprefix("SPAN_KIND_")
        kind = _NAMED_KINDS.index(name) if name in _NAMED_KINDS else 0
    return SpanRecord(
        at_ns=begun_ns,
        duration_ns=int(span.end_time_unix_nano) - begun_ns,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        name=span.name,
        kind=kind_of(kind),
        service=service_of(resource),
        failed=span.status.code in (FAILED, "STATUS_CODE_ERROR"),
        attributes=_described(who(resource), plain(span.attributes), events),
    )


def kind_of(number: int) -> SpanKind:
    """Return what kind of span a number says; what is not known is internal."""
    return _KINDS[number] if 0 <= number < len(_KINDS) else SpanKind.INTERNAL
