"""Begins telemetry with next to nothing: the rest is loaded by the first record, framework or heartbeat that needs it."""

import importlib
import sys
from typing import TYPE_CHECKING, Final, final

from pilothouse_bridge import _native
from pilothouse_bridge._config_telemetry import TelemetrySettings
from pilothouse_bridge.telemetry import _instrument, _tap

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from pilothouse_bridge.telemetry._hub import Telemetry
    from pilothouse_bridge.telemetry._sender import Destination

_HUB: Final = "pilothouse_bridge.telemetry._hub"
_SENDER: Final = "pilothouse_bridge.telemetry._sender"


@final
class _Ignition:
    """What is asked for, and whether it has begun."""

    def __init__(self) -> None:
        self.lock = _native.rlock()
        self.settings: TelemetrySettings | None = None
        self.is_lit = False


_state: Final = _Ignition()


def prepare(settings: TelemetrySettings) -> None:
    """From now on nothing is missed."""
    _state.settings = settings
    if settings.sends_nothing:
        return
    if settings.logs is not False:
        _tap.listen(_first_record)
    if settings.metrics is not False or settings.traces is not False:
        _instrument.install(ignite)


def ignite() -> "Telemetry":
    """The telemetry of this process, begun."""
    with _state.lock:
        from pilothouse_bridge.telemetry._hub import hub

        if not _state.is_lit and _state.settings is not None:
            _state.is_lit = True
            hub.begin(_state.settings)
        return hub


def send_to(settings: TelemetrySettings, destination: "Callable[[], Destination]") -> None:
    """The control plane of who prepared these settings knows this runtime by now: send what waits, and what comes.

    By the heart of a bridge that ends it is asked too late: what is made from then on belongs to the next bridge, and must
    neither go to the server of the one before nor find its place taken.
    """
    importlib.import_module(_SENDER)  # before the lock: it takes a while

    with _state.lock:
        if _state.settings is settings:
            ignite().send_to(destination)


def end(patience_s: float) -> None:
    """Make no more; send what waits, within the patience."""
    with _state.lock:
        _tap.listen(None)
        _state.settings = None
        was_lit, _state.is_lit = _state.is_lit, False
    if was_lit:
        sys.modules[_HUB].hub.end(patience_s)


def before_fork() -> None:
    """Let nobody be in the middle of loading: a forked child would wait for ever for a module that is half there."""
    _state.lock.acquire()


def after_fork_in_parent() -> None:
    """Go on; by the thread that forked."""
    _state.lock.release()


def after_fork() -> None:
    """In a forked child: nothing of what waits is ours."""
    _state.lock = _native.rlock()
    if _state.is_lit:
        sys.modules[_HUB].hub.after_fork()


def _first_record(record: "logging.LogRecord") -> None:
    ignite().hear(record)
