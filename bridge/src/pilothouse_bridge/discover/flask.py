"""Flask's applications: the rules of the URL map, blueprints included."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from pilothouse_bridge._inventory import Resource, Service
from pilothouse_bridge.discover import Serving
from pilothouse_bridge.discover._hooks import Watch
from pilothouse_bridge.discover._layers import unwrapped
from pilothouse_bridge.discover._naming import attribute_of, source_of

#: Werkzeug and Flask add these to every rule by themselves.
_ADDED: Final = frozenset({"HEAD", "OPTIONS"})


class Flask:
    """Follows every application."""

    name = "flask"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._watch = Watch("flask.app", "Flask")

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch; an application alone is no reason to wake anybody."""
        del wake
        self._watch.install()

    def find(self, servings: Sequence[Serving]) -> list[Service]:
        """Every application that is alive, served or still waiting for a server."""
        self._watch.catch_up()
        live = self._watch.roster.live()
        known = {id(instance): instance for instance, _ in live}
        listeners: dict[int, list[str]] = {}
        for serving in servings:
            root = unwrapped(serving.application, known)
            if root is not None:
                listeners.setdefault(id(root), []).append(serving.listener.name)
        return [_service(instance, maker, tuple(sorted(listeners.get(id(instance), ())))) for instance, maker in live]

    def after_fork(self) -> None:
        """Renew the lock."""
        self._watch.renew_lock()


def _service(instance: Any, maker: str | None, listeners: tuple[str, ...]) -> Service:
    attribute = attribute_of(instance, maker)
    package = maker or (attribute or "").partition(":")[0] or str(instance.import_name)
    root = str(instance.config.get("APPLICATION_ROOT") or "/")
    return Service(
        name=attribute or str(instance.name) or package,
        base_path=root,
        package=package,
        listeners=listeners,
        resources=tuple(sorted(set(_resources(instance)), key=lambda one: (one.url, one.methods, one.source or ""))),
    )


def _resources(instance: Any) -> Iterator[Resource]:
    for rule in list(instance.url_map.iter_rules()):
        methods = set(rule.methods or ())
        shown = tuple(sorted(methods - _ADDED)) or tuple(sorted(methods)) or ("ANY",)
        if getattr(rule, "websocket", False):
            shown = ("WEBSOCKET",)
        yield Resource(shown, str(rule.rule), source_of(_handler(instance.view_functions.get(rule.endpoint))))


def _handler(view: Any) -> Any:
    """The class behind a class-based view, which Flask wraps in a function."""
    return getattr(view, "view_class", view)
