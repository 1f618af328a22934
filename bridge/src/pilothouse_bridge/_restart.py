"""RESTART: drain what takes work, then end for whoever starts this program anew, or execute itself anew.

A process that a supervisor of our knowledge started ends with ``EXIT_STATUS``, which is none that a supervisor takes for
success. Any other executes its own command line again, in the same process: same id, same environment. A worker that
was forked can do neither: its command line is its parent's.
"""

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Sequence
from enum import StrEnum, unique
from pathlib import Path
from typing import Final, final

from pilothouse_bridge import _native, _say
from pilothouse_bridge._origin import STARTED_IN
from pilothouse_bridge._steering import Steerable, SteeringError

EXIT_STATUS: Final = 75  # sysexits.h: EX_TEMPFAIL
_END_PATIENCE_S: Final = 5.0
_EXIT_FUNCTIONS_PATIENCE_S: Final = 5.0


@unique
class Means(StrEnum):
    """How a restart comes about, by the words of the setting ``restart``."""

    EXEC = "exec"
    EXIT = "exit"
    OFF = "off"


def means(setting: str | None) -> Means | None:
    """How this process would restart; None where it cannot."""
    if setting == Means.OFF:
        return None
    if setting == Means.EXIT:
        return Means.EXIT
    if _is_worker():
        return None
    if setting is None and _has_supervisor():
        return Means.EXIT
    return Means.EXEC if _can_execute() else None


@final
class Restarter:
    """Carries a restart out, once its result was told."""

    def __init__(
        self, setting: str | None, steerables: Callable[[], Sequence[Steerable]], farewell: Callable[[], None]
    ) -> None:
        """``farewell`` ends the bridge's own connections."""
        self._setting = setting
        self._steerables = steerables
        self._farewell = farewell

    def announce(self) -> str:
        """What will happen, in one sentence.

        Raises: SteeringError NOT_SUPPORTED.
        """
        chosen = means(self._setting)
        if chosen is None:
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                "This process cannot restart itself: it is switched off, or a worker of another process.",
                "Restart its parent, or set restart in Config.toml.",
            )
        if chosen is Means.EXIT:
            return "The program ends for its supervisor to start it anew."
        return "The program executes itself anew."

    def carry_out(self, grace_s: float) -> None:
        """Drain for up to the grace, say goodbye, let the program's exit functions run; does not return."""
        chosen = means(self._setting)
        _drain(self._steerables(), time.monotonic() + grace_s)
        with contextlib.suppress(Exception):  # a courtesy; nothing may keep the process from what it announced
            self._farewell()
        _run_exit_functions()
        if chosen is Means.EXEC:
            if STARTED_IN is not None:
                with contextlib.suppress(OSError):  # it is there no more
                    os.chdir(STARTED_IN)
            try:
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line
            except OSError as error:
                _say.error("The program cannot execute itself anew: %s", error)
        os._exit(EXIT_STATUS)


def _drain(steerables: Sequence[Steerable], until_s: float) -> None:
    """Stop all of them at the same time: each has the whole grace."""

    def stop(one: Steerable) -> None:
        end: Callable[[float], None] | None = getattr(one, "end", None)
        try:
            one.stop(max(0.0, until_s - time.monotonic()))
            if end is not None:
                end(_END_PATIENCE_S)
        except SteeringError as error:
            _say.warning("%s %s was not drained: %s", one.kind.value, one.name, error.message)
        except Exception as error:  # noqa: BLE001 - whatever a framework does, the restart goes on
            _say.warning("%s %s was not drained: %r", one.kind.value, one.name, error)

    threads = [_native.Thread(functools.partial(stop, one), "pilothouse-drain") for one in steerables]
    for thread in threads:
        thread.start()
    for thread in threads:
        # A steerable keeps its grace; what is more is for the end of its application.
        thread.join(max(0.0, until_s - time.monotonic()) + _END_PATIENCE_S)


def _run_exit_functions() -> None:
    """What the program registered with ``atexit``: buffers of loggers and of telemetry are written there."""
    import atexit

    run: Callable[[], None] | None = getattr(atexit, "_run_exitfuncs", None)
    if run is not None:
        thread = _native.Thread(run, "pilothouse-exit")
        thread.start()
        thread.join(_EXIT_FUNCTIONS_PATIENCE_S)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, absent or replaced by the program
            stream.flush()


def _has_supervisor() -> bool:
    """Whether someone is known to start this process anew when it ends."""
    if os.getpid() == 1 or "KUBERNETES_SERVICE_HOST" in os.environ:
        return True
    if "INVOCATION_ID" not in os.environ:
        return False
    # Desktops hand systemd's variables down to every terminal: only the service's own process is meant.
    named = os.environ.get("SYSTEMD_EXEC_PID")
    return os.getppid() == 1 if named is None else named == str(os.getpid())


def _can_execute() -> bool:
    """Whether the command line can be executed again: not on Windows, not typed in, not read from a pipe."""
    return (
        os.name == "posix"
        and bool(sys.executable)
        and len(sys.orig_argv) > 1
        and bool(sys.argv)
        and sys.argv[0] not in {"", "-"}
        and not sys.flags.interactive
    )


def _is_worker() -> bool:
    """Whether another process of the same program made this one, forked or spawned."""
    process = sys.modules.get("multiprocessing.process")
    parent_process: Callable[[], object] | None = getattr(process, "parent_process", None)
    if parent_process is not None and parent_process() is not None:
        return True
    if "gunicorn.arbiter" in sys.modules:
        return True
    try:
        own, parent = (Path(f"/proc/{who}/cmdline").read_bytes() for who in ("self", os.getppid()))
    except OSError:
        return False
    return bool(own) and own == parent  # forked and not executed since
