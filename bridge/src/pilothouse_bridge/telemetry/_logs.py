"""Records of ``logging``, taken down: their arguments may change once the program goes on."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pilothouse_bridge.telemetry._context import current
from pilothouse_bridge.telemetry._thrown import Thrown, thrown
from pilothouse_bridge.telemetry._values import cut, size_of, taken_down

MESSAGE_LIMIT: Final = 60_000
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_RECORD_BYTES: Final = 200
#: Where a server logs the failure of a request after the request is over, the exception itself says which one it was.
_MARK: Final = "__pilothouse_span__"


@dataclass(frozen=True, slots=True)
class Line:
    """A record of ``logging``, taken down."""

    at_ns: int
    level: int
    level_name: str
    logger: str
    message: str
    thrown: Thrown | None
    attributes: dict[str, object]
    trace_id: str
    span_id: str
    is_sampled: bool
    file: str
    line: int
    function: str
    thread: str

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        stack = 0 if self.thrown is None else len(self.thrown.stack) + len(self.thrown.message)
        return _RECORD_BYTES + len(self.message) + stack + size_of(self.attributes)


Ids = Callable[[], tuple[str, str, bool] | None]


def mark(error: BaseException, span: object) -> None:
    """Note on an exception within which request it came up."""
    with contextlib.suppress(Exception):  # some take no attributes
        setattr(error, _MARK, span)


def taken(record: logging.LogRecord, own_ids: Ids) -> Line:
    """Take a record down, completely."""
    exc_info = record.exc_info
    error = exc_info[1] if isinstance(exc_info, tuple) else None
    ids = own_ids()
    if ids is None:
        span: Any = current.get() or getattr(error, _MARK, None)
        if span is not None:
            if record.levelno >= logging.ERROR:
                span.keep()
            ids = span.trace_id, span.span_id, span.is_sampled
    trace_id, span_id, is_sampled = ids or ("", "", False)
    return Line(
        int(record.created * 1e9),
        record.levelno,
        str(record.levelname),
        record.name,
        _message(record),
        None if error is None else thrown(error),
        {key: taken_down(value) for key, value in record.__dict__.items() if key not in _STANDARD},
        trace_id,
        span_id,
        is_sampled,
        record.pathname,
        record.lineno,
        record.funcName or "",
        record.threadName or "",
    )


def _message(record: logging.LogRecord) -> str:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit: the handlers will complain, in their way
        message = f"{record.msg} (its arguments do not fit)"
    return cut(message, MESSAGE_LIMIT)
