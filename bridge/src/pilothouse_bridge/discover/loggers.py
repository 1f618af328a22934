"""Python's loggers: the root, those with a level of their own, and the packages of the program itself."""

import logging
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from typing import Final

from pilothouse_bridge import _say
from pilothouse_bridge._inventory import Service

#: A heartbeat is not the place for every logger of every library; the rest is left out, sorted by name.
LIMIT: Final = 500
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
