"""Brings the measuring of a framework or a client library to life when that is imported; what is not there costs nothing."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Final

from pilothouse_bridge import _say
from pilothouse_bridge.discover._hooks import is_being_imported, when_imported


def _asgi(class_name: str) -> Callable[[ModuleType], None]:
    def watch(module: ModuleType) -> None:
        from pilothouse_bridge.telemetry import _asgi

        _asgi.watch(class_name, module)

    return watch


def _wsgi(module: ModuleType) -> None:
    from pilothouse_bridge.telemetry import _wsgi

    _wsgi.watch(module)


def _client(watch_name: str) -> Callable[[ModuleType], None]:
    def watch(module: ModuleType) -> None:
        from pilothouse_bridge.telemetry import _clients

        getattr(_clients, watch_name)(module)

    return watch


_HOOKS: Final[dict[str, Callable[[ModuleType], None]]] = {
    "starlette.applications": _asgi("Starlette"),
    "fastapi.applications": _asgi("FastAPI"),
    "flask.app": _wsgi,
    "httpx._client": _client("watch_httpx"),
    "httpx2._client": _client("watch_httpx"),
    "requests.sessions": _client("watch_requests"),
    "aiohttp.client": _client("watch_aiohttp"),
    "urllib.request": _client("watch_urllib"),
}
_done: Final[set[str]] = set()
_waiting: Final[set[str]] = set()


_before: Final[list[Callable[[], object]]] = []


def install(ignite: Callable[[], object]) -> None:
    """Watch what is there, and what will be, once a process; ``ignite`` begins what they report to."""
    _before[:] = [ignite]
    if _done:  # they report already, to one who has ended since
        ignite()
    catch_up()
    for name in _HOOKS:
        if name not in _done and name not in _waiting:
            _waiting.add(name)
            when_imported(name, lambda module, name=name: _bring(name, module))


def catch_up() -> None:
    """Find what was imported in a way that nobody could listen to."""
    for name in _HOOKS:
        module = sys.modules.get(name)
        if name not in _done and module is not None and not is_being_imported(module):
            _bring(name, module)


def _bring(name: str, module: ModuleType) -> None:
    if name in _done:
        return
    _done.add(name)
    try:
        for begin in _before:
            begin()
        _HOOKS[name](module)
    except Exception as error:  # noqa: BLE001 - libraries change; the program must not suffer
        _say.warning("Requests of %s are not measured: %r", name.partition(".")[0], error)
