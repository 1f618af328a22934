"""Single values from the wire, and what may be wrong with them: limits, refusals, flags.

Source: contracts/README.md.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeGuard

import msgspec

from pilothouse.base.errors import Refused

# JSON of unknown shape, as msgspec decodes it: every use checks the type first.
Json = Any
JsonObject = dict[str, Any]

ENTRIES_MAX: Final = 20_000
"""In one array of artifacts, or in one list inside an artifact."""
ENTRIES_TOTAL_MAX: Final = 100_000
"""In one heartbeat, lists inside artifacts included."""
INTEGER_MAX: Final = 2**63 - 1
"""What every database can hold."""
TIME_S_MAX: Final = 253_402_300_799.0
"""The last second of the year 9999."""

TEXT_CHARS_MAX: Final[Mapping[str, int]] = {
    # of the heartbeat
    "runtime": 100,
    "environment": 200,
    "project": 200,
    "component": 200,
    "version": 50,
    "runtimeHostname": 255,
    "runtimePort": 10,
    "runtimeHash": 128,
    "tryItHost": 255,
    "capability": 64,
    "logger": 255,
    "level": 20,
    # of nodeInfo
    "osName": 50,
    "osVersion": 50,
    "osArch": 50,
    "platformName": 50,
    "platformVersion": 50,
    "carbonHome": 500,
    # of artifacts
    "name": 255,
    "package": 255,
    "method": 20,
    "path": 1024,
    "url": 1024,
    "urls": 1024,
    "endpoints": 1024,
    "source": 500,
    "description": 2000,
    "errorMessage": 2000,
    "value": 1024,
    "type": 100,
}
"""Units: characters. What is longer is cut, and flagged. Members not listed have `TEXT_CHARS_MAX_ELSE`."""
TEXT_CHARS_MAX_ELSE: Final = 255


class WireError(Refused):
    """The heartbeat cannot be understood."""

    code = "HEARTBEAT_INVALID"


class MalformedBody(WireError):
    """The body is not the JSON of a heartbeat."""

    code = "HEARTBEAT_MALFORMED"


class MissingMember(WireError):
    """A member that every heartbeat has is not there."""

    code = "MEMBER_MISSING"


class InvalidMember(WireError):
    """A member that must be right is not."""

    code = "MEMBER_INVALID"


class UnsupportedVersion(WireError):
    """The heartbeat is of a version that we do not speak."""

    code = "VERSION_UNSUPPORTED"


class TooManyArtifacts(WireError):
    """The heartbeat lists more than we keep."""

    code = "TOO_MANY_ARTIFACTS"


class Notes:
    """What was odd in one heartbeat: place and trouble → how often. Bounded, since both are constants."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.entries = 0
        """Of lists, together."""

    def add(self, flag: str) -> None:
        """Note that something is odd."""
        self._counts[flag] = self._counts.get(flag, 0) + 1

    def enter(self, entries: int, where: str) -> None:
        """Count entries of a list.

        Raises: TooManyArtifacts
        """
        self.entries += entries
        if entries > ENTRIES_MAX or self.entries > ENTRIES_TOTAL_MAX:
            refuse_too_many(where)

    def flags(self) -> tuple[str, ...]:
        """All oddities, as sentences for an operator."""
        return tuple(flag if count == 1 else f"{flag} ({count} times)" for flag, count in self._counts.items())


def refuse_too_many(where: str) -> NoReturn:
    """Refuse a heartbeat that lists more than we keep.

    Raises: TooManyArtifacts
    """
    raise TooManyArtifacts(
        f"Invalid heartbeat: too many entries at `{where}`.",
        field=where,
        fix=f"Report at most {ENTRIES_MAX} entries in a list and {ENTRIES_TOTAL_MAX} in a heartbeat.",
    )


def is_object(value: Json) -> TypeGuard[JsonObject]:
    """Tell whether it is a JSON object."""
    return type(value) is dict


def is_list(value: Json) -> TypeGuard[list[Json]]:
    """Tell whether it is a JSON array."""
    return type(value) is list


def read_text(value: Json, key: str, where: str, notes: Notes) -> str | None:
    """Read a text: numbers become text, what is too long is cut, anything else is nothing."""
    if value is None:
        return None
    limit = TEXT_CHARS_MAX.get(key, TEXT_CHARS_MAX_ELSE)
    if isinstance(value, str):
        if len(value) <= limit:
            return value
        notes.add(f"{where}: longer than {limit} characters, cut")
        return value[:limit]
    if isinstance(value, (int, float)):
        notes.add(f"{where}: not a text")
        return msgspec.json.encode(value).decode()[:limit]
    notes.add(f"{where}: not a text, ignored")
    return None


def read_integer(value: Json, where: str, notes: Notes) -> int | None:
    """Read a whole number that every database can hold; digits in a text are one, too."""
    if type(value) is str and len(value) < 20 and value.isascii() and value.isdecimal():  # noqa: PLR2004  digits of INTEGER_MAX
        value = int(value)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int and -INTEGER_MAX <= value <= INTEGER_MAX:
        return value
    if value is not None:
        notes.add(f"{where}: not a whole number, ignored")
    return None


def read_number(value: Json, where: str, notes: Notes) -> float | None:
    """Read a number; msgspec has already refused what is not finite."""
    if type(value) in {int, float} and -INTEGER_MAX <= value <= INTEGER_MAX:
        return float(value)
    if value is not None:
        notes.add(f"{where}: not a number, ignored")
    return None


def read_time_s(value: Json, where: str, notes: Notes) -> float | None:
    """Read `[epochSeconds, fraction]`, or a plain number of seconds."""
    time_s = _seconds(value)
    if is_list(value) and 1 <= len(value) <= 2:  # noqa: PLR2004 - seconds and fraction
        whole_s, part_s = _seconds(value[0]), _seconds(value[-1]) if len(value) > 1 else 0.0
        time_s = None if whole_s is None or part_s is None else whole_s + part_s
    if time_s is not None and 0 <= time_s <= TIME_S_MAX:
        return time_s
    if value is not None:
        notes.add(f"{where}: not a time, ignored")
    return None


def _seconds(value: Json) -> float | None:
    return float(value) if type(value) in {int, float} and abs(value) <= TIME_S_MAX else None
