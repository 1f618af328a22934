"""The bridge's voice: logger ``pilothouse_bridge``, heard by newcomers, silent when the interpreter goes down."""

import atexit
import logging
import sys
from typing import Final, final

from pilothouse_bridge import _native

_logger: Final = logging.getLogger("pilothouse_bridge")


@final
class _Gate:
    """Keeps our thread from writing while the interpreter dies.

    A daemon thread that is frozen inside a write to stderr makes Python abort at exit. So we speak under a lock, and at
    exit the main thread closes the gate: it waits for a sentence in progress, no longer than ``PATIENCE_S``.
    """

    PATIENCE_S: Final = 0.2

    def __init__(self) -> None:
        self.lock = _native.rlock()
        self.closed = False

    def close(self) -> None:
        spoken = self.lock.acquire(timeout=self.PATIENCE_S)
        self.closed = True
        if spoken:
            self.lock.release()


_gate: Final = _Gate()
atexit.register(_gate.close)


@final
class _NewcomersHandler(logging.Handler):
    """Plain lines on stderr for as long as the program has not configured logging; steps aside when it does."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr  # asked anew each time: programs and tests replace it
        if stream is not None:
            try:
                stream.write(f"{self.format(record)}\n")
                stream.flush()
            except (OSError, ValueError):
                pass  # a closed terminal is no reason to fail


@final
class _StepAside(logging.Filter):
    """Takes the handler and the level away again at the first record after the program has configured logging."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        if not logging.getLogger().handlers:
            return True
        _logger.removeFilter(self)
        _logger.removeHandler(self._handler)
        if _logger.level == logging.INFO:
            _logger.setLevel(logging.NOTSET)
        return _logger.isEnabledFor(record.levelno)


def be_heard() -> None:
    """Make INFO lines visible when nobody has configured logging: neither at the root nor at our logger."""
    if _logger.handlers or _logger.level != logging.NOTSET or logging.getLogger().handlers:
        return
    handler = _NewcomersHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    _logger.addHandler(handler)
    _logger.addFilter(_StepAside(handler))
    _logger.setLevel(logging.INFO)


def is_own_level(logger_name: str) -> bool:
    """Whether this level was set by us for a newcomer, and not by the program."""
    return logger_name == _logger.name and any(isinstance(one, _StepAside) for one in _logger.filters)


def debug(message: str, *arguments: object) -> None:
    """Say what only we ourselves want to know."""
    _say(logging.DEBUG, message, arguments)


def info(message: str, *arguments: object) -> None:
    """Say what a newcomer wants to see."""
    _say(logging.INFO, message, arguments)


def warning(message: str, *arguments: object) -> None:
    """Say what may need attention."""
    _say(logging.WARNING, message, arguments)


def error(message: str, *arguments: object) -> None:
    """Say what someone must mend."""
    _say(logging.ERROR, message, arguments)


def after_fork() -> None:
    """In a forked child: the parent's thread may have been speaking."""
    _gate.lock = _native.rlock()


def _say(level: int, message: str, arguments: tuple[object, ...]) -> None:
    with _gate.lock:
        if not _gate.closed:
            _logger.log(level, message, *arguments, stacklevel=3)
