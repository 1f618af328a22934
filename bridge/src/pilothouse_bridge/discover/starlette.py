"""Starlette's and FastAPI's applications: routes, nested mounts and routers, WebSockets, included routers."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from pilothouse_bridge._inventory import Resource, Service
from pilothouse_bridge.discover import Serving
from pilothouse_bridge.discover._hooks import Watch
from pilothouse_bridge.discover._layers import DEPTH_LIMIT, unwrapped
from pilothouse_bridge.discover._naming import attribute_of, source_of
from pilothouse_bridge.discover._openapi import definition_of

_HTTP_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT")


@dataclass(frozen=True)
class _Application:
    """An application at a place: on these listeners, below this path."""

    instance: Any  # of a framework that we do not import
    base_path: str
    listeners: tuple[str, ...]


class Starlette:
    """Follows every application; FastAPI is watched apart because its constructor does not call Starlette's."""

    name = "starlette"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._watches = (Watch("starlette.applications", "Starlette"), Watch("fastapi.applications", "FastAPI"))

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch; an application alone is no reason to wake anybody."""
        del wake
        for watch in self._watches:
            watch.install()

    def find(self, servings: Sequence[Serving]) -> list[Service]:
        """Every application that is alive: served, mounted in another, or still waiting for a server."""
        for watch in self._watches:
            watch.catch_up()
        makers = {id(instance): (instance, maker) for watch in self._watches for instance, maker in watch.roster.live()}
        known = {key: instance for key, (instance, _) in makers.items()}
        return [_service(placed, makers[id(placed.instance)][1], known) for placed in _placed(known, servings)]

    def after_fork(self) -> None:
        """Renew the locks."""
        for watch in self._watches:
            watch.renew_lock()


def _placed(known: dict[int, Any], servings: Sequence[Serving]) -> list[_Application]:
    """Give each application its base path and listeners, from the served ones down through their mounts."""
    instances = list(known.values())
    listeners: dict[int, list[str]] = {}
    for serving in servings:
        root = unwrapped(serving.application, known)
        if root is not None:
            listeners.setdefault(id(root), []).append(serving.listener.name)
    mounted = {id(child) for instance in instances for _, child in _children(instance, known)}
    roots = [instance for instance in instances if id(instance) in listeners or id(instance) not in mounted]
    placed: list[_Application] = []
    pending = [_Application(root, "", tuple(sorted(listeners.get(id(root), ())))) for root in roots]
    seen: set[tuple[int, str, tuple[str, ...]]] = set()
    while pending:
        application = pending.pop()
        mark = (id(application.instance), application.base_path, application.listeners)
        if mark in seen or application.base_path.count("/") > DEPTH_LIMIT:
            continue
        seen.add(mark)
        placed.append(application)
        pending += [
            _Application(child, application.base_path + prefix, application.listeners)
            for prefix, child in _children(application.instance, known)
        ]
    return placed


def _children(instance: Any, known: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """Applications mounted in this one, with the path they are mounted at."""
    for route in _walk(instance.routes, ""):
        if route.mounted is not None:
            child = unwrapped(route.mounted, known)
            if child is not None and child is not instance:
                yield route.url, child


def _service(application: _Application, maker: str | None, known: dict[int, Any]) -> Service:
    instance = application.instance
    attribute = attribute_of(instance, maker)
    package = maker or (attribute or "").partition(":")[0] or type(instance).__module__
    resources = dict.fromkeys(_resources(instance, known))
    return Service(
        name=_title(instance) or attribute or package,
        base_path=application.base_path or "/",
        package=package,
        listeners=application.listeners,
        resources=tuple(
            sorted(resources, key=lambda resource: (resource.url, resource.methods, resource.source or ""))
        ),
        definition=definition_of(instance, application.base_path),
    )


def _title(instance: Any) -> str | None:
    title = getattr(instance, "title", None)
    # "FastAPI" is what nobody chose.
    return title if isinstance(title, str) and title.strip() and title != "FastAPI" else None


def _resources(instance: Any, known: dict[int, Any]) -> Iterator[Resource]:
    for route in _walk(instance.routes, ""):
        if route.mounted is None:
            if getattr(route.endpoint, "__module__", None) != "fastapi.applications":  # its own documentation pages
                yield Resource(route.methods, route.url or "/", source_of(route.endpoint))
        elif unwrapped(route.mounted, known) is None:  # an application that we know is a service of its own
            yield Resource(route.methods, f"{route.url}/*", source_of(route.mounted))


@dataclass(frozen=True)
class _Route:
    """One route with its whole path; ``mounted`` is the foreign application behind a Mount."""

    methods: tuple[str, ...]
    url: str
    endpoint: object
    mounted: Any = None


def _walk(routes: Iterable[Any], prefix: str, depth: int = 0) -> Iterator[_Route]:
    for route in _flattened(list(routes)):
        path = str(getattr(route, "path", None) or "")
        nested = _nested_routes(route)
        if nested is not None and depth < DEPTH_LIMIT:
            yield from _walk(nested, prefix + path, depth + 1)
        elif hasattr(route, "endpoint"):
            yield _Route(_methods(route), prefix + path, route.endpoint)
        elif hasattr(route, "app"):
            # An application below a path: static files answer GET, others say themselves.
            is_static = type(route.app).__name__ == "StaticFiles"
            yield _Route(("GET",) if is_static else ("ANY",), prefix + path.rstrip("/"), None, mounted=route.app)


def _flattened(routes: list[Any]) -> Iterable[Any]:
    """FastAPI since 0.137 keeps included routers as one entry each; its own iterator opens them."""
    routing = sys.modules.get("fastapi.routing")
    opener = getattr(routing, "iter_route_contexts", None)
    if opener is None:
        return routes
    return [_opened(context) for context in cast("Iterable[Any]", opener(routes))]


def _opened(context: Any) -> Any:
    """The context when it knows a handler (its path has the prefix of the inclusion), else the route itself."""
    return context if getattr(context, "endpoint", None) is not None else context.original_route


def _nested_routes(route: Any) -> Iterable[Any] | None:
    """The routes of a Mount or Host that holds a plain router; None for anything else."""
    holder = getattr(route, "app", None)
    if hasattr(route, "endpoint") or holder is None or hasattr(holder, "router"):
        return None
    routes = getattr(route, "routes", None)
    return cast("list[Any]", routes) if isinstance(routes, list) and routes else None


def _methods(route: Any) -> tuple[str, ...]:
    methods: Iterable[str] | None = getattr(route, "methods", None)
    if methods is None:
        if "WebSocket" in type(getattr(route, "original_route", route)).__name__:
            return ("WEBSOCKET",)
        # A class of handlers has a method for each of HTTP's.
        own = [method for method in _HTTP_METHODS if hasattr(route.endpoint, method.lower())]
        return tuple(own) or ("ANY",)
    named = {method.upper() for method in methods}
    # Starlette adds HEAD to every GET by itself.
    return tuple(sorted(named - {"HEAD"} if "GET" in named else named))
