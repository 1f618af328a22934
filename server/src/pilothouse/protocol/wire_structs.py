"""The domain's structs from JSON objects of unknown shape, whatever they look like.

How a struct is read follows from its fields: `MessageStore.carbon_app` is `carbonApp`.
`_WIRE_KEYS` holds the names that do not follow. What cannot be read is left out, and flagged;
a flag names the place and the trouble, never the content.
"""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Final, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from pilothouse.domain.artifacts import ArtifactState, Base, DeploymentState, Member
from pilothouse.protocol.wire_values import (
    TEXT_CHARS_MAX,
    TEXT_CHARS_MAX_ELSE,
    Json,
    JsonObject,
    Notes,
    is_list,
    is_object,
    read_integer,
    read_number,
    read_text,
)

_Read = Callable[[Json, Notes], object]
_Struct = TypeVar("_Struct", bound=Base | Member)

_WIRE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "carbon_app": ("carbonApp", "compositeApp"),
    "error_message": ("errorMessage", "error"),
    "path": ("url", "path"),
    "size_messages": ("size",),
    "state": ("state", "status"),
    "task_class": ("class",),
    "timeout_s": ("timeout",),
}
_STATE_WORDS: Final[Mapping[type, Mapping[str, object]]] = {
    ArtifactState: {
        "enabled": ArtifactState.ENABLED,
        "disabled": ArtifactState.DISABLED,
        "active": ArtifactState.ENABLED,
        "inactive": ArtifactState.DISABLED,
        "gated": ArtifactState.GATED,
        "draining": ArtifactState.DRAINING,
        "failed": ArtifactState.FAILED,
    },
    DeploymentState: {"active": DeploymentState.ACTIVE, "faulty": DeploymentState.FAULTY},
}
_METHODS: Final[Mapping[Json, tuple[str]]] = {
    spelling: (method,)
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "REMOTE", "WEBSOCKET")
    for spelling in (method, method.lower())
}
"""What nearly every resource has, ready made."""


def _flag_reader(where: str) -> _Read:
    def read(value: Json, notes: Notes) -> bool | None:
        if type(value) is bool:
            return value
        notes.add(f"{where}: not true or false, ignored")
        return None

    return read


def _state_reader(states: type, where: str) -> _Read:
    words = _STATE_WORDS[states]

    def read(value: Json, notes: Notes) -> object:
        state = words.get(value) or words.get(value.lower()) if type(value) is str else None
        if state is None:
            notes.add(f"{where}: not a known state")
            return states("unknown")
        return state

    return read


def _texts_reader(key: str, where: str) -> _Read:
    """Texts in canonical order; an object stands for its name."""

    def read(value: Json, notes: Notes) -> tuple[str, ...]:
        if type(value) is str:
            value = [value]
        if not is_list(value):
            notes.add(f"{where}: not a list, ignored")
            return ()
        notes.enter(len(value), where)
        texts = {read_text(entry.get("name") if is_object(entry) else entry, key, where, notes) for entry in value}
        return tuple(sorted(text for text in texts if text))

    return read


def _methods_reader(where: str) -> _Read:
    """Methods as a list or as `GET,POST`; upper case, in canonical order."""
    read_texts = _texts_reader("method", where)

    def read(value: Json, notes: Notes) -> tuple[str, ...]:
        if type(value) is str:
            value = value.split(",")
        elif is_list(value) and len(value) == 1 and type(value[0]) is str and value[0] in _METHODS:
            return _METHODS[value[0]]
        texts = cast("tuple[str, ...]", read_texts(value, notes))
        return tuple(sorted({text.strip().upper() for text in texts} - {""}))

    return read


