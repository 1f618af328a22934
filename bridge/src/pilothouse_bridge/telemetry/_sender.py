"""The one thread that sends: batches by size and by time, what was refused for now again later, never in anybody's way."""

import json
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast, final

from pilothouse_bridge import _native, _say
from pilothouse_bridge._answers import retry_after_s
from pilothouse_bridge._rhythm import Reminder, Rhythm
from pilothouse_bridge._transport import Reply, Transport
from pilothouse_bridge.errors import DeliveryError
from pilothouse_bridge.telemetry import _instrument, _otlp
from pilothouse_bridge.telemetry._otlp import Figures
from pilothouse_bridge.telemetry._process import PROBE_EVERY_S

if TYPE_CHECKING:
    from pilothouse_bridge.telemetry._hub import Telemetry

LINGER_S: Final = 0.25
"""How long the first record waits for others; with the way to the server it is well within a second."""
ASK_AGAIN_S: Final = 600.0
"""After a server that takes no telemetry: it may be replaced by one that does."""
METRICS_KEPT: Final = 60
"""So many sendings of metrics wait for a server that is away: ten minutes with the usual interval."""
_GZIP_LEVEL: Final = 1
_COMPRESS_FROM_BYTES: Final = 400
_OK: Final = range(200, 300)
_NO_INTAKE: Final = frozenset({404, 405, 501})
_NOT_US: Final = frozenset({401, 403})
_LATER: Final = frozenset({408, 429, 502, 503, 504})


@dataclass(frozen=True)
class Destination:
    """Where to send, and who we are there."""

    transport: Transport
    token: Callable[[], str]
    forget_token: Callable[[], None]
    resource: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Request:
    """One message, ready for the wire."""

    signal: str
    path: str
    body: bytes
    records: int


class _TryLaterError(Exception):
    """The server does not take it at this moment."""

    def __init__(self, why: str, wish_s: float | None) -> None:
        super().__init__(why)
        self.wish_s = wish_s


class _NoIntakeError(Exception):
    """The server knows no telemetry."""


