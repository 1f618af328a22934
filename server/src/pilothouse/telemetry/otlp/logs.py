"""Log records from protobuf. The hot loop of the intake: 100,000 lines a second and more pass here.

Source: opentelemetry-proto, `logs/v1/logs.proto` (field numbers).
"""

import struct
from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from pilothouse.telemetry.limits import (
    CUT,
    DEFAULT_LIMITS,
    DROPPED,
    TOLD_TIME,
    Limits,
    id_of,
    text_of,
    tidy_attributes,
    tidy_value,
)
from pilothouse.telemetry.model import NS_A_SECOND, Attributes, AttributeValue, LogRecord
from pilothouse.telemetry.otlp.effort import PIECE_OCTETS, Pace, Parts
from pilothouse.telemetry.otlp.errors import OtlpUnreadable
from pilothouse.telemetry.otlp.known import KNOWN, KNOWN_MAX, learn
from pilothouse.telemetry.otlp.naming import RUNTIME_IDS, runtime_id_of, severity_of, who
from pilothouse.telemetry.otlp.usual import BODY_MAX, Groups, find, pattern, side_by_side
from pilothouse.telemetry.otlp.values import as_text
from pilothouse.telemetry.otlp.wire import (
    LENGTH,
    any_value,
    attributes_of,
    early_ends,
    fields,
    resource_and_scopes,
    skip,
    text,
    varint,
)
from pilothouse.telemetry.senders import Told
from pilothouse.telemetry.side_by_side import Lines

SLICE_RECORDS: Final = 200
"""Records between two breaks in which others may work, about a millisecond."""
_TOGETHER_OCTETS_MAX: Final = 256
_NAMES_MAX: Final = 4_000
"""Resources and scopes that are known by their octets."""
_NAMES_OCTETS_MAX: Final = 1024
_LONG_OCTETS: Final = 4096
"""The fields of a line that is longer are counted: it may be thousands of values."""
_SEARCHED_MAX: Final = 500
"""Pieces of a scope that are looked through for its name, when that is not told first: about 100,000 lines."""
_OCTET: Final = 0x80
_STRING: Final = 0x0A
_LINE: Final = 0x12
_TIME: Final = struct.Struct("<Q").unpack_from
_ICP, _ICP_PLAIN = RUNTIME_IDS
_json: Final = msgspec.json.Encoder().encode

_Resource = tuple[str | None, Attributes]
"""The runtime that it names, and what of it is written on its lines."""


class _Together:
    """Attributes of lines, with those of their resource, as JSON."""

    def __init__(self) -> None:
        self._of: dict[bytes, dict[bytes, bytes]] = {}
        self._count = 0

    def of(self, common: Attributes) -> dict[bytes, bytes]:
        """Return those of a resource, by the octets of a line's."""
        written = _json(common) if common else b""
        known = self._of.get(written)
        if known is None:
            known = self._of[written] = {}
            self.learn(known, b"", written)
        return known

    def learn(self, known: dict[bytes, bytes], octets: bytes, written: bytes) -> None:
        """Remember what octets say."""
        if self._count >= KNOWN_MAX:
            self._of.clear()
            self._count = 0
            known.clear()
        self._count += 1
        known[octets] = written


_known_together = _Together()


