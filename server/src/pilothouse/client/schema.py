"""A part of an OpenAPI document, and values that fit it. Untrusted: it may be of any shape, and refer to itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, final
from urllib.parse import unquote

import msgspec

Members = Mapping[str, Any]
"""A JSON object. Any: JSON values."""

_DEPTH_MAX: Final = 8
_HOPS_MAX: Final = 20
_SCHEMAS_MAX: Final = 1_000
"""That one answer is made from; what refers to itself in many ways would have no end."""
_PADDED_MAX: Final = 100
_BY_FORMAT: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T10:00:00Z",
    "time": "10:00:00Z",
    "email": "ann@example.com",
    "uuid": "3f2a8d1e-5c4b-4f6a-9d7e-0b1c2d3e4f5a",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "aGVsbG8=",
    "duration": "PT1M",
}


def members(value: object) -> Members:
    """Give an object, or an empty one for what is none."""
    return cast("Members", value) if isinstance(value, dict) else {}


def items(value: object) -> Sequence[object]:
    """Give an array, or an empty one for what is none."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def text(value: object) -> str:
    """Give a text, or an empty one for what is none."""
    return value if isinstance(value, str) else ""


@final
class Schemas:
    """The schemas of one document."""

    def __init__(self, document: Members) -> None:
        self._document = document
        self._left = 0

    def resolved(self, value: object) -> Members:
        """Follow references within the document; others, and circles, lead to nothing."""
        found = members(value)
        for _ in range(_HOPS_MAX):
            reference = found.get("$ref")
            if not isinstance(reference, str):
                return found
            if not reference.startswith("#/"):
                return {}
            target: object = self._document
            for step in reference[2:].split("/"):
                target = members(target).get(unquote(step).replace("~1", "/").replace("~0", "~"))
            found = members(target)
        return {}

    def kind_of(self, value: object) -> str:
        """Say in a few words what kind of value a schema asks for."""
        self._left = _SCHEMAS_MAX
        return self._kind(value, 0)

    def example_of(self, value: object) -> object:
        """Make an example that fits a schema: the one that it gives, or the least that it asks for."""
        self._left = _SCHEMAS_MAX
        return self._example(value, 0)

    def _ends(self, depth: int) -> bool:
        self._left -= 1
        return depth > _DEPTH_MAX or self._left < 0

    def _kind(self, value: object, depth: int) -> str:
        schema = self.resolved(value)
        if self._ends(depth):
            return "…"
        if choices := items(schema.get("enum")):
            return " | ".join(msgspec.json.encode(choice).decode() for choice in choices)
        for word, between in (("oneOf", " | "), ("anyOf", " | "), ("allOf", " & ")):
            if parts := items(schema.get(word)):
                return between.join(dict.fromkeys(self._kind(part, depth + 1) for part in parts))
        types = _types(schema)
        if types == ["array"]:
            return f"{self._kind(schema.get('items'), depth + 1)}[]"
        named = " | ".join(types) or ("object" if "properties" in schema else "any")
        shape = text(schema.get("format"))
        return f"{named} ({shape})" if shape else named

    def _example(self, value: object, depth: int) -> object:
        schema = self.resolved(value)
        if self._ends(depth):
            return None
        given = _given(schema)
        if given is not msgspec.UNSET:
            return given
        if parts := items(schema.get("allOf")):
            made = [self._example(part, depth + 1) for part in parts]
            if len(made) == 1 and "properties" not in schema:
                return made[0]
            own = self._object(schema, depth)
            return {name: each for part in [*made, own] for name, each in members(part).items()}
        for part in (*items(schema.get("oneOf")), *items(schema.get("anyOf"))):
            if _types(self.resolved(part)) != ["null"]:
                return self._example(part, depth + 1)
        return self._plain(schema, depth)

    def _plain(self, schema: Members, depth: int) -> object:
        kind = next((each for each in _types(schema) if each != "null"), "")
        match kind or ("object" if "properties" in schema else ""):
            case "string":
                return _string(schema)
            case "integer" | "number":
                least = schema.get("minimum")
                return least if isinstance(least, int | float) else 0
            case "boolean":
                return True
            case "array":
                return [self._example(schema["items"], depth + 1)] if "items" in schema else []
            case "object":
                return self._object(schema, depth)
            case _:
                return None

    def _object(self, schema: Members, depth: int) -> Members:
        return {
            name: self._example(each, depth + 1)
            for name, each in members(schema.get("properties")).items()
            if self.resolved(each).get("readOnly") is not True
        }


def _given(schema: Members) -> object:
    """Find the value that a schema itself gives; UNSET where it gives none."""
    for name in ("example", "examples", "default", "const", "enum"):
        several = items(schema.get(name)) if name in {"examples", "enum"} else ()
        if several:
            return several[0]
        if name in schema and name in {"example", "default", "const"}:
            return schema[name]
    return msgspec.UNSET


def _string(schema: Members) -> str:
    least = schema.get("minLength")
    length = min(least, _PADDED_MAX) if isinstance(least, int) else 0
    return _BY_FORMAT.get(text(schema.get("format"))) or "string".ljust(length, "x")


def _types(schema: Members) -> list[str]:
    told = schema.get("type")
    return [named for each in (told, *items(told)) if (named := text(each))]
