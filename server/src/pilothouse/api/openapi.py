"""The OpenAPI description of the REST routes, made from their table."""

from typing import Any

import msgspec

from pilothouse.api.rest import ROUTES, Access, RestRoute

_REF = "#/components/schemas/{name}"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong, why, and what to do."""

    code: str
    message: str
    fix: str
    field: str | None = None


def describe() -> dict[str, Any]:  # Any: an OpenAPI document
    """Make the OpenAPI 3.1 document."""
    shapes = [shape for route in ROUTES for shape in (route.request, *route.responses.values()) if shape is not None]
    _, components = msgspec.json.schema_components([*shapes, Problem], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pilothouse",
            "version": "1",
            "description": "Sign-in, health and figures. Everything else is GraphQL, at /graphql.",
            "license": {"name": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-pilothouse"},
                "metrics": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(route: RestRoute) -> dict[str, Any]:
    responses: dict[str, Any] = {str(status): _answer(shape) for status, shape in route.responses.items()}
    responses["default"] = {"description": "Refused, or our own trouble.", **_json(Problem)}
    operation: dict[str, Any] = {
        "operationId": route.path.strip("/").replace("/", "-"),
        "summary": route.summary,
        "x-access": route.access.value,
        "security": _security(route.access),
        "responses": responses,
    }
    if route.request is not None:
        operation["requestBody"] = {"required": True, **_json(route.request)}
    return operation


def _answer(shape: Any) -> dict[str, Any]:
    return (
        {"description": "No body, or plain text."}
        if shape is None
        else {"description": _first_line(shape), **_json(shape)}
    )


def _security(access: Access) -> list[dict[str, list[str]]]:
    match access:
        case Access.ANYONE:
            return []
        case Access.SESSION:
            return [{"session": []}]
        case Access.LOOPBACK_OR_METRICS_TOKEN:
            return [{"metrics": []}, {}]


def _json(shape: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": _REF.format(name=shape.__name__)}}}}


def _first_line(shape: Any) -> str:
    return str(shape.__doc__).splitlines()[0]