class LogReader:
    """Reads one request; what it has read lies in `told`."""

    def __init__(self, observed_ns: int, limits: Limits = DEFAULT_LIMITS) -> None:
        self._observed_ns = observed_ns
        self._earliest_ns = observed_ns - int(limits.behind_s_max * NS_A_SECOND)
        self._latest_ns = observed_ns + int(limits.ahead_s_max * NS_A_SECOND)
        self._limits = limits
        self._usual = limits.message_characters_max > BODY_MAX
        self._by_runtime: dict[str | None, Lines] = {}
        self._held: list[Groups] = []
        self._held_octets = 0
        self._places: list[tuple[int, int, str]] = []
        """Where the lines lie that are held back, and who said them."""
        self._loggers: list[tuple[bytes, int]] = []

    @property
    def told(self) -> list[Told[LogRecord]]:
        """The lines of each runtime, side by side."""
        return [Told(runtime_id, records) for runtime_id, records in self._by_runtime.items() if records]

    def protobuf(self, raw: bytes) -> Generator[None]:
        """Read an ExportLogsServiceRequest; stops now and then, so that others may work.

        Raises: OtlpUnreadable
        """
        pace = Pace(SLICE_RECORDS)
        with early_ends():
            for number, kind, begin, end in fields(raw, 0, len(raw)):
                if pace.due(0):
                    yield
                if number != 1 or kind != LENGTH:
                    continue
                resource, scopes = _resource_logs(raw, begin, end)
                for scope_begin, scope_end in scopes:
                    if pace.due(0):
                        yield
                    logger = _logger(raw, scope_begin, scope_end)
                    at = scope_begin
                    while at < scope_end:
                        until, some = self._some_lines(raw, at, scope_end, logger, resource)
                        if pace.due(until - at, some):
                            yield
                        at = until
                self._take(raw, resource)

    def add(
        self,
        at_ns: int,
        said_ns: int,
        severity: int,
        body: AttributeValue,
        logger: str,
        trace_id: str,
        span_id: str,
        attributes: Attributes,
        runtime_id: str | None,
    ) -> None:
        """Take a line that was read elsewhere."""
        self._add(
            at_ns or said_ns,
            severity,
            text_of(as_text(body)),
            text_of(logger)[: self._limits.key_characters_max],
            id_of(trace_id, 32),
            id_of(span_id, 16),
            {
                text_of(key)[: self._limits.key_characters_max]: tidy_value(value, self._limits, self._limits.depth_max)
                for key, value in attributes.items()
            },
            runtime_id,
        )

    def _some_lines(self, raw: bytes, at: int, end: int, logger: str, resource: _Resource) -> tuple[int, int]:
        """Read some lines of a scope; tell where they end and how many they are."""
        if raw[at] != _LINE:
            return skip(raw, at, end), 1
        found, until = find(raw, at, end) if self._usual else ([], at)
        if found:
            self._hold(raw, found, at, until, logger, resource)
            return until, len(found)
        lines, until = _lines(raw, at, end)
        matches = pattern().fullmatch
        for tag, begin, line_end in lines:
            match = matches(raw, tag, line_end) if self._usual else None
            if match is not None:
                self._hold(raw, [match.groups(b"")], tag, line_end, logger, resource)
            else:
                self._take(raw, resource)
                self._line(raw, begin, line_end, logger, *resource)
        return until, len(lines)

    def _hold(self, raw: bytes, found: list[Groups], at: int, until: int, logger: str, resource: _Resource) -> None:
        """Keep lines back until they are worth being turned into columns together."""
        self._held += found
        self._held_octets += until - at
        self._places.append((at, until, logger))
        self._loggers.append((logger.encode(), len(found)))
        if len(self._held) >= SLICE_RECORDS or self._held_octets >= PIECE_OCTETS:
            self._take(raw, resource)

    def _take(self, raw: bytes, resource: _Resource) -> None:
        """Take what was kept back. Where one line says more than usual, all of them are looked at by themselves."""
        if not self._held:
            return
        held, self._held, self._held_octets = self._held, [], 0
        places, self._places = self._places, []
        loggers, self._loggers = self._loggers, []
        lines = side_by_side(held)
        runtime_id, common = resource
        attributes = self._written(lines.attributes, common)
        if attributes is None or min(lines.at_ns) < self._earliest_ns or max(lines.at_ns) > self._latest_ns:
            for begin, until, logger in places:
                at = begin
                while at < until:
                    some, at = _lines(raw, at, until)
                    for _, content, end in some:
                        self._line(raw, content, end, logger, runtime_id, common)
            return
        taken = self._by_runtime.get(runtime_id)
        if taken is None:
            taken = self._by_runtime[runtime_id] = Lines()
        taken.extend(
            lines.at_ns, lines.severities, lines.messages, loggers, lines.trace_ids, lines.span_ids, attributes
        )

    def _written(self, attributes: Sequence[bytes], common: Attributes) -> Sequence[bytes] | None:
        """Write the attributes of lines as JSON; None where they say something of a line."""
        known = _known_together.of(common)
        try:
            return [known[octets] for octets in attributes]
        except KeyError:
            pass
        found: list[bytes] = []
        for octets in attributes:
            written = known.get(octets)
            if written is None:
                written = self._learn(known, octets, common)
                if written is None:
                    return None
            found.append(written)
        return found

    def _learn(self, known: dict[bytes, bytes], octets: bytes, common: Attributes) -> bytes | None:
        """Write attributes as JSON; None for those that say something of their line."""
        attributes = common.copy()
        at, known_one = 0, KNOWN
        while at < len(octets):
            size, begin = varint(octets, at + 1)
            at = begin + size
            one = octets[begin:at]
            key, value = known_one.get(one) or learn(one, None, self._limits)
            attributes[key] = value
        if _ICP in attributes or _ICP_PLAIN in attributes or len(attributes) > self._limits.attributes_max:
            return None
        written = _json(attributes) if attributes else b""
        if len(octets) <= _TOGETHER_OCTETS_MAX:
            _known_together.learn(known, octets, written)
        return written

    def _line(  # noqa: C901, PLR0912, PLR0915 - one loop over the fields: a call each would cost as much as all of it
        self, raw: bytes, at: int, end: int, logger: str, runtime_id: str | None, common: Attributes
    ) -> None:
        at_ns = said_ns = severity = 0
        message = trace_id = span_id = said = ""
        attributes = common.copy() if common else {}
        known = KNOWN
        parts = Parts() if end - at > _LONG_OCTETS else None
        while at < end:
            if parts is not None:
                parts.take()
            tag = raw[at]
            at += 1
            if tag == 0x32:  # noqa: PLR2004 - attributes
                size = raw[at]
                at += 1
                if size >= _OCTET:
                    size, at = varint(raw, at - 1)
                until = at + size
                octets = raw[at:until]
                pair = known.get(octets)
                if pair is None:
                    pair = learn(octets, parts, self._limits)
                attributes[pair[0]] = pair[1]
                at = until
            elif tag == 0x09:  # noqa: PLR2004 - time_unix_nano
                (at_ns,) = _TIME(raw, at)
                at += 8
            elif tag == 0x59:  # noqa: PLR2004 - observed_time_unix_nano
                (said_ns,) = _TIME(raw, at)
                at += 8
            elif tag == 0x10:  # noqa: PLR2004 - severity_number
                severity = raw[at]
                at += 1
                if severity >= _OCTET:
                    severity, at = varint(raw, at - 1)
            elif tag & 7 == LENGTH and tag < _OCTET:
                size = raw[at]
                at += 1
                if size >= _OCTET:
                    size, at = varint(raw, at - 1)
                until = at + size
                if tag == 0x2A:  # noqa: PLR2004 - body
                    message = self._body(raw, at, until, end, parts)
                elif tag == 0x4A:  # noqa: PLR2004 - trace_id
                    trace_id = raw[at:until].hex() if size == 16 else ""  # noqa: PLR2004 - octets of a trace id
                elif tag == 0x52:  # noqa: PLR2004 - span_id
                    span_id = raw[at:until].hex() if size == 8 else ""  # noqa: PLR2004 - octets of a span id
                elif tag == 0x1A:  # noqa: PLR2004 - severity_text
                    said = text(raw[at:until])
                elif tag == 0x62 and at < until:  # noqa: PLR2004 - event_name
                    attributes["event.name"] = text(raw[at:until])[: self._limits.key_characters_max]
                at = until
            else:
                at = skip(raw, at - 1, end)
        if at > end:
            raise OtlpUnreadable("a field is longer than what it is in")
        if not 1 <= severity <= 24:  # noqa: PLR2004 - OTLP's range
            severity = severity_of(severity, said)
        if trace_id == _NO_TRACE:
            trace_id = ""
        if span_id == _NO_SPAN:
            span_id = ""
        self._add(at_ns or said_ns, severity, message, logger, trace_id, span_id, attributes, runtime_id)

    def _add(
        self,
        at_ns: int,
        severity: int,
        message: str,
        logger: str,
        trace_id: str,
        span_id: str,
        attributes: Attributes,
        runtime_id: str | None,
    ) -> None:
        limits = self._limits
        if _ICP in attributes or _ICP_PLAIN in attributes:
            runtime_id = runtime_id_of(attributes) or runtime_id
            attributes.pop(_ICP, None)
            attributes.pop(_ICP_PLAIN, None)
        if len(attributes) > limits.attributes_max:
            dropped = len(attributes) - limits.attributes_max
            attributes = dict(list(attributes.items())[: limits.attributes_max])
            attributes[DROPPED] = dropped
        if len(message) > limits.message_characters_max:
            attributes[CUT] = len(message) - limits.message_characters_max
            message = message[: limits.message_characters_max]
        if not self._earliest_ns <= at_ns <= self._latest_ns:
            if at_ns:
                attributes[TOLD_TIME] = str(at_ns)
            at_ns = self._observed_ns
        lines = self._by_runtime.get(runtime_id)
        if lines is None:
            lines = self._by_runtime[runtime_id] = Lines()
        lines.add(
            at_ns,
            severity,
            message.encode(),
            logger.encode(),
            bytes.fromhex(trace_id),
            bytes.fromhex(span_id),
            _json(attributes) if attributes else b"",
        )

    def _body(self, raw: bytes, at: int, until: int, end: int, parts: Parts | None) -> str:
        if until > end:
            raise OtlpUnreadable("a field is longer than what it is in")
        if at < until and raw[at] == _STRING:
            size, begin = varint(raw, at + 1)
            if begin + size == until:
                return raw[begin:until].decode("utf-8", "replace")
        value = any_value(raw, at, until, parts or Parts())
        return as_text(value if isinstance(value, str) else tidy_value(value, self._limits, self._limits.depth_max))


