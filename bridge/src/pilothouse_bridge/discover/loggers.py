"""Python's loggers: the root, those with a level of their own, and the packages of the program itself."""

import logging
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pilothouse_bridge import _say
from pilothouse_bridge._inventory import Service

#: A heartbeat is not the place for every logger of every library; the rest is left out, sorted by name.
LIMIT: Final = 500
HANDLER_LIMIT: Final = 200
ROOT: Final = "root"
_WIRE_NAMES: Final = {
    logging.DEBUG: "DEBUG",
    logging.INFO: "INFO",
    logging.WARNING: "WARN",
    logging.ERROR: "ERROR",
    logging.CRITICAL: "FATAL",
}


def wire_level(level: int) -> str:
    """DEBUG, INFO, WARN, ERROR, FATAL, or the number as text."""
    return _WIRE_NAMES.get(level, str(level))


def log_levels(services: Sequence[Service]) -> list[tuple[str, str]]:
    """Levels by logger name: the root first, then by name, at most ``LIMIT``."""
    root = logging.getLogger()
    existing = list(root.manager.loggerDict.items())
    levels = {
        name: logger.level
        for name, logger in existing
        if isinstance(logger, logging.Logger) and logger.level and not _say.is_own_level(name)
    }
    names = {name.partition(".")[0] for name, _ in existing}
    for package in _own_packages(services) & names:
        levels.setdefault(package, _effective_level(package))
    ordered = sorted((name, wire_level(level)) for name, level in levels.items() if name != ROOT)
    return [(ROOT, wire_level(root.level)), *ordered[: LIMIT - 1]]


def log_handlers(levels: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Handlers whose own level hides what a logger lets through: logger, handler, its level; at most ``HANDLER_LIMIT``.

    A logger's records reach its own handlers and those of its parents, as far as they propagate.
    """
    hiding: list[tuple[str, str, str]] = []
    for name, _ in levels:
        logger = logging.getLogger() if name == ROOT else logging.root.manager.loggerDict.get(name)
        if not isinstance(logger, logging.Logger):
            continue
        lets_through = logger.getEffectiveLevel()
        hiding += [
            (name, type(handler).__name__, wire_level(handler.level))
            for handler in _reached(logger)
            if handler.level > lets_through
        ]
        if len(hiding) >= HANDLER_LIMIT:
            break
    return hiding[:HANDLER_LIMIT]


def is_own_package(package: str, services: Iterable[Service]) -> bool:
    """Whether a top-level package is the program's own."""
    return package in _own_packages(services)


def _reached(logger: logging.Logger) -> Iterator[logging.Handler]:
    step: logging.Logger | None = logger
    while step is not None:
        yield from list(step.handlers)
        step = step.parent if step.propagate else None


def _effective_level(name: str) -> int:
    logger = logging.root.manager.loggerDict.get(name)
    # A placeholder stands for a parent that nobody asked for yet; asking would change the program's loggers.
    return logger.getEffectiveLevel() if isinstance(logger, logging.Logger) else logging.getLogger().level


def _own_packages(services: Iterable[Service]) -> set[str]:
    """Top-level packages of the program: not of the standard library and not installed beside it."""
    packages = {service.package.partition(".")[0] for service in services}
    main_spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if main_spec is not None:
        packages.add(str(main_spec.name).partition(".")[0])
    foreign = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) if "." not in name else None
        if isinstance(file, str) and not file.startswith(foreign) and "site-packages" not in file:
            packages.add(name)
    return packages - {__name__.partition(".")[0]}
