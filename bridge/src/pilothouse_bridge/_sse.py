"""Server-sent events, read line by line.

Source: HTML Living Standard, 9.2.6 "Interpreting an event stream"; ids and retry times mean nothing here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

LINE_LIMIT_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``name`` is ``message`` where the server gave none."""

    name: str
    data: str


class TooLongError(ValueError):
    """A line or an event is longer than anything that a control plane says."""


def events(readline: Callable[[int], bytes]) -> Iterator[Event]:
    """The events until the stream ends; comments are pings and are passed over.

    Raises: TooLongError, and whatever ``readline`` raises.
    """
    name, data, size = "", list[str](), 0
    while line := readline(LINE_LIMIT_BYTES + 1):
        size += len(line)
        if size > LINE_LIMIT_BYTES:
            raise TooLongError(f"an event is longer than {LINE_LIMIT_BYTES} bytes")
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if not text:
            if data:
                yield Event(name or "message", "\n".join(data))
            name, data, size = "", [], 0
            continue
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not field:
            size = 0  # a comment: any number of pings may stand between two events
