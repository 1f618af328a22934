"""Log lines side by side: each member of many lines in one place, from the octets of a request to the store's journal.

A line never becomes an object of its own where nobody looks at it by itself. Who does sees records.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, overload

import msgspec

from pilothouse.telemetry.model import Attributes, LogRecord

_decode = msgspec.json.Decoder(Attributes).decode
_AT_ONCE: Final = 200
"""Lines that become records together."""


class Lines(Sequence[LogRecord]):
    """Lines of one runtime, in the order in which they came. Texts are UTF-8, attributes JSON or nothing, ids octets."""

    __slots__ = ("at_ns", "attributes", "loggers", "messages", "severities", "span_ids", "trace_ids")

    def __init__(self) -> None:
        self.at_ns: array[int] = array("q")
        self.severities = bytearray()
        self.messages: list[bytes] = []
        self.loggers: list[tuple[bytes, int]] = []
        """Each with how many lines that follow one another it said."""
        self.trace_ids: list[bytes] = []
        self.span_ids: list[bytes] = []
        self.attributes: list[bytes] = []

    def add(
        self,
        at_ns: int,
        severity: int,
        message: bytes,
        logger: bytes,
        trace_id: bytes,
        span_id: bytes,
        attributes: bytes,
    ) -> None:
        """Take one line.

        Raises: OverflowError, ValueError for what can be no line; then it is not taken
        """
        self.at_ns.append(at_ns)
        try:
            self.severities.append(severity)
        except ValueError:
            self.at_ns.pop()
            raise
        self.messages.append(message)
        self.loggers.append((logger, 1))
        self.trace_ids.append(trace_id)
        self.span_ids.append(span_id)
        self.attributes.append(attributes)

    def extend(
        self,
        at_ns: "array[int]",
        severities: bytes,
        messages: Sequence[bytes],
        loggers: Sequence[tuple[bytes, int]],
        trace_ids: Sequence[bytes],
        span_ids: Sequence[bytes],
        attributes: Sequence[bytes],
    ) -> None:
        """Take lines; `loggers` tells how many each of them said."""
        self.at_ns += at_ns
        self.severities += severities
        self.messages += messages
        self.loggers += loggers
        self.trace_ids += trace_ids
        self.span_ids += span_ids
        self.attributes += attributes

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[LogRecord]:
        for begin in range(0, len(self), _AT_ONCE):
            yield from self._records(begin, min(begin + _AT_ONCE, len(self)))

    @overload
    def __getitem__(self, index: int) -> LogRecord: ...

    @overload
    def __getitem__(self, index: slice) -> list[LogRecord]: ...

    def __getitem__(self, index: int | slice) -> LogRecord | list[LogRecord]:
        if isinstance(index, slice):
            begin, end, step = index.indices(len(self))
            return self._records(begin, end) if step == 1 else [self[one] for one in range(begin, end, step)]
        place = range(len(self))[index]
        return self._records(place, place + 1)[0]

    def _records(self, begin: int, end: int) -> list[LogRecord]:
        return [
            LogRecord(
                at_ns=at_ns,
                message=message.decode(),
                severity=severity,
                logger=logger,
                trace_id=trace_id.hex(),
                span_id=span_id.hex(),
                attributes=_decode(attributes) if attributes else {},
            )
            for at_ns, message, severity, logger, trace_id, span_id, attributes in zip(
                self.at_ns[begin:end],
                self.messages[begin:end],
                self.severities[begin:end],
                self._loggers(begin, end),
                self.trace_ids[begin:end],
                self.span_ids[begin:end],
                self.attributes[begin:end],
                strict=True,
            )
        ]

    def _loggers(self, begin: int, end: int) -> list[str]:
        found: list[str] = []
        at = 0
        for logger, count in self.loggers:
            said = min(end, at + count) - max(begin, at)
            if said > 0:
                found += [logger.decode()] * said
            at += count
            if at >= end:
                break
        return found
