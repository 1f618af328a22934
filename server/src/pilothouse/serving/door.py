"""The door of one port: who comes in, who has been silent too long, and who makes room when it is full.

Every connection is counted from accept on, before TLS, so that no kind of silence escapes the limit. A connection is in
one of four states: arriving (TLS handshake), waiting (for a head), reading (a body), busy (with an answer). The first
three have a deadline; at the limit the one that has been arriving or waiting longest is closed for the newcomer.
"""

import abc
import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from itertools import takewhile
from typing import Final, final

import msgspec
import structlog

from pilothouse.observe.often import worth_a_line
from pilothouse.serving.settings import CarrierSettings

_log = structlog.get_logger(__name__)

ACCEPT_BATCH: Final = 64
"""Unit: connections accepted in one turn of the loop, so that a burst does not starve those who are in."""
HANDSHAKES_MAX: Final = 128
"""Unit: TLS handshakes at the same time. More of them would all end late, and be cut when they nearly had: in a storm of
reconnecting runtimes the others wait, and their time does not run."""
HANDSHAKE_SLOW_S: Final = 3.0
"""Unit: seconds. While others wait for their handshake, one that takes longer than this is given up."""
TICK_S: Final = 0.5
"""Unit: seconds between two looks at the deadlines; a deadline is late by at most this."""
PAUSE_S: Final = 0.1
"""Unit: seconds without accepting when nobody can make room or the machine is out of open files."""
_OUT_OF_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Guest(asyncio.Protocol, abc.ABC):
    """A connection as the door sees it."""

    came_in: bool = False
    """Whether it has a transport; from then on it reports its own end."""

    @abc.abstractmethod
    def late(self) -> None:
        """Hear that the deadline has passed; the connection ends itself."""

    @abc.abstractmethod
    def cut(self) -> None:
        """End now, whatever is under way."""

    @abc.abstractmethod
    def leave(self) -> None:
        """End as soon as what is under way is answered."""


class _Arrival(msgspec.Struct, eq=False):
    """A connection that is accepted and not yet in."""

    accepted: socket.socket
    guest: Guest
    since_s: float
    evicted: bool = False


