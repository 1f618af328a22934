"""What may be asked, and what is answered: plain values that every store understands."""

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec

from pilothouse.access.places import Place, Reach
from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry.histogram import Histogram
from pilothouse.telemetry.limits import id_of
from pilothouse.telemetry.model import Level, LogLine, Origin, Position, Span, SpanKind
from pilothouse.telemetry.statuses import Answered

LIMIT_MAX = 10_000
"""Rows of one answer. More than that is an export."""

STEPS_MAX = 5_000
"""Steps of one series or level histogram."""

REGEX_CHARACTERS_MAX = 1_000

_TRACE_DIGITS = 32

METRIC_NAMES_MAX = 500
"""Names of metrics in one answer, the first ones of the alphabet."""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Whose records and of which time: what every question begins with.

    An empty list asks for all. `from_ns` belongs to the asked time, `to_ns` does not any more.
    """

    places: tuple[Place, ...]
    """What the asker's permission reaches; nothing means nothing."""
    project_ids: tuple[str, ...] = ()
    integration_ids: tuple[str, ...] = ()
    environment_ids: tuple[str, ...] = ()
    runtime_ids: tuple[str, ...] = ()
    unclaimed: bool | None = None
    """True asks for what belongs to nobody, False for what does not."""
    from_ns: int | None = None
    to_ns: int | None = None

    @staticmethod
    def within(reach: Reach, **wanted: object) -> "Scope":
        """Make a scope of somebody's reach and of what they ask for."""
        return msgspec.convert({"places": reach.places, **wanted}, Scope)


class Admission:
    """Tells which origins a scope lets through."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._reach = Reach(scope.places)
        self.everything = (
            self._reach.everything
            and scope.unclaimed is None
            and not (scope.project_ids or scope.integration_ids or scope.environment_ids or scope.runtime_ids)
        )
        """Whether no origin is turned away."""

    def admits(self, origin: Origin) -> bool:
        """Tell whether an origin's records may be seen and were asked for."""
        scope = self._scope
        return (
            (not scope.project_ids or origin.project_id in scope.project_ids)
            and (not scope.integration_ids or origin.integration_id in scope.integration_ids)
            and (not scope.environment_ids or origin.environment_id in scope.environment_ids)
            and (not scope.runtime_ids or origin.runtime_id in scope.runtime_ids)
            and scope.unclaimed in (None, origin.unclaimed)
            and self._within_reach(origin)
        )

    def _within_reach(self, origin: Origin) -> bool:
        if origin.unclaimed:
            return self._reach.everything
        place = Place(
            project_id=origin.project_id, integration_id=origin.integration_id, environment_id=origin.environment_id
        )
        return self._reach.covers(place)


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of a scope are meant; all conditions must hold."""

    levels: tuple[Level, ...] = ()
    phrase: str = ""
    """Anywhere in the message."""
    ignore_case: bool = False
    """Of `phrase`."""
    token: str = ""
    """A whole word, identifier, order number or trace id in the message, or the line's own trace id; found by an index."""
    regex: str = ""
    """RE2: answers in linear time whatever it says."""
    trace_id: str = ""
    logger: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Key and value, compared as text; a key is the attribute's whole name, dots included."""
    answered: Answered | None = None
    """Of requests that were answered so."""


class LogQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the list of lines, by time."""

    scope: Scope
    filter: LogFilter = LogFilter()
    newest_first: bool = True
    after: Position | None = None
    """The position of the last line seen; the list goes on behind it, in its direction."""
    limit: int = 100


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list of lines and whether it goes on."""

    lines: Sequence[LogLine]
    more: bool

    @property
    def end(self) -> Position | None:
        """Where to go on."""
        return self.lines[-1].position if self.lines else None


class ArrivalQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Lines in the order of their arrival, for those who follow: none is missed, however late its time."""

    scope: Scope
    filter: LogFilter = LogFilter()
    after: int
    """The number of the last arrival that was looked at."""
    limit: int = 500


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that arrived, and up to where was looked."""

    lines: Sequence[LogLine]
    looked_until: int
    """Pass it as `after` the next time."""


class Dimension(Enum):
    """What metrics can be told apart by."""

    PROJECT = "project"
    INTEGRATION = "integration"
    ENVIRONMENT = "environment"
    RUNTIME = "runtime"
    SERVICE = "service"
    RESOURCE = "resource"
    STATUS = "status"


class MetricQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a scope, told apart by dimensions and, if asked, by steps of time. The scope must be bounded in time."""

    scope: Scope
    name: str
    by: tuple[Dimension, ...] = ()
    services: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    outbound: bool = False
    step_s: int | None = None
    """Length of a step, a multiple of 60; None makes one step of the whole time."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in one step: successful and failed apart."""

    succeeded: Histogram
    failed: Histogram

    @property
    def count(self) -> int:
        """Requests, or additions of a counter, or measurements of a gauge."""
        return self.succeeded.count + self.failed.count

    @property
    def error_rate(self) -> float:
        """Failed of all, 0 to 1."""
        return self.failed.count / self.count if self.count else 0.0

    @property
    def all(self) -> Histogram:
        """Both together."""
        return self.succeeded.merge(self.failed)


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table or line of a chart."""

    key: tuple[str | None, ...]
    """In the order of `by`."""
    steps: Mapping[int, Figures]
    """Begin of a step (s since the epoch) to what happened. A step that is not there is unknown, and never zero."""


class TraceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which spans make their trace interesting; all conditions must hold for one span."""

    services: tuple[str, ...] = ()
    name: str = ""
    """Anywhere in the span's name."""
    failed: bool | None = None
    duration_ns_min: int = 0
    codes: tuple[str, ...] = ()
    """With one of these a request was answered, as `status_of` tells it."""
    outbound: bool = False
    """Of `codes`: of a call that was made (a client's span), not of a request that was answered (a server's)."""
    ended_from_ns: int | None = None
    """It ended then or later. Units: ns since the epoch."""
    ended_to_ns: int | None = None
    """It ended before that."""

    @property
    def kind(self) -> SpanKind:
        """Which spans tell `codes`."""
        return SpanKind.CLIENT if self.outbound else SpanKind.SERVER


class TraceQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Traces of a scope, those with the newest matching span first."""

    scope: Scope
    filter: TraceFilter = TraceFilter()
    after: Position | None = None
    """`TracePage.end` of the page before; a trace is shown where its newest matching span stands."""
    limit: int = 50


class TraceFound(msgspec.Struct, frozen=True, kw_only=True):
    """A trace, by the newest of its spans that match."""

    trace_id: str
    span: Span


class TracePage(msgspec.Struct, frozen=True, kw_only=True):
    """Traces found and where to go on; a trace whose spans lie far apart may come again on a later page."""

    traces: Sequence[TraceFound]
    end: Position | None
    more: bool


class SpanQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the list of spans, those that began last first."""

    scope: Scope
    kinds: tuple[SpanKind, ...] = ()
    """Nothing asks for all."""
    after: Position | None = None
    """The position of the last span seen."""
    limit: int = 1_000


TRACE_SPANS_MAX = 20_000
"""Spans that a store gives in one answer about traces."""


class TraceSpans(msgspec.Struct, frozen=True, kw_only=True):
    """Spans of one trace by their begin, the first ones, and how many there are."""

    spans: Sequence[Span] = ()
    count: int = 0


def wanted_ids(trace_ids: Sequence[str]) -> list[str]:
    """Write trace ids as they are kept, each once; what is none is left out."""
    return [id_ for id_ in dict.fromkeys(id_of(one, _TRACE_DIGITS) for one in trace_ids) if id_]


def by_trace(spans: Sequence[Span], counts: Mapping[str, int]) -> dict[str, TraceSpans]:
    """Give each trace its own of some spans, in their order; `counts` says how many each has."""
    parted: dict[str, list[Span]] = {trace_id: [] for trace_id in counts}
    for span in spans:
        parted[span.record.trace_id].append(span)
    return {trace_id: TraceSpans(spans=parted[trace_id], count=count) for trace_id, count in counts.items()}


class SpanPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list of spans and whether it goes on."""

    spans: Sequence[Span]
    more: bool

    @property
    def end(self) -> Position | None:
        """Where to go on."""
        return self.spans[-1].position if self.spans else None


class EnvironmentUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What one environment's records of one sort take."""

    sort: str
    environment_id: str | None
    bytes_on_disk: int
    records: int
    oldest_ns: int | None
    newest_ns: int | None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How full the store is."""

    bytes_on_disk: int
    budget_bytes: int
    memory_bytes: int
    waiting_bytes: int
    """Acknowledged and in the journal, not yet in their files."""
    removed_early: int
    """Files that went before their age, because the budget was used up."""
    restarts: int
    parts: Sequence[EnvironmentUsage]


def check_limit(limit: int) -> int:
    """Return an answer's size, if it may be asked for.

    Raises: InvalidInput
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidInput(f"An answer has 1 to {LIMIT_MAX} rows, not {limit}.", field="limit", fix="Ask page by page.")
    return limit


def check_regex(filter_: LogFilter) -> LogFilter:
    """Return a filter whose expression is short enough to be tried.

    Raises: InvalidInput
    """
    if len(filter_.regex) > REGEX_CHARACTERS_MAX:
        raise InvalidInput(
            f"A regular expression has at most {REGEX_CHARACTERS_MAX} characters.",
            field="regex",
            fix="Look for a part of it.",
        )
    return filter_


def bounds_ns(scope: Scope, step_ns: int | None) -> tuple[int, int]:
    """Return the time of a question that must be bounded, checked against the number of steps; None: one step for all.

    Raises: InvalidInput
    """
    if scope.from_ns is None or scope.to_ns is None or scope.to_ns <= scope.from_ns:
        raise InvalidInput(
            "This question needs a time: where it begins and where it ends.", field="from", fix="Say both."
        )
    if step_ns is not None and (scope.to_ns - scope.from_ns) // step_ns > STEPS_MAX:
        raise InvalidInput(f"At most {STEPS_MAX} steps can be shown.", field="step", fix="Ask for longer steps.")
    return scope.from_ns, scope.to_ns
