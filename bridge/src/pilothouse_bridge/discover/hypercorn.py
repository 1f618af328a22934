"""Hypercorn's servers on asyncio or uvloop: what listens, which application answers, stopping and starting it.

Its trio workers are not shown.
"""

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any, Final

from pilothouse_bridge._inventory import Listener, ListenerState
from pilothouse_bridge._steering import Steerable
from pilothouse_bridge.discover import Serving
from pilothouse_bridge.discover._door import Door, Memory
from pilothouse_bridge.discover._hooks import when_imported
from pilothouse_bridge.discover._hypercorn_engine import HypercornEngine, Run
from pilothouse_bridge.discover._naming import listener_name

_MODULE: Final = "hypercorn.asyncio.run"
_CONNECTION_MODULE: Final = "hypercorn.asyncio.tcp_server"


class Hypercorn:
    """Follows every ``worker_serve`` of the process."""

    name = "hypercorn"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._wake: Callable[[], None] = _nobody
        self._runs: list[Run] = []
        self._connections: dict[Any, asyncio.Task[Any]] = {}
        self._hooked: set[str] = set()

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch; a server that runs already is not seen."""
        self._wake = wake
        for name, hook in ((_CONNECTION_MODULE, self._hook_connections), (_MODULE, self._hook)):
            module = sys.modules.get(name)
            if module is not None:
                hook(module)
            if name not in self._hooked:
                when_imported(name, hook)

    def find(self) -> list[Serving]:
        """Every server that runs."""
        return [serving for run in list(self._runs) for serving in self._servings(run)]

    def after_fork(self) -> None:
        """What ran in the parent does not run here."""
        self._runs.clear()
        self._connections.clear()

    def _hook_connections(self, module: ModuleType) -> None:
        if _CONNECTION_MODULE in self._hooked or not hasattr(module, "TCPServer"):
            return
        self._hooked.add(_CONNECTION_MODULE)
        original: Callable[[Any], Coroutine[Any, Any, None]] = module.TCPServer.run

        @functools.wraps(original)
        async def run(connection: Any) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._connections[connection] = task
            try:
                await original(connection)
            finally:
                self._connections.pop(connection, None)

        module.TCPServer.run = run

    def _hook(self, module: ModuleType) -> None:
        if _MODULE in self._hooked or not hasattr(module, "worker_serve"):
            return
        self._hooked.add(_MODULE)
        original: Any = module.worker_serve
        noted = self._noted(original)
        # Where the name was bound already: the package binds it after the module has been imported.
        for one in (module, sys.modules.get("hypercorn.asyncio")):
            if one is not None and getattr(one, "worker_serve", None) is original:
                setattr(one, "worker_serve", noted)  # noqa: B010 - the type checker knows no such module

    def _noted(self, original: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
        @functools.wraps(original)
        async def worker_serve(app: Any, config: Any, *args: Any, **kwargs: Any) -> None:
            work = original(app, config, *args, **kwargs)
            run = Run(app, config, work, self._connections, sockets_given=kwargs.get("sockets") is not None)
            self._runs.append(run)
            self._wake()  # it will listen in a moment; the bridge looks a few times
            try:
                await work
            finally:
                self._runs.remove(run)
                self._wake()

        return worker_serve

    def _servings(self, run: "Run") -> list[Serving]:
        servings: list[Serving] = []
        for one, context in run.open_bounds():
            run.addresses.setdefault(one.key, (one, context))
        for key, (one, context) in list(run.addresses.items()):  # two threads look
            memory = run.memories.get(key)
            protocol = "HTTP" if context is None else "HTTPS"
            host, port = (str(one.address[0]), int(one.address[1])) if one.is_inet else (str(one.address), None)
            listener = Listener(
                listener_name(protocol, host, port, dynamic=port is not None and run.is_dynamic(port)),
                "hypercorn",
                ListenerState.ENABLED if memory is None else memory.state,
                protocol,
                host,
                port,
                None if memory is None else memory.reason,
            )
            servings.append(Serving(listener, run.app, functools.partial(self._door, run, key)))
        return servings

    def _door(self, run: "Run", key: object, listener: Listener) -> Steerable:
        memory = run.memories.setdefault(key, Memory())
        return Door(listener, memory, HypercornEngine(run, key), self._wake)


def _nobody() -> None:
    """Wake no one: not installed yet."""
