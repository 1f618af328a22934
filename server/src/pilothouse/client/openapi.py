"""What can be asked of a service: by its OpenAPI definition, and by what its runtime reports beside it.

A definition is written by somebody else: nothing in it is taken for granted, and what is odd leads to nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit

import msgspec

from pilothouse.client.schema import Members, Schemas, items, members, text

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_FORM: Final = "x-www-form-urlencoded"
_JSON_TYPE: Final = re.compile(r"[/+]json\b", re.IGNORECASE)
_PART: Final = re.compile(r"\{([^}]*)\}")


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the path or the query, or a header, that an operation asks for."""

    name: str
    where: str = msgspec.field(name="in")
    required: bool
    kind: str


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A body that an operation takes."""

    type: str
    """Its media type."""
    required: bool
    example: str
    """Made from its schema where the definition gives none; empty where nothing is known of it."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a service answers."""

    method: str
    path: str
    """With `{parts}` that are to be filled in."""
    summary: str
    deprecated: bool
    source: str
    """The definition's title, or the service's name."""
    port: int | None
    """Where it is said to be served; None where nothing says so."""
    parameters: Sequence[Parameter]
    bodies: Sequence[Body]


def operations_of(
    definitions: Sequence[Mapping[str, Any]],  # Any: JSON values, here and below
    services: Sequence[Mapping[str, Any]],
    listeners: Sequence[Mapping[str, Any]],
) -> list[Operation]:
    """List what can be asked for, by path: what definitions say, and what services have beside that."""
    told = [found for each in definitions for found in _of_definition(each["fileName"], _read(each["definition"]))]
    known = {(each.method, _shape(each.path)) for each in told}
    ports = {each["name"]: each["port"] for each in listeners}
    reported = [
        each
        for service in services
        for each in _of_service(service, ports)
        if (each.method, _shape(each.path)) not in known
    ]
    once = {(each.method, each.path): each for each in reversed([*told, *reported])}
    return sorted(once.values(), key=lambda each: (each.path, METHODS.index(each.method)))


def unreadable(definitions: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the definitions that are none, by file name."""
    return [each["fileName"] for each in definitions if not members(_read(each["definition"]).get("paths"))]


def find_operation(operations: Sequence[Operation], method: str, path: str) -> Operation | None:
    """Find the operation that a request is for: one without parts to fill in before one with them."""
    alone = path.partition("?")[0].rstrip("/")
    fitting = [each for each in operations if each.method == method and _pattern(each.path).fullmatch(alone)]
    return min(fitting, key=lambda each: each.path.count("{"), default=None)


def _read(definition: str) -> Members:
    try:
        return members(msgspec.json.decode(definition))
    except (msgspec.DecodeError, RecursionError):
        return {}


def _of_definition(file_name: str, document: Members) -> Iterator[Operation]:
    source = text(members(document.get("info")).get("title")) or file_name
    schemas = Schemas(document)
    for path, told in members(document.get("paths")).items():
        shared = schemas.resolved(told)
        for method in METHODS:
            found = members(shared.get(method.lower()))
            if not found:
                continue
            servers = [*items(found.get("servers")), *items(shared.get("servers")), *items(document.get("servers"))]
            base, port = _server(servers[0] if servers else None)
            whole = _join(base, path)
            yield Operation(
                method=method,
                path=whole,
                summary=text(found.get("summary")) or text(found.get("operationId")),
                deprecated=found.get("deprecated") is True,
                source=source,
                port=port,
                parameters=_parameters(
                    schemas, whole, [*items(shared.get("parameters")), *items(found.get("parameters"))]
                ),
                bodies=_bodies(schemas, found.get("requestBody")),
            )


def _parameters(schemas: Schemas, path: str, told: Sequence[object]) -> list[Parameter]:
    """List them; what comes later wins, as an operation's own do over those of its path; parts of the path are always asked for."""
    found = {
        ("path", name): Parameter(name=name, where="path", required=True, kind="string")
        for name in _PART.findall(path)
        if name
    }
    for each in told:
        one = schemas.resolved(each)
        name, where = text(one.get("name")), text(one.get("in"))
        if name and where in {"path", "query", "header"}:
            kind = schemas.kind_of(one.get("schema", one))
            required = where == "path" or one.get("required") is True
            found[where, name] = Parameter(name=name, where=where, required=required, kind=kind)
    return list(found.values())


def _bodies(schemas: Schemas, told: object) -> list[Body]:
    body = schemas.resolved(told)
    return [
        Body(type=kind, required=body.get("required") is True, example=_example(schemas, kind, members(media)))
        for kind, media in members(body.get("content")).items()
    ]


def _example(schemas: Schemas, kind: str, media: Members) -> str:
    named = schemas.resolved(next(iter(members(media.get("examples")).values()), None))
    given = media.get("example", named.get("value"))
    example = schemas.example_of(media["schema"]) if given is None and "schema" in media else given
    if _FORM in kind:
        return urlencode({name: _written(value) for name, value in members(example).items()})
    if example is None:
        return ""
    if isinstance(example, str) and not _JSON_TYPE.search(kind):
        return example
    return msgspec.json.format(msgspec.json.encode(example), indent=2).decode()


def _written(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _server(told: object) -> tuple[str, int | None]:
    """Read path and port of a server, its variables filled with what they are by default."""
    server = members(told)
    variables = members(server.get("variables"))
    url = _PART.sub(lambda part: _written(members(variables.get(part[1])).get("default", "")), text(server.get("url")))
    try:
        parts = urlsplit(url)
        return unquote(parts.path), parts.port
    except ValueError:
        return "", None


def _of_service(service: Mapping[str, Any], ports: Mapping[str, int | None]) -> Iterator[Operation]:
    base = text(service.get("basePath"))
    port = next((ports[name] for name in service["listeners"] if ports.get(name) is not None), None)
    for resource in service["resources"]:
        path = base if resource["path"] == "/" and base not in {"", "/"} else _join(base, resource["path"])
        for told in resource["methods"]:
            method = "GET" if told in {"ANY", "DEFAULT"} else told
            if method in METHODS:
                bodies = [Body(type="application/json", required=False, example="")] if method in WITH_BODY else []
                yield Operation(
                    method=method,
                    path=path,
                    summary="",
                    deprecated=False,
                    source=service["name"],
                    port=port,
                    parameters=_parameters(Schemas({}), path, []),
                    bodies=bodies,
                )


def _shape(path: str) -> str:
    """Two paths are one where only the names of their parts differ."""
    return _PART.sub("{}", path).rstrip("/")


def _pattern(path: str) -> re.Pattern[str]:
    """Read a path as what requests for it look like."""
    return re.compile("[^/]+".join(re.escape(part) for part in re.split(r"\{[^}]*\}", path.rstrip("/"))))


def _join(base: str, path: str) -> str:
    joined = f"{base.rstrip('/')}/{path.lstrip('/')}"
    return joined if joined.startswith("/") else f"/{joined}"
