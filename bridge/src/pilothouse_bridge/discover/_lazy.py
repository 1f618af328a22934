"""Discoverers that cost nothing while their framework is not there: loaded when its module is imported."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, final

from pilothouse_bridge import _say
from pilothouse_bridge.discover._hooks import is_being_imported, when_imported


@final
class Lazy:
    """Stands for a discoverer of any kind until a module that it is about appears."""

    def __init__(self, name: str, place: str, *modules: str) -> None:
        """``place`` is ``module:class`` of the discoverer; any of ``modules`` brings it to life."""
        self.name = name
        self._place: Final = place
        self._modules: Final = modules
        self._wake: Callable[[], None] = _nobody
        self._real: Any = None  # one of four protocols

    def install(self, wake: Callable[[], None]) -> None:
        """Wait for the framework, or begin at once when it is there."""
        self._wake = wake
        if self._real is not None:
            self._real.install(wake)
        elif self._is_there():
            self._load(None)
        else:
            for name in self._modules:
                when_imported(name, self._load)

    def find(self, *servings: Any, **named: Any) -> list[Any]:
        """What the discoverer finds; nothing before its framework is there."""
        if self._real is None and self._is_there():
            self._load(None)  # imported by a loader that nobody can listen to
        found: list[Any] = [] if self._real is None else self._real.find(*servings, **named)
        return found

    def steerables(self) -> list[Any]:
        """What the discoverer can steer."""
        steerables: Callable[[], list[Any]] | None = getattr(self._real, "steerables", None)
        return [] if steerables is None else steerables()

    def after_fork(self) -> None:
        """Renew the locks."""
        if self._real is not None:
            self._real.after_fork()

    def _is_there(self) -> bool:
        """Whether one of the modules has been imported to its end: what is half made cannot be hooked."""
        loaded = [sys.modules.get(name) for name in self._modules]
        return any(module is not None and not is_being_imported(module) for module in loaded)

    def _load(self, module: ModuleType | None) -> None:
        del module
        if self._real is not None:
            return
        import importlib

        place, _, name = self._place.partition(":")
        try:
            real = getattr(importlib.import_module(place), name)()
            real.install(self._wake)
        except Exception as error:
            _say.warning("Discovery of %s failed; what it would have found is not shown: %r", self.name, error)
            raise
        self._real = real


def _nobody() -> None:
    """Wake no one: not installed yet."""