@final
class Door:
    """A listening socket and those who came in through it."""

    def __init__(
        self,
        listening: socket.socket,
        connection: Callable[["Door"], Guest],
        tls: ssl.SSLContext | None,
        settings: CarrierSettings,
        max_connections: int,
    ) -> None:
        self._listening = listening
        self._connection = connection
        self._tls = tls
        self._settings = settings
        self._max = max_connections
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._open = False
        self._timers: list[asyncio.TimerHandle] = []
        # Cap of these four together: max_connections. Each is in the order of time, so the first is the oldest.
        self._arriving: dict[asyncio.Task[None], _Arrival] = {}
        self._handshakes = asyncio.Semaphore(HANDSHAKES_MAX)
        # Handshakes under way, by when they began. Cap: HANDSHAKES_MAX.
        self._shaking: dict[asyncio.Task[None], float] = {}
        self._waiting: dict[Guest, float] = {}
        self._reading: dict[Guest, float] = {}
        self._busy: dict[Guest, None] = {}
        self.evicted = 0
        """Connections that had to make room so far."""

    @property
    def connections(self) -> int:
        """How many are in, those still shaking hands included."""
        return self._count

    def open(self) -> None:
        """Begin to accept."""
        self._open = True
        self._resume()
        self._tick()

    def close(self) -> None:
        """Accept nobody else; ask everybody to leave."""
        if self._open:
            self._loop.remove_reader(self._listening)
            self._open = False
        self._listening.close()
        if self._tls:
            for task in list(self._arriving):
                task.cancel()
        for guest in [*self._waiting, *self._reading, *self._busy]:
            guest.leave()

    def cut(self) -> None:
        """End all connections now."""
        for guest in [*self._waiting, *self._reading, *self._busy]:
            guest.cut()

    def stop_watching(self) -> None:
        """Stop the clock; the last thing that happens to a door."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def waiting(self, guest: Guest) -> None:
        """Note that a guest waits for the head of a request from now on."""
        self._forget(guest)
        self._waiting[guest] = self._loop.time()
        if not self._open:
            guest.leave()

    def reading(self, guest: Guest, timeout_s: float) -> None:
        """Note that a guest is sending a body that must be whole in time."""
        self._forget(guest)
        self._reading[guest] = self._loop.time() + timeout_s

    def busy(self, guest: Guest) -> None:
        """Note that a guest waits for us now; its time does not run."""
        self._forget(guest)
        self._busy[guest] = None

    def left(self, guest: Guest) -> None:
        """Note that a guest is gone."""
        self._forget(guest)
        self._count -= 1

    def _forget(self, guest: Guest) -> None:
        if self._waiting.pop(guest, None) is None and self._reading.pop(guest, None) is None:
            self._busy.pop(guest, None)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._listening, self._accept)

    def _pause(self) -> None:
        self._loop.remove_reader(self._listening)
        self._after(PAUSE_S, self._resume)

    def _after(self, delay_s: float, call: Callable[[], None]) -> None:
        now_s = self._loop.time()
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > now_s]
        self._timers.append(self._loop.call_later(delay_s, call))

    def _accept(self) -> None:
        for _ in range(ACCEPT_BATCH):
            if self._count >= self._max and not self._make_room():
                self._pause()
                return
            try:
                accepted, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _OUT_OF_ROOM:
                    _log.warning("accept_out_of_room", reason=error.strerror, connections=self._count)
                    self._make_room()
                    self._pause()
                    return
                continue  # that peer hung up before we came to it
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._count += 1
            arrival = _Arrival(accepted, self._connection(self), self._loop.time())
            task = self._loop.create_task(self._greet(arrival))
            self._arriving[task] = arrival
            task.add_done_callback(self._arrived)

    def _arrived(self, task: "asyncio.Task[None]") -> None:
        """Settle an arrival, however it ended: also one that was cancelled before it took its first step."""
        arrival = self._arriving.pop(task)
        if not task.cancelled() and task.exception() is None:
            return
        if arrival.guest.came_in:
            arrival.guest.cut()  # it reports its end itself
        else:
            self._count -= 1
            with contextlib.suppress(OSError):
                arrival.accepted.close()

    async def _greet(self, arrival: _Arrival) -> None:
        """Shake hands, where the port speaks TLS, and hand the connection to its protocol."""
        try:
            if self._tls is None:
                await self._loop.connect_accepted_socket(lambda: arrival.guest, arrival.accepted)
                return
            await self._first_byte(arrival.accepted)  # who is silent keeps nobody from shaking hands
            async with self._handshakes:
                await self._shake_hands(arrival, self._tls)
        except OSError as error:
            _log.debug("greeting_failed", reason=str(error))
            raise

    async def _first_byte(self, accepted: socket.socket) -> None:
        """Wait until a peer begins to speak, or hangs up."""
        came: asyncio.Future[None] = self._loop.create_future()

        def note() -> None:
            if not came.done():
                came.set_result(None)

        self._loop.add_reader(accepted, note)
        try:
            async with asyncio.timeout(self._settings.handshake_timeout_s):
                await came
        finally:
            self._loop.remove_reader(accepted)

    async def _shake_hands(self, arrival: _Arrival, tls: ssl.SSLContext) -> None:
        task = asyncio.current_task(self._loop)
        if task is not None:
            self._shaking[task] = self._loop.time()
        try:
            await self._loop.connect_accepted_socket(
                lambda: arrival.guest,
                arrival.accepted,
                ssl=tls,
                ssl_handshake_timeout=self._settings.handshake_timeout_s,
            )
        finally:
            if task is not None:
                self._shaking.pop(task, None)

    def _give_up_slow_handshakes(self, now_s: float) -> None:
        if self._handshakes.locked():
            for task in [task for task, since_s in self._shaking.items() if now_s - since_s > HANDSHAKE_SLOW_S]:
                task.cancel()

    def _make_room(self) -> bool:
        """Close who has been silent longest; false when everybody is at work."""
        # An arrival that is being cancelled already has made its room. Without TLS an arrival is in at the next turn of
        # the loop, and cancelling it would lose sight of a transport that comes to life all the same.
        arriving = self._arriving.items() if self._tls else ()
        task, arrival = next(((t, a) for t, a in arriving if not a.evicted), (None, None))
        guest, waiting_s = next(iter(self._waiting.items()), (None, float("inf")))
        if guest is not None and (arrival is None or waiting_s <= arrival.since_s):
            self.busy(guest)  # until its end is reported
            guest.cut()
        elif task is not None and arrival is not None:
            arrival.evicted = True
            task.cancel()
        else:
            return False
        self.evicted += 1
        if worth_a_line(self.evicted):
            _log.warning(
                "connections_full",
                limit=self._max,
                made_room=self.evicted,
                fix="Raise the limit of open files, or find who holds silent ones.",
            )
        return True

    def _tick(self) -> None:
        """Tell those whose time is over."""
        now_s = self._loop.time()
        silent_since_s = now_s - self._settings.idle_timeout_s
        for guest, _ in list(takewhile(lambda entry: entry[1] <= silent_since_s, self._waiting.items())):
            guest.late()
        for guest in [guest for guest, due_s in self._reading.items() if due_s <= now_s]:
            guest.late()
        self._give_up_slow_handshakes(now_s)
        self._after(TICK_S, self._tick)
