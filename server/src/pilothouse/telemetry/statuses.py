"""With what a request was answered, as its span or a line about it tells: the same words as in metrics."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry.model import Attributes

STATUS_KEYS: Final = (
    "http.response.status_code",
    "http.status_code",
    "http.status_code_group",
    "rpc.grpc.status_code",
    "error.type",
)
"""Where a span tells its status, the first of them that is there; a word is the kind of an error to which nothing was answered."""
LINE_KEYS: Final = STATUS_KEYS[:2]
"""Where a line tells with what it saw a request answered."""
NONE: Final = "none"
"""How somebody asks for requests that tell no status."""
STATUSES_MAX: Final = 100
STATUS_CHARACTERS_MAX: Final = 100
TRACES_MAX: Final = 10_000
"""Traces whose lines are looked for at once."""
LONGEST_NS: Final = 3_600 * 1_000_000_000
"""A request that took longer than this is not found by the time of its answer."""

_CLASS = re.compile(r"[1-5]xx\Z", re.IGNORECASE)
_CODE = re.compile(r"[0-9]{1,3}\Z")


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of requests that were answered in some ways: a line matches by its own attribute or by its trace."""

    codes: tuple[str, ...] = ()
    """What an attribute of a line says, word for word."""
    trace_ids: tuple[str, ...] = ()
    """32 hex digits in lower case."""


def status_of(attributes: Attributes) -> str:
    """Tell the status of a span; nothing where it has none."""
    for key in STATUS_KEYS:
        value = attributes.get(key)
        if value is not None and value != "":
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return ""


def read_statuses(told: Sequence[str] | None, field: str = "statuses") -> tuple[str, ...]:
    """Read statuses as somebody writes them: a code, a class such as `5xx`, the kind of an error, or `none`.

    Raises: InvalidInput
    """
    asked = tuple(dict.fromkeys(one.strip() for one in told or ()))
    if len(asked) > STATUSES_MAX:
        raise InvalidInput(f"At most {STATUSES_MAX} statuses are asked for at once.", field=field, fix="Name fewer.")
    for one in asked:
        number = one[:1].isdigit() or not one
        if len(one) > STATUS_CHARACTERS_MAX or (number and not (_CLASS.match(one) or _CODE.match(one))):
            raise InvalidInput(
                f"'{one[:40]}' is no status.", field=field, fix="Write a code (404), a class (5xx), or a kind of error."
            )
    return asked


def codes_of(statuses: Iterable[str]) -> tuple[str, ...]:
    """Write statuses as spans tell them: a class as its codes and its name; nothing for who tells none."""
    found: dict[str, None] = {}
    for one in statuses:
        if _CLASS.match(one):
            found |= dict.fromkeys((one.lower(), one[0] + "XX", *(f"{one[0]}{rest:02}" for rest in range(100))))
        else:
            found["" if one == NONE else one] = None
    return tuple(found)
