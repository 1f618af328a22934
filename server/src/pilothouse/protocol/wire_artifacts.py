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
from pilothouse.protocol.wire_values import Json, JsonObject, Notes, is_list, is_object

REMEMBERED_MAX: Final = 256
REMEMBERED_BYTES_MAX: Final = 32_768


def _array_of(kind: type[Base]) -> str:
    """Name of a kind's array on the wire: `local-entry` is in `localEntries`."""
    array = wire_keys(str(kind.__struct_config__.tag).replace("-", "_"))[0]
    return f"{array[:-1]}ies" if array.endswith("y") else f"{array}s"


_AUTOMATION_KEYS: Final = {"name": "packageName", "organization": "packageOrg", "version": "packageVersion"}
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
