"""Who is being served at this moment: ids and parents of spans, in W3C's ``traceparent``.

Source: W3C Trace Context, level 1.
"""

import random
import re
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, final

from pilothouse_bridge.telemetry._thrown import Thrown

SERVER: Final = 2
CLIENT: Final = 3
KEPT_CHILDREN_LIMIT: Final = 32
EVENTS_LIMIT: Final = 64
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_TRACESTATE_LIMIT: Final = 512
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16

#: Not the module's own generator: a program that seeds that one would make the same ids again at each start.
_random: Final = random.Random()  # noqa: S311 - ids, not secrets


def after_fork() -> None:
    """In a forked child: ids of its own."""
    _random.seed()


@final
class Parent:
    """What a caller said in its headers."""

    __slots__ = ("is_sampled", "span_id", "state", "trace_id")

    def __init__(self, trace_id: str, span_id: str, state: str, *, is_sampled: bool) -> None:
        """Keep what was said."""
        self.trace_id = trace_id
        self.span_id = span_id
        self.state = state
        self.is_sampled = is_sampled


def parent_of(traceparent: str, tracestate: str = "") -> Parent | None:
    """Read the headers; None where they say nothing that can be used."""
    match = _TRACEPARENT.fullmatch(traceparent.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or trace_id == _NO_TRACE or span_id == _NO_SPAN or (version == "00" and rest):
        return None
    state = tracestate if len(tracestate) <= _TRACESTATE_LIMIT else ""
    return Parent(trace_id, span_id, state, is_sampled=bool(int(flags, 16) & 1))


@dataclass(frozen=True, slots=True)
class Happened:
    """An event within a span, taken down."""

    name: str
    at_ns: int
    attributes: dict[str, object]


@final
class Span:
    """One request, served or made; it is recorded when it is sampled, kept or failed."""

    __slots__ = (
        "attributes",
        "began_ns",
        "children",
        "ended_ns",
        "error_type",
        "events",
        "is_kept",
        "is_sampled",
        "kind",
        "name",
        "parent_id",
        "root",
        "span_id",
        "state",
        "thrown",
        "trace_id",
    )

    def __init__(
        self, kind: int, trace_id: str, parent_id: str, state: str, *, is_sampled: bool, root: "Span | None" = None
    ) -> None:
        """Begin now."""
        self.kind = kind
        self.trace_id = trace_id
        self.span_id = new_span_id()
        self.parent_id = parent_id
        self.state = state
        self.is_sampled = is_sampled
        self.is_kept = False
        self.root = root
        self.children: list[Span] | None = None
        self.name = ""
        self.began_ns = time.time_ns()
        self.ended_ns = 0
        self.attributes: dict[str, object] = {}
        self.thrown: Thrown | None = None
        self.error_type: str | None = None
        self.events: list[Happened] | None = None

    def keep(self) -> None:
        """Something happened here that people will want to see: record it, sampled or not."""
        (self.root or self).is_kept = True

    def add_event(self, event: "Happened") -> None:
        """Something happened within it; beyond ``EVENTS_LIMIT`` the first ones are kept."""
        if self.events is None:
            self.events = []
        if len(self.events) < EVENTS_LIMIT:
            self.events.append(event)

    def traceparent(self) -> str:
        """What to tell a server that is asked within this span."""
        return f"00-{self.trace_id}-{self.span_id}-0{int(self.is_sampled)}"


#: The request that the running code serves or, within a client library, makes.
current: Final[ContextVar[Span | None]] = ContextVar("pilothouse_span", default=None)


@final
class Entered:
    """The running code belongs to a span, until ``leave``."""

    __slots__ = ("_token",)

    def __init__(self, span: Span) -> None:
        """From now on."""
        self._token = current.set(span)

    def leave(self) -> None:
        """What runs next does not belong to it."""
        try:
            current.reset(self._token)
        except ValueError:  # it ends elsewhere than it began: another context, which ends with it
            current.set(None)


def new_trace_id() -> str:
    """32 hex digits."""
    return f"{_random.getrandbits(128) or 1:032x}"


def new_span_id() -> str:
    """16 hex digits."""
    return f"{_random.getrandbits(64) or 1:016x}"
