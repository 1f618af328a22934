"""Artifacts from the wire: JSON of unknown shape becomes the domain's structs, whatever it looks like.

How a kind is read follows from its struct: `MessageStore.error_message` is `errorMessage` in the array `messageStores`.
`_WIRE_KEYS` holds the names that do not follow. An odd entry is kept as far as it can be read, and flagged;
a flag names the place and the trouble, never the content.

Source: contracts/README.md, contracts/heartbeat/v1.
"""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from pilothouse.domain.artifacts import KINDS, Artifact, ArtifactState, Base, DeploymentState, Member
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.automation import Automation
from pilothouse.protocol.wire_values import (
    TEXT_CHARS_MAX,
    TEXT_CHARS_MAX_ELSE,
    Json,
    JsonObject,
    Notes,
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
    },
    DeploymentState: {"active": DeploymentState.ACTIVE, "faulty": DeploymentState.FAULTY},
}


def _text_reader(key: str, where: str) -> _Read:
    limit = TEXT_CHARS_MAX.get(key, TEXT_CHARS_MAX_ELSE)

    def read(value: Json, notes: Notes) -> str | None:
        if type(value) is str and len(value) <= limit:
            return value
        return read_text(value, key, where, notes)

    return read


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
    is_methods = key == "methods"

    def read(value: Json, notes: Notes) -> tuple[str, ...]:
        if type(value) is str:
            value = value.split(",") if is_methods else [value]
        if type(value) is not list:
            notes.add(f"{where}: not a list, ignored")
            return ()
        entries = cast("list[Json]", value)
        notes.enter(len(entries), where)
        texts: set[str] = set()
        for entry in entries:
            named = cast("JsonObject", entry).get("name") if type(entry) is dict else entry
            text = read_text(named, "method" if is_methods else key, where, notes)
            if text and is_methods:
                text = text.strip().upper()
            if text:
                texts.add(text)
        return tuple(sorted(texts))

    return read


def _members_reader(member: type[Member], where: str) -> _Read:
    """Parts in canonical order; of two with one identity the last stays, but methods of a path are united."""
    read_member = _struct_reader(member, f"{where}[]")

    def read(value: Json, notes: Notes) -> tuple[Member, ...]:
        if type(value) is not list:
            notes.add(f"{where}: not a list, ignored")
            return ()
        entries = cast("list[Json]", value)
        notes.enter(len(entries), where)
        members: dict[tuple[str, ...], Member] = {}
        for entry in entries:
            if type(entry) is not dict:
                notes.add(f"{where}[]: not an object, ignored")
                continue
            part = read_member(cast("JsonObject", entry), notes)
            identity = part.identity
            members[identity] = _united(members[identity], part) if identity in members else part
        return tuple(members[identity] for identity in sorted(members))

    return read


def _united(earlier: Member, later: Member) -> Member:
    methods = getattr(later, "methods", None)
    if methods is None:
        return later
    return msgspec.structs.replace(later, methods=tuple(sorted({*getattr(earlier, "methods", ()), *methods})))


def _wire_keys(field: str) -> tuple[str, ...]:
    head, *rest = field.split("_")
    camel = head + "".join(word.capitalize() for word in rest)
    if field.endswith("_type"):
        return ("type", camel)
    return _WIRE_KEYS.get(field, (camel,))


def _value_reader(hint: Any, key: str, where: str) -> _Read:
    """Choose the reader for a field's type."""
    kept = next(arg for arg in (get_args(hint) or (hint,)) if arg is not NoneType)
    if get_origin(hint) is tuple:
        return _texts_reader(key, where) if kept is str else _members_reader(kept, where)
    if kept in _STATE_WORDS:
        return _state_reader(kept, where)
    if kept is str:
        return _text_reader(key, where)
    if kept is bool:
        return _flag_reader(where)
    if kept is int:
        return lambda value, notes: read_integer(value, where, notes)
    if kept is float:
        return lambda value, notes: read_number(value, where, notes)
    raise TypeError(f"No reader for {hint} at {where}.")


