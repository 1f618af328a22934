"""Artifacts from the wire: JSON of unknown shape becomes the domain's structs, whatever it looks like.

How a kind is read follows from its struct: `MessageStore.error_message` is `errorMessage` in the array `messageStores`.
`_WIRE_KEYS` holds the names that do not follow. An odd entry is kept as far as it can be read, and flagged;
a flag names the place and the trouble, never the content.

Source: contracts/README.md, contracts/heartbeat/v1.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import NoneType
from typing import Any, Final, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

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

REMEMBERED_MAX: Final = 256
REMEMBERED_BYTES_MAX: Final = 32_768

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
        if type(value) is not list:
            notes.add(f"{where}: not a list, ignored")
            return ()
        entries = cast("list[Json]", value)
        notes.enter(len(entries), where)
        names = (cast("JsonObject", entry).get("name") if type(entry) is dict else entry for entry in entries)
        texts = {read_text(name, key, where, notes) for name in names}
        return tuple(sorted(text for text in texts if text))

    return read


def _methods_reader(where: str) -> _Read:
    """Methods as a list or as `GET,POST`; upper case, in canonical order."""
    read_texts = _texts_reader("method", where)

    def read(value: Json, notes: Notes) -> tuple[str, ...]:
        if type(value) is str:
            value = value.split(",")
        elif type(value) is list and len(cast("list[Json]", value)) == 1:
            only = cast("list[Json]", value)[0]
            if type(only) is str and only in _METHODS:
                return _METHODS[only]
        texts = cast("tuple[str, ...]", read_texts(value, notes))
        return tuple(sorted({text.strip().upper() for text in texts} - {""}))

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
        hint, keys = hints[field.name], _wire_keys(field.name)
        limit = TEXT_CHARS_MAX.get(keys[0], TEXT_CHARS_MAX_ELSE) if hint in {str, str | None} else _NOT_TEXT
        for key in keys:
            unless = keys[0] if key != keys[0] else None
            steps[key] = _Step(field.name, limit, _value_reader(hint, keys[0], f"{where}.{key}"), unless)
    return steps


def _struct_reader(struct: type[_Struct], where: str) -> Callable[[JsonObject, Notes], _Struct]:
    """Make the reader of a struct; absent and null leave a field at its default."""
    make = cast("Any", struct)  # the steps are made of this very struct's fields
    steps = _steps(struct, where)
    fields = msgspec.structs.fields(struct)
    required = tuple(field.name for field in fields if field.required)
    expected = tuple(
        (field.name, f"{where}.{_wire_keys(field.name)[0]}: missing")
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


def read_artifacts(document: bytes) -> tuple[ArtifactSet, tuple[str, ...]]:
    """Read the member `artifacts` and what is odd in it; whatever can be read of an entry is kept.

    Replicas, and runtimes that come back, report byte for byte the same: the last `REMEMBERED_MAX` documents of up to
    `REMEMBERED_BYTES_MAX` bytes are remembered, the one unused for longest goes first.

    Raises: TooManyArtifacts, msgspec.DecodeError
    """
    return (_read_remembered if len(document) <= REMEMBERED_BYTES_MAX else _read_document)(document)


def _read_document(document: bytes) -> tuple[ArtifactSet, tuple[str, ...]]:
    notes = Notes()
    artifacts = _read_set(msgspec.json.decode(document), notes)
    return artifacts, notes.flags()


_read_remembered = lru_cache(maxsize=REMEMBERED_MAX)(_read_document)


def _read_set(value: Json, notes: Notes) -> ArtifactSet:
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
