"""The drain of a server whose requests run in threads: the same four steps as ``_drain``, from our own thread."""

import time
from collections.abc import Sequence
from typing import Final, Protocol

from pilothouse_bridge import _native
from pilothouse_bridge.discover._bound import is_readable
from pilothouse_bridge.discover._door import Drained
from pilothouse_bridge.discover._drain import IDLE_LIMIT_S, QUIET_S, Connection

_STEP_S: Final = 0.01
_CUT_PATIENCE_S: Final = 1.0


class ThreadServer(Protocol):
    """What the drain needs of a server; called on the command thread."""

    def idle(self) -> Sequence[Connection]:
        """Connections without a request in hand; their times are ``time.monotonic()``."""
        ...

    def busy(self) -> int:
        """How many requests are in hand."""
        ...

    def finished(self) -> int:
        """How many of those that were ever in hand are so no more."""
        ...

    def cut(self) -> None:
        """End what is still in hand."""


def see_off(server: ThreadServer, grace_s: float) -> Drained:
    """After the port was closed: let every connection end, the busy ones within the grace."""
    began_s = time.monotonic()
    until_s = began_s + grace_s
    while True:
        now_s = time.monotonic()
        busy = server.busy()
        idle = server.idle()
        for one in idle:
            _dismiss(one, began_s, now_s, until_s)
        if not busy and not idle:
            return Drained(server.finished())
        if now_s >= until_s and not (idle and now_s < began_s + IDLE_LIMIT_S and not busy):
            break
        _native.sleep(_STEP_S)
    cut = server.busy()
    finished = server.finished()
    if cut:
        server.cut()
        give_up_s = time.monotonic() + _CUT_PATIENCE_S
        while server.busy() and time.monotonic() < give_up_s:
            _native.sleep(_STEP_S)
    return Drained(finished, cut)


def see_busy_off(server: ThreadServer, grace_s: float) -> Drained:
    """Behind a gate: wait for the requests in hand, and leave the connections open."""
    until_s = time.monotonic() + grace_s
    while server.busy() and time.monotonic() < until_s:
        _native.sleep(_STEP_S)
    return Drained(server.finished())


def _dismiss(one: Connection, began_s: float, now_s: float, until_s: float) -> None:
    """Close an idle connection, unless a request may be on its way."""
    quiet_since_s = one.quiet_since_s()
    quiet_s = now_s - (began_s if quiet_since_s is None else quiet_since_s)
    is_waited_for = quiet_s < QUIET_S and now_s < until_s
    if now_s >= began_s + IDLE_LIMIT_S or not (is_waited_for or is_readable(one.descriptor())):
        one.close()
