"""The id of the request that is being answered: made here for each, told with its answer, and in every line of the log about it.

The id lives in the context of the task, thread or connection that works on the request; what a request starts inherits it.
Budget: `begin` is on the path of every heartbeat; an id is cut from randomness that was drawn ahead.
"""

import contextvars
import re
import secrets
from collections.abc import MutableMapping
from typing import Any, Final

import msgspec

HEADER: Final = b"x-request-id"
_AHEAD: Final = 256
"""Ids that are made at once."""
_DIGITS: Final = 16
_SANE: Final = re.compile(rb"[A-Za-z0-9._:+=@/-]{1,128}\Z")


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Which request it is."""

    wire: bytes
    """Our id, as it stands in a header."""
    told: str | None = None
    """What the caller calls it; it may be anything, and is the same for as many requests as the caller likes."""

    @property
    def id(self) -> str:
        """Our id: 16 hexadecimal digits, random."""
        return self.wire.decode("ascii")


_current: contextvars.ContextVar[Mark | None] = contextvars.ContextVar("pilothouse_request", default=None)
_ready: list[bytes] = []


def begin(told: bytes | None = None) -> Mark:
    """Make the id of a request, and let everything from here on in this context be about it.

    told: the caller's own `X-Request-Id`; kept beside ours when it has a sane shape, else passed over
    """
    try:
        id_ = _ready.pop()
    except IndexError:
        drawn = secrets.token_hex(_AHEAD * _DIGITS // 2).encode("ascii")
        _ready.extend(drawn[at : at + _DIGITS] for at in range(0, len(drawn), _DIGITS))
        id_ = _ready.pop()
    mark = Mark(id_) if told is None else Mark(id_, _sane(told))
    _current.set(mark)
    return mark


def current_id() -> str | None:
    """Tell the id of the request that is being answered here, if one is."""
    mark = _current.get()
    return None if mark is None else mark.id


def current_or_new() -> str:
    """Tell the id of the request that is being answered here; where none is, begin one."""
    return (_current.get() or begin()).id


def apart() -> contextvars.Context:
    """Give a context that is about no request: for work that outlives the request that happened to start it."""
    context = contextvars.copy_context()
    context.run(_current.set, None)
    return context


def name_request(
    _logger: Any,
    _method: str,
    line: MutableMapping[str, Any],  # Any: structlog's own types
) -> MutableMapping[str, Any]:
    """Put the id into a line of the log, and beside it what the caller calls the request."""
    mark = _current.get()
    if mark is not None:
        line.setdefault("request_id", mark.id)
        if mark.told is not None:
            line.setdefault("client_request_id", mark.told)
    return line


def _sane(told: bytes) -> str | None:
    return told.decode("ascii") if _SANE.match(told) else None
