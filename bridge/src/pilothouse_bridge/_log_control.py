"""Python's log levels, changed and changed back while the program runs.

What the program itself had set is remembered from the first command on. When the program changes a level after us, its
word counts: that is then its own level.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pilothouse_bridge import _say
from pilothouse_bridge._inventory import Service
from pilothouse_bridge._order import printable
from pilothouse_bridge._steering import SteeringError
from pilothouse_bridge.discover.loggers import ROOT, is_own_package, wire_level

LIST_LIMIT: Final = 1000
_LEVELS: Final = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}


@dataclass(frozen=True)
class _Changed:
    """A level that was set by command; ``before`` is the program's own."""

    before: int
    ours: int


#: By name of the logger. Loggers live as long as the process, and so does this; a forked child inherits both.
_changed: Final[dict[str, _Changed]] = {}


def set_level(name: str, level: str, services: Iterable[Service]) -> None:
    """Set a logger's own level.

    Raises: SteeringError BAD_PAYLOAD, NO_SUCH_LOGGER.
    """
    number = _LEVELS.get(level)
    if number is None:
        raise SteeringError(
            "BAD_PAYLOAD", 400, "The level is none of DEBUG, INFO, WARN, ERROR, FATAL.", "Choose one of them."
        )
    logger = _existing(name)
    if logger is None:
        if not _may_be_made(name, services):
            raise _no_such(name)
        logger = logging.getLogger(name)
    _changed[name] = _Changed(_programs_level(name, logger), number)
    logger.setLevel(number)


def reset_level(name: str) -> str:
    """Give a logger back the level that the program itself set; answers it.

    Raises: SteeringError NO_SUCH_LOGGER.
    """
    logger = _existing(name)
    if logger is None:
        raise _no_such(name)
    level = _programs_level(name, logger)
    _changed.pop(name, None)
    if logger.level != level:
        logger.setLevel(level)
    return _own(level)


def listed(search: str, limit: int) -> tuple[list[dict[str, object]], int]:
    """Loggers whose name holds a text, in whatever case, sorted, and how many there are without the limit."""
    wanted = search.casefold()
    found = [(name, logger) for name, logger in _loggers() if wanted in name.casefold()]
    return [_described(name, logger) for name, logger in found[:limit]], len(found)


def _described(name: str, logger: logging.Logger) -> dict[str, object]:
    # A level of ours for newcomers is not the program's.
    level = logging.NOTSET if _say.is_own_level(name) else logger.level
    return {
        "logger": name,
        "level": _own(level),
        "effectiveLevel": wire_level(logger.getEffectiveLevel()),
        "handlers": [{"handler": type(one).__name__, "level": _own(one.level)} for one in list(logger.handlers)],
        "programLevel": _own(logging.NOTSET if _say.is_own_level(name) else _programs_level(name, logger)),
    }


def _loggers() -> Iterator[tuple[str, logging.Logger]]:
    yield ROOT, logging.getLogger()
    for name, logger in sorted(list(logging.root.manager.loggerDict.items()), key=lambda item: item[0]):  # noqa: C414 - a copy: other threads add
        if isinstance(logger, logging.Logger):
            yield name, logger


def _existing(name: str) -> logging.Logger | None:
    if name == ROOT:
        return logging.getLogger()
    found = logging.root.manager.loggerDict.get(name)
    return found if isinstance(found, logging.Logger) else None


def _may_be_made(name: str, services: Iterable[Service]) -> bool:
    """A placeholder has children; else only names in the program's packages, or typing errors would make loggers."""
    return name in logging.root.manager.loggerDict or is_own_package(name.partition(".")[0], services)


def _programs_level(name: str, logger: logging.Logger) -> int:
    changed = _changed.get(name)
    return changed.before if changed is not None and logger.level == changed.ours else logger.level


def _own(level: int) -> str:
    return "NOTSET" if level == logging.NOTSET else wire_level(level)


def _no_such(name: str) -> SteeringError:
    shown = printable(name)
    return SteeringError(
        "NO_SUCH_LOGGER",
        404,
        f"There is no logger {shown}, and it is not in the program's packages.",
        "Look at the list of loggers for how it is spelled.",
    )
