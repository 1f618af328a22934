"""The OpenAPI description of the REST routes, made from their table."""

from typing import Any, get_args

import msgspec

from pilothouse.api.rest import ROUTES, Access, RestRoute
from pilothouse.api.rest_routes import Parameter

_REF = "#/components/schemas/{name}"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is wrong, why, and what to do."""

    code: str
    message: str
    fix: str
    field: str | None = None
    request_id: str = msgspec.field(name="requestId")


def describe() -> dict[str, Any]:  # Any: an OpenAPI document
    """Make the OpenAPI 3.1 document."""
    given = [part for route in ROUTES for shape in route.responses.values() for part in _parts(shape)]
    shapes = [*(route.request for route in ROUTES if route.request is not None), *given]
    _, components = msgspec.json.schema_components([*shapes, Problem], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pilothouse",
            "version": "1",
            "description": "Sign-in, health, figures, downloads and trying out services. Everything else is GraphQL, at /graphql.",
            "license": {"name": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-pilothouse"},
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A session's access token, or an API token.",
                },
                "metrics": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(route: RestRoute) -> dict[str, Any]:
    responses: dict[str, Any] = {str(status): _answer(shape) for status, shape in route.responses.items()}
    if route.media_types:
        responses["200"] = {"description": "A file.", "content": {_bare(kind): {} for kind in route.media_types}}
    responses["default"] = {"description": "Refused, or our own trouble.", **_json(Problem)}
    operation: dict[str, Any] = {
        "operationId": route.path.strip("/").replace("/", "-"),
        "summary": route.summary,
        "x-access": route.access.value,
        "security": _security(route.access),
        "responses": responses,
    }
    if route.request is not None:
        operation["requestBody"] = {"required": route.request_is_needed, **_json(route.request)}
    if route.query:
        operation["parameters"] = [_parameter(each) for each in route.query]
    return operation


def _parameter(told: str | Parameter) -> dict[str, Any]:
    if isinstance(told, str):
        return {"name": told, "in": "query", "required": False, "schema": {"type": "string"}}
    value: dict[str, Any] = {"type": "string"} | ({"enum": list(told.choices)} if told.choices else {})
    schema = {"type": "array", "items": value} if told.many else value
    return {"name": told.name, "in": "query", "required": False, "description": told.meaning, "schema": schema}


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0]


def _answer(shape: Any) -> dict[str, Any]:
    return (
        {"description": "No body, or plain text."}
        if shape is None
        else {"description": " Or: ".join(_first_line(part) for part in _parts(shape)), **_json(shape)}
    )


def _security(access: Access) -> list[dict[str, list[str]]]:
    match access:
        case Access.ANYONE:
            return []
        case Access.SESSION:
            return [{"session": []}, {"bearer": []}]
        case Access.LOOPBACK_OR_METRICS_TOKEN:
            return [{"metrics": []}, {}]


def _json(shape: Any) -> dict[str, Any]:
    references = [{"$ref": _REF.format(name=part.__name__)} for part in _parts(shape)]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {"content": {"application/json": {"schema": schema}}}


def _parts(shape: Any) -> tuple[Any, ...]:
    """Give the shapes of which one is answered."""
    return () if shape is None else get_args(shape) or (shape,)


def _first_line(shape: Any) -> str:
    return str(shape.__doc__).splitlines()[0]
