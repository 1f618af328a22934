"""Log records from protobuf. The hot loop of the intake: 100,000 lines a second and more pass here.

Source: opentelemetry-proto, `logs/v1/logs.proto` (field numbers).
"""

import re
import struct
from collections.abc import Generator
from typing import Final

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
from pilothouse.telemetry.otlp.errors import OtlpUnreadable
from pilothouse.telemetry.otlp.naming import RUNTIME_IDS, runtime_id_of, severity_of, who
from pilothouse.telemetry.otlp.values import as_text
from pilothouse.telemetry.otlp.wire import LENGTH, any_value, fields, key_value, text, varint
from pilothouse.telemetry.senders import Told

SLICE_RECORDS: Final = 200
"""Records between two breaks in which others may work, about a millisecond."""
KNOWN_MAX: Final = 20_000
"""Attributes that are known by their octets, about 400 octets each; when it is full it is emptied."""
_KNOWN_OCTETS_MAX: Final = 128
_OCTET: Final = 0x80
_STRING: Final = 0x0A
_TIME: Final = struct.Struct("<Q").unpack_from
_ICP, _ICP_PLAIN = RUNTIME_IDS

_ATTRIBUTE: Final = 0x32
_LENGTH: Final = rb"([\x00-\x7f]|[\x80-\xff][\x01-\x7f])"
_BEGIN: Final = re.compile(
    rb"\x09.{8}"  # time_unix_nano
    rb"\x10[\x01-\x18]"  # severity_number, which makes the text superfluous
    rb"(?:\x1a(?:\x04.{4}|\x05.{5}|\x07.{7}|\x06.{6}|\x03.{3}|\x00))?" + rb"\x2a" + _LENGTH + rb"\x0a" + _LENGTH,
    re.DOTALL,
).match
"""How nearly all lines begin, since writers keep to the order of the fields' numbers: up to the text of the body."""
_END: Final = re.compile(
    rb"(?:\x38[\x00-\x7f])?(?:\x45.{4})?"  # dropped_attributes_count, flags
    rb"(?:\x4a(?:\x10(.{16})|\x00))?(?:\x52(?:\x08(.{8})|\x00))?"  # trace_id, span_id
    rb"(?:\x59.{8})?",  # observed_time_unix_nano
    re.DOTALL,
).fullmatch
"""How they end, after the attributes."""

_Pair = tuple[str, AttributeValue]
_known: dict[bytes, _Pair] = {}


