"""What a FastAPI application says of itself: its OpenAPI document, made without leaving a trace in the program."""

import inspect
import json
import sys
import weakref
from collections.abc import Callable
from typing import Any, Final, cast

from pilothouse_bridge import _say

SIZE_LIMIT: Final = 1_048_576
#: Attributes of an application by the arguments that they become, in every release that has them.
_ARGUMENTS: Final = {
    "title": "title",
    "version": "version",
    "openapi_version": "openapi_version",
    "summary": "summary",
    "description": "description",
    "terms_of_service": "terms_of_service",
    "contact": "contact",
    "license_info": "license_info",
    "routes": "routes",
    "tags": "openapi_tags",
    "servers": "servers",
    "separate_input_output_schemas": "separate_input_output_schemas",
    "external_docs": "openapi_external_docs",
}
_made: "weakref.WeakKeyDictionary[Any, tuple[object, str | None]]" = weakref.WeakKeyDictionary()
"""By application: of which routes it was made, and what it became."""


def definition_of(instance: Any, base_path: str) -> str | None:
    """The OpenAPI document as JSON text; none where the program publishes none, or where it cannot be made.

    The program's own cache is left as it is: it may add routes after we looked. An application that makes its document in
    its own way is asked for nothing; what it has made already is taken.
    """
    if not getattr(instance, "openapi_url", None):
        return None
    try:
        state = (_state_of(instance), base_path)
        known = _made.get(instance)
        if known is None or known[0] != state:
            known = (state, _written(_document(instance), base_path))
            _made[instance] = known
    except Exception as error:  # noqa: BLE001 - the program's own models are at work here
        _say.debug("No OpenAPI document of %s: %r", type(instance).__name__, error)
        return None
    return known[1]


def _state_of(instance: Any) -> tuple[object, ...]:
    """Differs when something was added since."""
    routes = cast("list[object]", instance.routes)
    return (len(routes), tuple(map(id, routes)), id(getattr(instance, "openapi_schema", None)))


def _document(instance: Any) -> dict[str, Any] | None:
    cached = getattr(instance, "openapi_schema", None)
    if isinstance(cached, dict):
        return cast("dict[str, Any]", cached)
    fastapi = sys.modules.get("fastapi.applications")
    maker: Callable[..., dict[str, Any]] | None = getattr(sys.modules.get("fastapi.openapi.utils"), "get_openapi", None)
    own: object = getattr(getattr(fastapi, "FastAPI", None), "openapi", None)
    if maker is None or own is None or getattr(instance.openapi, "__func__", None) is not own:
        return None
    taken = inspect.signature(maker).parameters
    arguments = {
        name: getattr(instance, attribute)
        for name, attribute in _ARGUMENTS.items()
        if name in taken and hasattr(instance, attribute)
    }
    return maker(**arguments)


def _written(document: dict[str, Any] | None, base_path: str) -> str | None:
    if document is None:
        return None
    if base_path not in {"", "/"} and not document.get("servers"):
        document = {**document, "servers": [{"url": base_path}]}
    text = json.dumps(document, separators=(",", ":"))
    if len(text) > SIZE_LIMIT:
        _say.debug("The OpenAPI document is larger than %d bytes and is not sent.", SIZE_LIMIT)
        return None
    return text
