"""The telemetry of this process: what is made, where it waits, who sends it. There is one, and it outlives bridges."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, final

from pilothouse_bridge import _say
from pilothouse_bridge._config_telemetry import TelemetrySettings
from pilothouse_bridge.telemetry import _context, _logs, _own_otel, _tap
from pilothouse_bridge.telemetry._buffer import Buffer, Drops
from pilothouse_bridge.telemetry._context import CLIENT, KEPT_CHILDREN_LIMIT, SERVER, Happened, Parent, Span, current
from pilothouse_bridge.telemetry._logs import Line
from pilothouse_bridge.telemetry._meter import Labels, Meter
from pilothouse_bridge.telemetry._process import ProcessFigures
from pilothouse_bridge.telemetry._sampling import Sampler
from pilothouse_bridge.telemetry._values import ITEM_LIMIT, TEXT_LIMIT, cut, size_of, taken_down

if TYPE_CHECKING:
    from pilothouse_bridge.telemetry._sender import Destination, Sender

SIGNALS: Final = ("logs", "metrics", "traces")
_OFF: Final = TelemetrySettings(logs=False, metrics=False, traces=False)
_SPAN_BYTES: Final = 600


@final
class Telemetry:
    """Filled by the program's threads, emptied by one of ours."""

    def __init__(self) -> None:
        """Off."""
        self._begin(_OFF)
        self._sender: Sender | None = None
        self._told: tuple[str, ...] = ()

    @property
    def settings(self) -> TelemetrySettings:
        """What was asked for."""
        return self._settings

    @property
    def is_on(self) -> bool:
        """Whether anything of it is wanted."""
        return not self._settings.sends_nothing

    def begin(self, settings: TelemetrySettings) -> None:
        """From now on; what is made before there is a destination waits."""
        self._begin(settings)
        if settings.sends_nothing:
            return
        if settings.logs is not False:
            _tap.listen(self.hear)
        if settings.metrics is not False:
            self.process.pauses.listen()

    def send_to(self, destination: "Callable[[], Destination]") -> None:
        """The control plane knows this runtime by now: send what waits, and what comes."""
        if not self.is_on or self._sender is not None:
            return
        from pilothouse_bridge.telemetry._sender import Sender

        sender = Sender(self, destination())
        self._sender = sender
        sender.start()
        sender.ring(is_full=False)  # for what was made before

    def end(self, patience_s: float) -> None:
        """Make no more; send what waits, within the patience."""
        _tap.listen(None)
        self.process.pauses.end()
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.end(patience_s)
        self._begin(_OFF)

    def flush(self, patience_s: float) -> bool:
        """Send what waits; answers whether all of it was taken within the patience."""
        return self._sender is not None and self._sender.flush(patience_s)

    def after_fork(self) -> None:
        """In a forked child: what waits is the parent's to send; locks may be held by threads that are not here."""
        _context.after_fork()
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.abandon_in_child()
        self.process.pauses.end()
        self._begin(self._settings)
        if self._settings.metrics is not False and self.is_on:
            self.process.pauses.listen()

    def sends(self, signal: str) -> bool:
        """Whether we make this signal: asked each time, because the program may set up its own at any moment."""
        settings = self._settings
        wish = settings.logs if signal == "logs" else settings.metrics if signal == "metrics" else settings.traces
        return not _own_otel.has_own(signal) if wish is None else wish

    def makers(self) -> dict[str, str]:
        """Who makes each signal: ``bridge``, ``program``, or ``off``."""
        settings = self._settings
        wishes = {"logs": settings.logs, "metrics": settings.metrics, "traces": settings.traces}
        return {
            signal: "off" if wish is False else "bridge" if self.sends(signal) else "program"
            for signal, wish in wishes.items()
        }

    def tell_makers(self) -> None:
        """Say once which signals are left to the program's own OpenTelemetry."""
        left = tuple(signal for signal, maker in self.makers().items() if maker == "program")
        if left != self._told:
            self._told = left
            if left:
                _say.info(
                    "This program's own OpenTelemetry makes its %s; the bridge sends none of these", " and ".join(left)
                )

    def begin_served(self, parent: Parent | None) -> Span:
        """A request came in."""
        if parent is None:
            trace_id = _context.new_trace_id()
            return Span(SERVER, trace_id, "", "", is_sampled=self.sampler.takes(trace_id))
        return Span(SERVER, parent.trace_id, parent.span_id, parent.state, is_sampled=parent.is_sampled)

    def begin_made(self) -> Span:
        """A request goes out."""
        within = current.get()
        if within is None:
            trace_id = _context.new_trace_id()
            return Span(CLIENT, trace_id, "", "", is_sampled=self.sampler.takes(trace_id))
        return Span(
            CLIENT,
            within.trace_id,
            within.span_id,
            within.state,
            is_sampled=within.is_sampled,
            root=within.root or within,
        )

    def end_span(self, span: Span, duration_s: float) -> None:
        """It is over: record it, keep it until its request ends, or forget it."""
        span.ended_ns = span.began_ns + int(duration_s * 1e9)
        root = span.root
        if span.is_sampled or span.is_kept or span.error_type is not None:
            self._record(span)
            for child in span.children or ():
                self._record(child)
        elif root is not None:
            if root.is_kept:
                self._record(span)
            elif root.children is None:
                root.children = [span]
            elif len(root.children) < KEPT_CHILDREN_LIMIT:
                root.children.append(span)
        span.children = None

    def note_event(self, name: str, attributes: Mapping[str, object]) -> bool:
        """Something happened; answers whether it happened within a span, ours or the program's own."""
        span = current.get()
        if span is None:
            return _own_otel.add_event(name, attributes)
        taken = {key: taken_down(value) for key, value in list(attributes.items())[:ITEM_LIMIT]}
        span.add_event(Happened(cut(str(name), TEXT_LIMIT), time.time_ns(), taken))
        return True

    def observe(self, metric: str, labels: Labels, duration_s: float) -> None:
        """Count a request."""
        self.meter.observe(metric, labels, duration_s)

    def _begin(self, settings: TelemetrySettings) -> None:
        self._settings = settings
        self.drops = Drops()
        self.lines: Buffer[Line] = Buffer("logs", settings.queue_records, settings.queue_bytes, self.drops)
        self.spans: Buffer[Span] = Buffer("traces", settings.queue_records, settings.queue_bytes, self.drops)
        self.meter = Meter()
        self.process = ProcessFigures()
        self.sampler = Sampler(settings.sampling)
        self.began_ns = time.time_ns()

    def _record(self, span: Span) -> None:
        size_bytes = _SPAN_BYTES + sum(len(one.name) + size_of(one.attributes) for one in span.events or ())
        is_full = self.spans.add(span, size_bytes)
        self._ring(is_full=is_full)

    def hear(self, record: logging.LogRecord) -> None:
        """The program said something."""
        if record.levelno < self._settings.log_level or not self.sends("logs"):
            return
        line = _logs.taken(record, _own_otel.current_ids)
        self._ring(is_full=self.lines.add(line, line.size_bytes))

    def _ring(self, *, is_full: bool) -> None:
        sender = self._sender
        if sender is not None:
            sender.ring(is_full=is_full)


hub: Final = Telemetry()