def _members_reader(member: type[Member], where: str) -> _Read:
    """Parts in canonical order; of two with one identity the last stays, but methods of a path are united."""
    read_member = struct_reader(member, f"{where}[]")

    def read(value: Json, notes: Notes) -> tuple[Member, ...]:
        if not is_list(value):
            notes.add(f"{where}: not a list, ignored")
            return ()
        notes.enter(len(value), where)
        members: dict[tuple[str, ...], Member] = {}
        for entry in value:
            if not is_object(entry):
                notes.add(f"{where}[]: not an object, ignored")
                continue
            part = read_member(entry, notes)
            identity = part.identity
            members[identity] = _united(members[identity], part) if identity in members else part
        return tuple(members[identity] for identity in sorted(members))

    return read


def _united(earlier: Member, later: Member) -> Member:
    methods = getattr(later, "methods", None)
    if methods is None:
        return later
    return msgspec.structs.replace(later, methods=tuple(sorted({*getattr(earlier, "methods", ()), *methods})))


def wire_keys(field: str) -> tuple[str, ...]:
    """List the keys that a field may have on the wire, the one that is asked first in front."""
    head, *rest = field.split("_")
    camel = head + "".join(word.capitalize() for word in rest)
    if field.endswith("_type"):
        return ("type", camel)
    return _WIRE_KEYS.get(field, (camel,))


def _value_reader(hint: Any, key: str, where: str) -> _Read:
    """Choose the reader for a field's type."""
    kept = next(arg for arg in (get_args(hint) or (hint,)) if arg is not NoneType)
    if key == "methods":
        return _methods_reader(where)
    if get_origin(hint) is tuple:
        return _texts_reader(key, where) if kept is str else _members_reader(kept, where)
    if kept in _STATE_WORDS:
        return _state_reader(kept, where)
    scalars: dict[type, _Read] = {
        str: lambda value, notes: read_text(value, key, where, notes),
        bool: _flag_reader(where),
        int: lambda value, notes: read_integer(value, where, notes),
        float: lambda value, notes: read_number(value, where, notes),
    }
    return scalars[kept]


_NOT_TEXT: Final = -1


class _Step(NamedTuple):
    """What to do with one member on the wire."""

    field: str
    text_chars_max: int
    """For fields that are texts: a text no longer than this is taken without a call. Most values are."""
    read: _Read
    unless: str | None
    """The member that is asked first, where this one is only another name."""


def _steps(struct: type[Base | Member], where: str) -> dict[str, _Step]:
    """Plan the reading of a struct: wire key → step."""
    hints = get_type_hints(struct)
    steps: dict[str, _Step] = {}
    for field in msgspec.structs.fields(struct):
        hint, keys = hints[field.name], wire_keys(field.name)
        limit = TEXT_CHARS_MAX.get(keys[0], TEXT_CHARS_MAX_ELSE) if hint in {str, str | None} else _NOT_TEXT
        for key in keys:
            unless = keys[0] if key != keys[0] else None
            steps[key] = _Step(field.name, limit, _value_reader(hint, keys[0], f"{where}.{key}"), unless)
    return steps


def struct_reader(struct: type[_Struct], where: str) -> Callable[[JsonObject, Notes], _Struct]:
    """Make the reader of a struct; absent and null leave a field at its default."""
    make = cast("Any", struct)  # the steps are made of this very struct's fields
    steps = _steps(struct, where)
    fields = msgspec.structs.fields(struct)
    required = tuple(field.name for field in fields if field.required)
    expected = tuple(
        (field.name, f"{where}.{wire_keys(field.name)[0]}: missing")
        for field in fields
        if field.required or field.default == ""
    )

    def read(entry: JsonObject, notes: Notes) -> _Struct:
        known: JsonObject = {}
        for key, value in entry.items():
            if value is None or key not in steps:
                continue
            name, text_chars_max, read_value, unless = steps[key]
            if unless is not None and entry.get(unless) is not None:
                continue
            is_plain = type(value) is str and len(value) <= text_chars_max
            result = value if is_plain else read_value(value, notes)
            if result is not None:
                known[name] = result
        for name, missing in expected:
            if name not in known:
                notes.add(missing)
        for name in required:
            known.setdefault(name, "(unnamed)")
        return make(**known)

    return read
