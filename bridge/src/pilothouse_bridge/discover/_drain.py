"""The drain of a server that runs on asyncio's or uvloop's event loop: nothing is lost that was accepted.

Four steps: (1) for 50 ms all answers end their connections, so that clients open new ones; (2) newcomers are held off
where the kernel can, and what it has queued is accepted; (3) the port is closed; (4) connections that were just opened or
used get the time to send a request, idle ones are closed unless something has arrived on them, busy ones are finished
within the grace. Everything here runs on the server's own loop.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol, TypeVar

from pilothouse_bridge._steering import SteeringError
from pilothouse_bridge.discover._bound import QUEUE_S, duplicate, hold_off_newcomers, is_readable, take_the_rest
from pilothouse_bridge.discover._door import Drained

QUIESCE_S: Final = 0.05
QUIET_S: Final = 0.25
"""A connection that was opened or used within this time may have a request on its way: it is waited for."""
IDLE_LIMIT_S: Final = 1.0
_STEP_S: Final = 0.005
_CUT_PATIENCE_S: Final = 1.0
#: A loop that does not even begin within this time is blocked by the program.
_MARGIN_S: Final = 15.0
_T = TypeVar("_T")


class Connection(Protocol):
    """An idle connection."""

    def descriptor(self) -> int:
        """Its socket."""
        ...

    def quiet_since_s(self) -> float | None:
        """When it had its last answer, in the loop's time; None when it never had one or cannot tell."""
        ...

    def close(self) -> None:
        """End it in order."""


class LoopServer(Protocol):
    """What the drain needs of a server; called on its loop."""

    def listening(self) -> "list[tuple[Any, ssl.SSLContext | None]]":
        """Servers of the event loop that belong to this listener, with what seals their connections."""
        ...

    def forget(self, server: Any) -> None:
        """This one is closed."""

    def keep(self, server: Any) -> None:
        """This one is open from now on, and is the server's own to close at its end."""

    def factory(self) -> Callable[[], asyncio.Protocol]:
        """Makes the protocol of a new connection."""
        ...

    def backlog(self) -> int:
        """How many connections may wait in the kernel."""
        ...

    def announce(self, *, closing: bool) -> None:
        """Whether all answers end their connections."""

    def idle(self) -> Sequence[Connection]:
        """Connections without a request in hand."""
        ...

    def hurry(self) -> None:
        """Let busy connections end after the request in hand, and long conversations now."""

    def busy(self) -> int:
        """How much work is in hand."""
        ...

    def finished(self) -> int:
        """How many requests were finished since the server began."""
        ...

    def cut(self) -> None:
        """End what is still in hand."""


def run(loop: Any, work: Coroutine[Any, Any, _T], patience_s: float) -> _T:
    """Run it on the program's loop, from our thread.

    Raises: SteeringError when the loop is closed or does not answer, and what the work raises.
    """
    try:
        future = asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError:
        work.close()
        raise SteeringError(
            "NOT_SUPPORTED", 501, "The server's event loop has ended.", "Restart the program."
        ) from None
    try:
        return future.result(patience_s + _MARGIN_S)
    except TimeoutError:
        future.cancel()
        raise SteeringError(
            "FAILED",
            500,
            f"The program's event loop did not answer within {patience_s + _MARGIN_S:g} s.",
            "Look for what blocks it.",
        ) from None


async def close(server: LoopServer, grace_s: float, draining: Callable[[], None]) -> Drained:
    """Close the port and see the requests in hand through."""
    loop = asyncio.get_running_loop()
    server.announce(closing=True)
    try:
        await asyncio.sleep(QUIESCE_S)
        until_s = loop.time() + grace_s
        before = server.finished()
        held = [hold_off_newcomers(one) for opened, _ in server.listening() for one in opened.sockets]
        if any(held):
            await asyncio.sleep(QUEUE_S)
        accepted = _shut(server)
        draining()
        await _adopt(loop, server, accepted)
        await _see_idle_off(server, until_s)
        return await _see_busy_off(server, until_s, before, is_shut=True)
    finally:
        server.announce(closing=False)