_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16


def _resource_logs(raw: bytes, at: int, end: int) -> tuple[_Resource, list[tuple[int, int]]]:
    """Read what all lines of a resource have in common, and find where its scopes are."""
    octets, scopes = resource_and_scopes(raw, at, end)
    return _resource(octets) if len(octets) <= _NAMES_OCTETS_MAX else _read_resource(octets), scopes


def _read_resource(octets: bytes) -> _Resource:
    resource = attributes_of(octets, 0, len(octets), Parts())
    return runtime_id_of(resource), tidy_attributes(who(resource), {})


_resource = lru_cache(_NAMES_MAX)(_read_resource)


def _logger(raw: bytes, at: int, end: int) -> str:
    """Find who said the lines of a scope: what comes before them, or behind them."""
    if at < end and raw[at] != _LINE:
        number, kind, begin, until = next(fields(raw, at, end))
        if number == 1 and kind == LENGTH:
            return _name(raw, begin, until)
    logger = ""
    for _ in range(_SEARCHED_MAX):
        if at >= end:
            break
        lines, at = _lines(raw, at, end)
        if not lines:
            number, kind, begin, at = next(fields(raw, at, end))
            if number == 1 and kind == LENGTH:
                logger = _name(raw, begin, at)
    return logger


def _lines(raw: bytes, at: int, end: int) -> tuple[list[tuple[int, int, int]], int]:
    """Find some lines that follow one another: where their tag is, their content, and its end. Tell where the last ends."""
    lines: list[tuple[int, int, int]] = []
    enough = min(end, at + PIECE_OCTETS)
    while at < enough and raw[at] == _LINE and len(lines) < SLICE_RECORDS:
        size = raw[at + 1]
        begin = at + 2
        if size >= _OCTET:
            if raw[begin] < _OCTET:  # nearly all lines
                size += (raw[begin] - 1) << 7
                begin += 1
            else:
                size, begin = varint(raw, at + 1)
        lines.append((at, begin, begin + size))
        at = begin + size
    if at > end:
        raise OtlpUnreadable("a field is longer than what it is in")
    return lines, at


def _name(raw: bytes, at: int, end: int) -> str:
    return _scope(raw[at:end]) if end - at <= _NAMES_OCTETS_MAX else _read_scope(raw[at:end])


def _read_scope(octets: bytes) -> str:
    for number, kind, begin, until in fields(octets, 0, len(octets)):
        if number == 1 and kind == LENGTH:
            return text(octets[begin:until])[: DEFAULT_LIMITS.key_characters_max]
    return ""


_scope = lru_cache(_NAMES_MAX)(_read_scope)