class LogReader:
    """Reads one request; what it has read lies in `told`."""

    def __init__(self, observed_ns: int, limits: Limits = DEFAULT_LIMITS) -> None:
        self._observed_ns = observed_ns
        self._earliest_ns = observed_ns - int(limits.behind_s_max * NS_A_SECOND)
        self._latest_ns = observed_ns + int(limits.ahead_s_max * NS_A_SECOND)
        self._limits = limits
        self._by_runtime: dict[str | None, list[LogRecord]] = {}

    @property
    def told(self) -> list[Told[LogRecord]]:
        """The lines of each runtime."""
        return [Told(runtime_id, records) for runtime_id, records in self._by_runtime.items() if records]

    def protobuf(self, raw: bytes) -> Generator[None]:
        """Read an ExportLogsServiceRequest; stops now and then, so that others may work.

        Raises: OtlpUnreadable
        """
        count = 0
        try:
            for number, kind, begin, end in fields(raw, 0, len(raw)):
                if number != 1 or kind != LENGTH:
                    continue
                runtime_id, common, scopes = _resource_logs(raw, begin, end)
                for scope_begin, scope_end in scopes:
                    logger, lines = _scope_logs(raw, scope_begin, scope_end)
                    for first in range(0, len(lines), SLICE_RECORDS):
                        some = lines[first : first + SLICE_RECORDS]
                        self._lines(raw, some, logger, runtime_id, common)
                        count += len(some)
                        if count >= SLICE_RECORDS:
                            count = 0
                            yield
        except (IndexError, struct.error):
            raise OtlpUnreadable("it ends too early") from None

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

    def _lines(
        self, raw: bytes, lines: list[tuple[int, int]], logger: str, runtime_id: str | None, common: Attributes
    ) -> None:
        """Read lines. Those written in the usual order are matched as a whole; `_line` reads all others."""
        begun, ended = _BEGIN, _END
        earliest_ns, latest_ns = self._earliest_ns, self._latest_ns
        characters_max, attributes_max = self._limits.message_characters_max, self._limits.attributes_max
        append = self._by_runtime.setdefault(runtime_id, []).append
        for begin, end in lines:
            head = begun(raw, begin, end)
            if head is not None:
                outer, inner = head.groups()
                size = inner[0] if len(inner) == 1 else inner[0] & 0x7F | inner[1] << 7
                around = outer[0] if len(outer) == 1 else outer[0] & 0x7F | outer[1] << 7
                at = head.end()
                until = at + size
                if around == size + 1 + len(inner) and until <= end:
                    attributes = common.copy()
                    after = (
                        until if until == end or raw[until] != _ATTRIBUTE else self._some(raw, until, end, attributes)
                    )
                    tail = ended(raw, after, end)
                    (at_ns,) = _TIME(raw, begin + 1)
                    if (
                        tail is not None
                        and earliest_ns <= at_ns <= latest_ns
                        and size <= characters_max
                        and len(attributes) <= attributes_max
                        and _ICP not in attributes
                        and _ICP_PLAIN not in attributes
                    ):
                        trace_id, span_id = tail.groups(b"")
                        append(
                            LogRecord(
                                at_ns=at_ns,
                                message=raw[at:until].decode("utf-8", "replace"),
                                severity=raw[begin + 10],
                                logger=logger,
                                trace_id=trace_id.hex() if trace_id != _NO_TRACE_OCTETS else "",
                                span_id=span_id.hex() if span_id != _NO_SPAN_OCTETS else "",
                                attributes=attributes,
                            )
                        )
                        continue
            self._line(raw, begin, end, logger, runtime_id, common)

    def _some(self, raw: bytes, at: int, end: int, attributes: Attributes) -> int:
        """Read the attributes that follow one another; return where they end, or a place after `end`."""
        known = _known
        while at < end and raw[at] == _ATTRIBUTE:
            size = raw[at + 1]
            begin = at + 2
            if size >= _OCTET:
                size, begin = varint(raw, at + 1)
            at = begin + size
            octets = raw[begin:at]
            key, value = known.get(octets) or self._attribute(octets)
            attributes[key] = value
        return at

    def _line(  # noqa: C901, PLR0912, PLR0915 - one loop over the fields: a call each would cost as much as all of it
        self, raw: bytes, at: int, end: int, logger: str, runtime_id: str | None, common: Attributes
    ) -> None:
        at_ns = said_ns = severity = 0
        message = trace_id = span_id = said = ""
        attributes = common.copy() if common else {}
        known = _known
        while at < end:
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
                    pair = self._attribute(octets)
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
                    message = self._body(raw, at, until, end)
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
                at = _skip(raw, at - 1, end)
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
        record = LogRecord(
            at_ns=at_ns,
            message=message,
            severity=severity,
            logger=logger,
            trace_id=trace_id,
            span_id=span_id,
            attributes=attributes,
        )
        records = self._by_runtime.get(runtime_id)
        if records is None:
            records = self._by_runtime[runtime_id] = []
        records.append(record)

    def _attribute(self, octets: bytes) -> _Pair:
        key, value = key_value(octets, 0, len(octets))
        value = tidy_value(value, self._limits, self._limits.depth_max)
        pair = key[: self._limits.key_characters_max], value
        if len(octets) <= _KNOWN_OCTETS_MAX and not isinstance(value, list | dict):
            if len(_known) >= KNOWN_MAX:
                _known.clear()
            _known[octets] = pair
        return pair

    def _body(self, raw: bytes, at: int, until: int, end: int) -> str:
        if until > end:
            raise OtlpUnreadable("a field is longer than what it is in")
        if at < until and raw[at] == _STRING:
            size, begin = varint(raw, at + 1)
            if begin + size == until:
                return raw[begin:until].decode("utf-8", "replace")
        value = any_value(raw, at, until)
        return as_text(value if isinstance(value, str) else tidy_value(value, self._limits, self._limits.depth_max))


_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_NO_TRACE_OCTETS: Final = bytes(16)
_NO_SPAN_OCTETS: Final = bytes(8)


def _skip(raw: bytes, at: int, end: int) -> int:
    """Step over a field that is not known, or is not written as it should be."""
    return next(fields(raw, at, end))[3]


def _resource_logs(raw: bytes, at: int, end: int) -> tuple[str | None, Attributes, list[tuple[int, int]]]:
    """Read what all lines of a resource have in common, and find where its scopes are."""
    resource: Attributes = {}
    scopes: list[tuple[int, int]] = []
    for number, kind, begin, until in fields(raw, at, end):
        if kind != LENGTH:
            continue
        if number == 1:
            resource = attributes_of(raw, begin, until)
        elif number == 2:  # noqa: PLR2004 - scope_logs
            scopes.append((begin, until))
    return runtime_id_of(resource), tidy_attributes(who(resource), {}), scopes


def attributes_of(raw: bytes, at: int, end: int) -> Attributes:
    """Read the attributes of a message that has them as its first field, as a resource does."""
    return dict(
        key_value(raw, begin, until)
        for number, kind, begin, until in fields(raw, at, end)
        if number == 1 and kind == LENGTH
    )


def _scope_logs(raw: bytes, at: int, end: int) -> tuple[str, list[tuple[int, int]]]:
    logger = ""
    lines: list[tuple[int, int]] = []
    while at < end:
        if raw[at] == 0x12:  # noqa: PLR2004 - log_records: read here, since there are so many
            size = raw[at + 1]
            begin = at + 2
            if size >= _OCTET:
                if raw[begin] < _OCTET:  # nearly all lines
                    size += (raw[begin] - 1) << 7
                    begin += 1
                else:
                    size, begin = varint(raw, at + 1)
            at = begin + size
            lines.append((begin, at))
            continue
        number, kind, begin, at = next(fields(raw, at, end))
        if number == 1 and kind == LENGTH:
            logger = _name(raw, begin, at)
    if at > end:
        raise OtlpUnreadable("a field is longer than what it is in")
    return logger, lines


def _name(raw: bytes, at: int, end: int) -> str:
    for number, kind, begin, until in fields(raw, at, end):
        if number == 1 and kind == LENGTH:
            return text(raw[begin:until])[: DEFAULT_LIMITS.key_characters_max]
    return ""