def _struct_reader(struct: type[_Struct], where: str) -> Callable[[JsonObject, Notes], _Struct]:
    """Make the reader of a struct from its fields; absent and null leave a field at its default."""
    hints = get_type_hints(struct)
    plan: list[tuple[str, str, tuple[str, ...], _Read, str | None]] = []
    unnamed: dict[str, object] = {}
    for field in msgspec.structs.fields(struct):
        first, *others = _wire_keys(field.name)
        place = f"{where}.{first}"
        expected = field.required or field.default == ""
        if field.required:
            unnamed[field.name] = "(unnamed)"
        read_value = _value_reader(hints[field.name], first, place)
        plan.append((field.name, first, tuple(others), read_value, f"{place}: missing" if expected else None))

    def read(entry: JsonObject, notes: Notes) -> _Struct:
        fields = dict(unnamed)
        for name, key, others, read_value, missing in plan:
            value = entry.get(key)
            if value is None and others:
                value = next((entry[other] for other in others if entry.get(other) is not None), None)
            if value is None:
                if missing is not None:
                    notes.add(missing)
                continue
            result = read_value(value, notes)
            if result is not None:
                fields[name] = result
        return cast("Any", struct)(**fields)  # the plan is made of this very struct's fields

    return read


def _array_of(kind: type[Base]) -> str:
    """Name of a kind's array on the wire: `local-entry` is in `localEntries`."""
    array = _wire_keys(str(kind.__struct_config__.tag).replace("-", "_"))[0]
    return f"{array[:-1]}ies" if array.endswith("y") else f"{array}s"


_AUTOMATION_KEYS: Final = {"name": "packageName", "organization": "packageOrg", "version": "packageVersion"}
_read_automation = _struct_reader(Automation, "artifacts.main")
_ARRAYS: Final = {
    array: _struct_reader(kind, f"artifacts.{array}[]")
    for kind in KINDS
    if kind is not Automation
    for array in ((_array_of(kind), "compositeApps") if _array_of(kind) == "carbonApps" else (_array_of(kind),))
}


def read_artifacts(value: Json, notes: Notes) -> ArtifactSet:
    """Read the member `artifacts`; whatever can be read of an entry is kept.

    Raises: TooManyArtifacts
    """
    if type(value) is not dict:
        notes.add("artifacts: not an object, ignored")
        return ArtifactSet()
    arrays = cast("JsonObject", value)
    found: list[Base] = []
    for array, read_entry in _ARRAYS.items():
        entries = arrays.get(array)
        if entries is None:
            continue
        where = f"artifacts.{array}"
        if type(entries) is not list:
            notes.add(f"{where}: not a list, ignored")
            continue
        found += _read_entries(cast("list[Json]", entries), read_entry, where, notes)
    main = arrays.get("main")
    if type(main) is dict and not found:
        keys = cast("JsonObject", main)
        found.append(_read_automation({name: keys.get(key) for name, key in _AUTOMATION_KEYS.items()}, notes))
    artifacts = ArtifactSet.of(cast("list[Artifact]", found))
    if artifacts.count < len(found):
        notes.add("artifacts: several of one name, the last one counts")
    return artifacts


def _read_entries(
    entries: list[Json], read_entry: Callable[[JsonObject, Notes], Base], where: str, notes: Notes
) -> list[Base]:
    notes.enter(len(entries), where)
    found: list[Base] = []
    for index, entry in enumerate(entries):
        if type(entry) is dict:
            if not entry.get("name"):
                notes.add(f"{where}[].name: missing")
                entry["name"] = f"(unnamed {index + 1})"
            found.append(read_entry(cast("JsonObject", entry), notes))
        elif type(entry) is str and entry:
            notes.add(f"{where}[]: not an object, kept as a name")
            found.append(read_entry({"name": entry}, notes))
        elif entry is not None:
            notes.add(f"{where}[]: not an object, ignored")
    return found
