"""Hears what the program says through ``logging``, on its way to the program's own handlers.

Not a handler: one at the root would make ``logging.basicConfig`` do nothing, would be thrown away by ``dictConfig``, and
would not hear loggers that do not propagate, as uvicorn's. What every logger calls when it has decided that a record is
to be heard is ``Logger.callHandlers``, whatever is configured, before or after us.
"""

import contextlib
import functools
import logging
import threading
from collections.abc import Callable
from typing import Final, final

_OWN: Final = __name__.partition(".")[0]
Listener = Callable[[logging.LogRecord], None]


@final
class _Tap:
    """One a process; it stays for ever, and does nothing while nobody listens."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self._is_installed = False
        self._busy = threading.local()

    def install(self) -> None:
        if self._is_installed:
            return
        self._is_installed = True
        original = logging.Logger.callHandlers

        @functools.wraps(original)
        def callHandlers(logger: logging.Logger, record: logging.LogRecord) -> None:  # noqa: N802 - it takes its place
            if self.listener is not None:
                self._hear(record)
            original(logger, record)

        setattr(logging.Logger, "callHandlers", callHandlers)  # noqa: B010 - the type checker wants its own names

    def _hear(self, record: logging.LogRecord) -> None:
        name = record.name
        if name.startswith(_OWN) and (len(name) == len(_OWN) or name[len(_OWN)] == "."):
            return
        # What the program's own __str__ logs while we write down its object is not our record.
        if getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            listener = self.listener
            if listener is not None:
                with contextlib.suppress(Exception):  # the program's log call must not fail because of us
                    listener(record)
        finally:
            self._busy.now = False


_tap: Final = _Tap()


def listen(listener: Listener | None) -> None:
    """Hear every record from now on; None ends it."""
    if listener is not None:
        _tap.install()
    _tap.listener = listener
