"""Artifacts from the wire: the member `artifacts` becomes a set, as far as it can be read.

A kind has an array named after it: `message-store` is in `messageStores`. An odd entry is kept and flagged.

Source: contracts/README.md, contracts/heartbeat/v1.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, cast

import msgspec

from pilothouse.domain.artifacts import KINDS, Artifact, Base
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.automation import Automation
from pilothouse.protocol.wire_structs import struct_reader, wire_keys
from pilothouse.protocol.wire_values import (
    ENTRIES_MAX,
    Json,
    JsonObject,
    Notes,
    TooManyArtifacts,
    is_list,
    is_object,
)

REMEMBERED_MAX: Final = 256
REMEMBERED_BYTES_MAX: Final = 32_768
PLAIN_BYTES_MAX: Final = 262_144
"""In a larger document, entries are not looked for one by one."""
ENTRIES_REMEMBERED_MAX: Final = 2_048
ENTRY_REMEMBERED_BYTES_MAX: Final = 2_048


def _array_of(kind: type[Base]) -> str:
    """Name of a kind's array on the wire: `local-entry` is in `localEntries`."""
    array = wire_keys(str(kind.__struct_config__.tag).replace("-", "_"))[0]
    return f"{array[:-1]}ies" if array.endswith("y") else f"{array}s"


_AUTOMATION_KEYS: Final = {"name": "packageName", "organization": "packageOrg", "version": "packageVersion"}
_decode_arrays: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_entries: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_automation = struct_reader(Automation, "artifacts.main")
_ARRAYS: Final = {
    array: struct_reader(kind, f"artifacts.{array}[]")
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
    plain = read_plain(document) if len(document) <= PLAIN_BYTES_MAX else None
    return read_anything(document) if plain is None else (plain, ())


def read_plain(document: bytes) -> ArtifactSet | None:
    """Read artifacts in which nothing is odd, each entry that was read before out of memory; None where anything is.

    Of what a runtime reports anew most is as it was: the last `ENTRIES_REMEMBERED_MAX` entries of up to
    `ENTRY_REMEMBERED_BYTES_MAX` bytes are remembered, the one unused for longest goes first.
    """
    found: list[tuple[Artifact | None, int]] = []
    try:
        for array, raw in _decode_arrays(document).items():
            if array not in _ARRAYS:
                msgspec.json.decode(raw)  # nobody looks at it, but what is no JSON is refused
                continue
            for each in _decode_entries(raw):
                entry = bytes(each)
                read = _read_entry_remembered if len(entry) <= ENTRY_REMEMBERED_BYTES_MAX else _read_entry
                found.append(read(array, entry))
    except (msgspec.DecodeError, RecursionError):
        return None
    artifacts = ArtifactSet.of([artifact for artifact, _ in found if artifact is not None])
    is_plain = artifacts.count == len(found) > 0
    return artifacts if is_plain and sum(count for _, count in found) <= ENTRIES_MAX else None


def _read_entry(array: str, entry: bytes) -> tuple[Artifact | None, int]:
    """Read an entry, and count it and those of the lists inside of it; None where anything in it is odd.

    Raises: msgspec.DecodeError
    """
    value, notes = msgspec.json.decode(entry), Notes()
    if not is_object(value) or not value.get("name"):
        return None, 0
    try:
        artifact = _ARRAYS[array](value, notes)
    except TooManyArtifacts:
        return None, 0
    return (None, 0) if notes.flags() else (cast("Artifact", artifact), 1 + notes.entries)


_read_entry_remembered = lru_cache(maxsize=ENTRIES_REMEMBERED_MAX)(_read_entry)


def read_anything(document: bytes) -> tuple[ArtifactSet, tuple[str, ...]]:
    """Read artifacts, and what is odd in them.

    Raises: TooManyArtifacts, msgspec.DecodeError
    """
    notes = Notes()
    artifacts = _read_set(msgspec.json.decode(document), notes)
    return artifacts, notes.flags()


_read_remembered = lru_cache(maxsize=REMEMBERED_MAX)(_read_document)


def _read_set(value: Json, notes: Notes) -> ArtifactSet:
    if not is_object(value):
        notes.add("artifacts: not an object, ignored")
        return ArtifactSet()
    found: list[Base] = []
    for array, read_entry in _ARRAYS.items():
        entries = value.get(array)
        if entries is None:
            continue
        where = f"artifacts.{array}"
        if not is_list(entries):
            notes.add(f"{where}: not a list, ignored")
            continue
        found += _read_entries(entries, read_entry, where, notes)
    main = value.get("main")
    if is_object(main) and not found:
        found.append(_read_automation({name: main.get(key) for name, key in _AUTOMATION_KEYS.items()}, notes))
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
        if is_object(entry):
            if not entry.get("name"):
                notes.add(f"{where}[].name: missing")
                entry["name"] = f"(unnamed {index + 1})"
            found.append(read_entry(entry, notes))
        elif type(entry) is str and entry:
            notes.add(f"{where}[]: not an object, kept as a name")
            found.append(read_entry({"name": entry}, notes))
        elif entry is not None:
            notes.add(f"{where}[]: not an object, ignored")
    return found
