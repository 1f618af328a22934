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


class _Told(msgspec.Struct, frozen=True, gc=False):
    """A request that its caller gave a name, too."""

    id: bytes
    told: str
    """It may be anything, and is the same for as many requests as the caller likes."""


# The id as it stands in a header: 16 hexadecimal digits, random.
_current: contextvars.ContextVar[bytes | _Told | None] = contextvars.ContextVar("pilothouse_request", default=None)
_ready: list[bytes] = []


def begin(told: bytes | None = None) -> bytes:
    """Make the id of a request, and let everything from here on in this context be about it.

    told: the caller's own `X-Request-Id`; kept beside ours when it has a sane shape, else passed over
    """
    try:
        id_ = _ready.pop()
    except IndexError:
        id_ = _draw()
    if told is None or not _SANE.match(told):
        _current.set(id_)
    else:
        _current.set(_Told(id_, told.decode("ascii")))
    return id_


def _draw() -> bytes:
    drawn = secrets.token_hex(_AHEAD * _DIGITS // 2).encode("ascii")
    _ready.extend(drawn[at : at + _DIGITS] for at in range(_DIGITS, len(drawn), _DIGITS))
    return drawn[:_DIGITS]


def current_id() -> str | None:
    """Tell the id of the request that is being answered here, if one is."""
    found = _current.get()
    return None if found is None else _id_of(found)


def current_or_new() -> str:
    """Tell the id of the request that is being answered here; where none is, begin one."""
    return _id_of(_current.get() or begin())


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
    found = _current.get()
    if found is not None:
        line.setdefault("request_id", _id_of(found))
        if isinstance(found, _Told):
            line.setdefault("client_request_id", found.told)
    return line


def _id_of(found: bytes | _Told) -> str:
    return (found.id if isinstance(found, _Told) else found).decode("ascii")