@final
class Sender:
    """Takes from the hub what waits there."""

    def __init__(self, hub: "Telemetry", destination: Destination) -> None:
        """Nothing is sent before ``start``."""
        self._hub = hub
        self._destination = destination
        self._rhythm = Rhythm(1.0, random.random)
        self._reminder = Reminder()
        # Not an Event: its lock is not re-entrant, and a finalizer that logs may ring in the middle of a ring.
        self._bell: _native.SimpleQueue[bool] = _native.SimpleQueue()
        self._has_rung = False
        self._has_rung_full = False
        self._ending = False
        self._flushed = _native.Event()
        self._wants_flush = False
        self._waiting: deque[_Request] = deque()
        self._not_before_s = 0.0
        self._metrics_due_s = time.monotonic() + self._interval_s
        self._probe_due_s = 0.0
        self._thread: _native.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = _native.Thread(self._run, "pilothouse-telemetry")
        try:
            self._thread.start()
        except RuntimeError as error:  # no threads any more: the interpreter is going down
            _say.debug("No thread for telemetry: %s", error)

    def ring(self, *, is_full: bool) -> None:
        """There is something to send; never waits."""
        if not self._has_rung or (is_full and not self._has_rung_full):
            self._has_rung = True
            self._has_rung_full = self._has_rung_full or is_full
            self._bell.put(is_full)

    def flush(self, patience_s: float) -> bool:
        """From another thread: send all that waits now."""
        thread = self._thread
        if thread is None or not thread.is_alive():
            return False
        self._flushed.clear()
        self._wants_flush = True
        self._bell.put(True)
        return self._flushed.wait_politely(patience_s)

    def end(self, patience_s: float) -> None:
        """Send what waits, unless the server is away, and stop within the patience."""
        self._ending = True
        self._bell.put(True)
        thread = self._thread
        if thread is not None and not thread.is_current and thread.is_alive():
            thread.join(patience_s)
            if thread.is_alive():
                self._destination.transport.abort()
                thread.join(0.1)

    def abandon_in_child(self) -> None:
        """In a forked child: close our copy of the parent's connection."""
        self._destination.transport.abandon_in_child()

    @property
    def _interval_s(self) -> float:
        return self._hub.settings.metrics_interval_s

    def _run(self) -> None:
        while not self._ending:
            self._wait()
            try:
                self._round()
            except Exception as error:  # noqa: BLE001 - the loop's edge: a defect of ours must not end it for good
                self._back_off(repr(error), self._rhythm.after_rejection())
        try:
            if time.monotonic() >= self._not_before_s:
                self._collect_metrics()
                self._send_all()
        except Exception as error:  # noqa: BLE001 - the program ends, and so do we
            _say.debug("The last telemetry was not sent: %r", error)
        self._destination.transport.close()

    def _wait(self) -> None:
        """Until there is something to do: rung for, then a little longer for company; or a time that is due."""
        if self._listen(self._next_due_s()) is False and not self._ending:
            until_s = time.monotonic() + LINGER_S
            while not self._ending and self._listen(until_s) is False:
                pass

    def _listen(self, until_s: float) -> bool | None:
        """Whether somebody rang, and with a full batch; None when the time has come."""
        try:
            return self._bell.get(timeout=max(0.0, until_s - time.monotonic()))
        except _native.Empty:
            return None

    def _next_due_s(self) -> float:
        due_s = self._metrics_due_s
        if self._hub.process.loops.is_watching and self._hub.settings.metrics is not False:
            due_s = min(due_s, self._probe_due_s)
        if self._waiting or self._has_rung:  # it could not be sent; who rang then does not ring again
            due_s = min(due_s, self._not_before_s)
        return due_s

    def _round(self) -> None:
        now_s = time.monotonic()
        is_flush = self._wants_flush  # one that is asked for from here on is for the next round
        self._hub.tell_makers()
        if now_s >= self._probe_due_s:
            self._probe_due_s = now_s + PROBE_EVERY_S
            self._hub.process.loops.probe()
            _instrument.catch_up()
        if now_s >= self._metrics_due_s or is_flush:
            self._metrics_due_s = now_s + self._interval_s
            self._collect_metrics()
        if now_s < self._not_before_s:
            return
        self._has_rung = self._has_rung_full = False
        if self._send_all() and is_flush:
            self._wants_flush = False
            self._flushed.set()

    def _collect_metrics(self) -> None:
        hub = self._hub
        if hub.settings.metrics is False and not hub.drops.has_news:
            return
        gauges = hub.process.take() if hub.settings.metrics is not False else {}
        figures = Figures(hub.meter.take(), gauges, hub.drops.take())
        body = _otlp.metrics(self._destination.resource, figures)
        self._waiting.append(_Request("metrics", _otlp.METRICS_PATH, body, len(figures)))
        while sum(one.signal == "metrics" for one in self._waiting) > METRICS_KEPT:
            oldest = next(one for one in self._waiting if one.signal == "metrics")
            self._waiting.remove(oldest)
            hub.drops.add("metrics", "queue_full", oldest.records)

    def _send_all(self) -> bool:
        """Answers whether the server has all of it."""
        try:
            while self._waiting or self._encode_next():
                self._send(self._waiting[0])
                self._waiting.popleft()
        except _TryLaterError as error:
            self._back_off(str(error), self._rhythm.after_unreachable(error.wish_s))
        except _NoIntakeError:
            self._back_off("it takes none", ASK_AGAIN_S * (0.95 + 0.1 * random.random()))  # noqa: S311 - spread
        except DeliveryError as error:
            self._back_off(str(error), self._rhythm.after_unreachable(None))
        else:
            self._rhythm.after_success(None)
            self._reminder.recover()
            return True
        return False

    def _encode_next(self) -> bool:
        """Make one message of what waits; answers whether there was anything."""
        resource = self._destination.resource
        lines = self._hub.lines.take()
        if lines:
            self._waiting.append(_Request("logs", _otlp.LOGS_PATH, _otlp.logs(resource, lines), len(lines)))
            return True
        spans = self._hub.spans.take()
        if spans:
            self._waiting.append(_Request("traces", _otlp.TRACES_PATH, _otlp.traces(resource, spans), len(spans)))
            return True
        return False

    def _send(self, request: _Request) -> None:
        """Deliver it, or count it as lost.

        Raises: _TryLaterError, _NoIntakeError, DeliveryError.
        """
        body, headers = _packed(request.body)
        reply = self._destination.transport.post(request.path, self._destination.token(), body, headers)
        if reply.status in _OK:
            self._hub.drops.add(request.signal, "rejected", _otlp.rejected(reply.body))
        elif reply.status in _NO_INTAKE:
            self._discard()
            raise _NoIntakeError
        elif reply.status in _NOT_US:
            self._destination.forget_token()
            raise _TryLaterError(_reason(reply), None)
        elif reply.status in _LATER or reply.status >= 500:  # noqa: PLR2004 - HTTP's own number
            raise _TryLaterError(_reason(reply), retry_after_s(reply.retry_after, time.time()))
        else:  # sent again it would be refused again
            self._hub.drops.add(request.signal, "refused", request.records)
            trouble = _reason(reply)
            if self._reminder.is_worth_telling(trouble, time.monotonic()):
                _say.warning("The ICP server refused %d records of telemetry: %s", request.records, trouble)

    def _discard(self) -> None:
        """This server knows no telemetry: what waits has nowhere to go."""
        for one in self._waiting:
            self._hub.drops.add(one.signal, "no_intake", one.records)
        self._waiting.clear()
        self._hub.lines.discard("no_intake")
        self._hub.spans.discard("no_intake")

    def _back_off(self, why: str, delay_s: float) -> None:
        self._not_before_s = time.monotonic() + delay_s
        if self._reminder.is_worth_telling(why, time.monotonic()):
            _say.debug("Telemetry is not taken, and sent again in %.1f s: %s", delay_s, why)


def _packed(body: bytes) -> tuple[bytes, dict[str, str]]:
    if len(body) < _COMPRESS_FROM_BYTES:
        return body, {}
    import gzip  # in our own thread, when there is something to send

    return gzip.compress(body, _GZIP_LEVEL), {"Content-Encoding": "gzip"}


def _reason(reply: Reply) -> str:
    """What the server said, in a line."""
    try:
        answer: object = json.loads(reply.body)
    except ValueError:
        answer = None
    message = cast("dict[str, object]", answer).get("message") if isinstance(answer, dict) else None
    return f"status {reply.status}" if not isinstance(message, str) else f"status {reply.status}: {message[:200]}"