async def open_again(server: LoopServer, fresh: list[tuple[socket.socket, ssl.SSLContext | None]]) -> None:
    """Listen with sockets that are bound already.

    Raises: OSError; then none of them listens.
    """
    loop = asyncio.get_running_loop()
    opened: list[Any] = []
    try:
        for one, context in fresh:
            opened.append(await _listen(loop, server, one, context))
    except BaseException:
        for made in opened:
            made.close()
        for one, _ in fresh:
            one.close()
        raise
    for made in opened:
        server.keep(made)


async def _listen(
    loop: asyncio.AbstractEventLoop, server: LoopServer, one: socket.socket, context: ssl.SSLContext | None
) -> asyncio.AbstractServer:
    if one.family in {socket.AF_INET, socket.AF_INET6}:
        return await loop.create_server(server.factory(), sock=one, ssl=context, backlog=server.backlog())
    return await loop.create_unix_server(server.factory(), sock=one, ssl=context, backlog=server.backlog())


async def finish(server: LoopServer, grace_s: float) -> Drained:
    """See the requests in hand through while the port stays open (behind a gate)."""
    loop = asyncio.get_running_loop()
    before = server.finished()
    return await _see_busy_off(server, loop.time() + grace_s, before, is_shut=False)


def _shut(server: LoopServer) -> "list[tuple[socket.socket, ssl.SSLContext | None]]":
    accepted: list[tuple[socket.socket, ssl.SSLContext | None]] = []
    for listening, context in server.listening():
        copies = [duplicate(one) for one in listening.sockets]
        listening.close()
        server.forget(listening)
        for copy in copies:
            accepted += [(one, context) for one in take_the_rest(copy)]
    return accepted


async def _adopt(
    loop: asyncio.AbstractEventLoop,
    server: LoopServer,
    accepted: "list[tuple[socket.socket, ssl.SSLContext | None]]",
) -> None:
    async def adopt(one: socket.socket, context: ssl.SSLContext | None) -> None:
        try:
            await loop.connect_accepted_socket(server.factory(), one, ssl=context)
        except (OSError, asyncio.CancelledError):  # gone before it was greeted
            one.close()

    # A client that does not finish its TLS handshake must not hold us: who is not there in time is not waited for.
    tasks = [asyncio.ensure_future(adopt(one, context)) for one, context in accepted]
    if tasks:
        await asyncio.wait(tasks, timeout=IDLE_LIMIT_S)


async def _see_idle_off(server: LoopServer, until_s: float) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    give_up_s = began_s + IDLE_LIMIT_S
    while idle := server.idle():
        now_s = loop.time()
        for one in idle:
            quiet_since_s = one.quiet_since_s()
            quiet_s = now_s - (began_s if quiet_since_s is None else quiet_since_s)
            is_waited_for = quiet_s < QUIET_S and now_s < until_s
            if now_s >= give_up_s or not (is_waited_for or is_readable(one.descriptor())):
                one.close()
        await asyncio.sleep(_STEP_S)
        if now_s >= give_up_s:
            return


async def _see_busy_off(server: LoopServer, until_s: float, finished_before: int, *, is_shut: bool) -> Drained:
    loop = asyncio.get_running_loop()
    if is_shut:
        server.hurry()
    while server.busy() and loop.time() < until_s:
        await asyncio.sleep(_STEP_S)
        if is_shut:
            _close_quiet(server)
    cut = server.busy()
    finished = server.finished() - finished_before
    if cut:
        server.cut()
        give_up_s = loop.time() + _CUT_PATIENCE_S
        while server.busy() and loop.time() < give_up_s:  # noqa: ASYNC110 - nobody tells when it is over
            await asyncio.sleep(_STEP_S)
    if is_shut:
        _close_quiet(server)
    return Drained(finished, cut)


def _close_quiet(server: LoopServer) -> None:
    """Connections that have become idle in the meantime."""
    for one in server.idle():
        if not is_readable(one.descriptor()):
            one.close()
