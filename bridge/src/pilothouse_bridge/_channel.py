"""The push channel: one answer that the server keeps open, so that a command arrives at once and not with the next beat.

Heartbeats go on unchanged beside it. A server without a channel is asked once, and again after ten minutes.
"""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast, final

from pilothouse_bridge import _native, _say, _wire
from pilothouse_bridge._answers import retry_after_s
from pilothouse_bridge._line import READ_TIMEOUT_S, Line, hang_up, let_go
from pilothouse_bridge._order import CHANNEL_PATH, Command, read_command
from pilothouse_bridge._sse import Event, TooLongError, events
from pilothouse_bridge.errors import DeliveryError

ASK_AGAIN_S: Final = 600.0
"""After a server that has no channel: it may be replaced by one that has."""
REPLACED_PAUSE_S: Final = 60.0
FIRST_BACK_OFF_S: Final = 0.5
LONGEST_BACK_OFF_S: Final = 30.0
GOODBYE_PATIENCE_S: Final = 1.0
_SILENCES: Final = 3  # so many pings may fail to come
_STEADY_S: Final = 5.0  # a channel that stood so long was no failure
_REFUSAL_LIMIT_BYTES: Final = 65_536


@final
@dataclass
class Patience:
    """When to open the channel again: at once, then ever later; pure decisions, no clock."""

    random: Callable[[], float]
    _failures: int = 0

    def after_end(self, lived_s: float, *, renewed: bool) -> float:
        """It was open and ended."""
        if lived_s >= _STEADY_S or (renewed and lived_s >= FIRST_BACK_OFF_S):
            self._failures = 0
            return 0.0
        return self.after_failure()

    def after_failure(self, wish_s: float | None = None) -> float:
        """It could not be opened; the server's own wish, if it has one, is the least."""
        self._failures += 1
        if wish_s is not None and wish_s > 0:
            return min(ASK_AGAIN_S, wish_s) * (1 + 0.1 * self.random())
        if self._failures == 1:
            return 0.0
        ceiling = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2 ** min(self._failures - 2, 16))
        return ceiling * (0.5 + 0.5 * self.random())

    def after_no_channel(self) -> float:
        """This server has none."""
        return ASK_AGAIN_S * (0.95 + 0.1 * self.random())

    def after_replaced(self) -> float:
        """Another process has our name: let it have the channel."""
        return REPLACED_PAUSE_S * (1 + 0.25 * self.random())


@dataclass(frozen=True)
class Listening:
    """What the channel tells its owner; all of it is called on the channel's own thread."""

    on_command: Callable[[Command], None]
    tell: Callable[[float], object]
    """Send a full heartbeat now, and wait so many seconds for its answer at most."""


@final
class Channel:
    """Keeps one channel open for as long as this process is connected."""

    def __init__(
        self, line: Line, token: Callable[[], str], runtime_id: str, listening: Listening, random: Callable[[], float]
    ) -> None:
        """Nothing is opened before ``start``."""
        self._line = line
        self._token = token
        self._runtime_id = runtime_id
        self._listening = listening
        self._patience = Patience(random)
        self._stop = _native.Event()
        self._thread: _native.Thread | None = None
        self._socket: socket.socket | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._address: tuple[str, int] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the server has said hello and nothing has ended since."""
        return self._address is not None

    def start(self) -> None:
        """Open it from a thread of its own."""
        self._thread = _native.Thread(self._run, "pilothouse-channel")
        try:
            self._thread.start()
        except RuntimeError as error:  # no threads any more: the interpreter is going down
            _say.debug("No thread for the channel: %s", error)

    def close(self) -> None:
        """Say goodbye where it is open, and hang up: a second at most. Never raises."""
        self._stop.set()
        address, self._address = self._address, None
        if address is not None:
            self._say_goodbye(address, time.monotonic() + GOODBYE_PATIENCE_S)
        connection = self._connection
        hang_up(self._socket or (None if connection is None else connection.sock))

    def abandon_in_child(self) -> None:
        """In a forked child: close our copy of the parent's socket, and nothing but its descriptor."""
        let_go(self._socket)
        self._socket = None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                pause_s = self._hold()
            except DeliveryError as error:
                _say.debug("No channel: %s", error)
                pause_s = self._patience.after_failure()
            except Exception as error:  # noqa: BLE001 - the thread's edge: a defect of ours must not end the channel for good
                _say.debug("The channel itself failed: %r", error)
                pause_s = LONGEST_BACK_OFF_S
            finally:
                self._hang_up()
            self._stop.wait(pause_s)

    def _hold(self) -> float:
        """Open it and listen until it ends; answers the seconds until the next try."""
        connection = self._line.new()
        self._connection = connection
        self._line.connect(connection)
        self._socket = connection.sock
        if self._stop.is_set():
            return 0.0  # closed while it opened: nobody hung up, because there was nothing to hang up
        headers = {
            "Authorization": f"Bearer {self._token()}",
            "Accept": "text/event-stream",
            "User-Agent": "pilothouse-bridge",
        }
        try:
            connection.request("GET", f"{self._line.server.prefix}{CHANNEL_PATH}{self._runtime_id}", headers=headers)
            response = connection.getresponse()
            with contextlib.closing(response):
                is_stream = response.getheader("Content-Type", "").partition(";")[0].strip() == "text/event-stream"
                if response.status == 200 and is_stream:  # noqa: PLR2004 - HTTP's own number
                    return self._listen(response)
                return self._refused(response)
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            if self._stop.is_set():
                return 0.0
            # AttributeError: http.client's reader was closed under it by `close`.
            raise self._line.translated(error) from None

    def _listen(self, response: http.client.HTTPResponse) -> float:
        began_s = time.monotonic()
        try:
            for event in events(response.readline):
                if event.name == "renew":
                    return self._patience.after_end(time.monotonic() - began_s, renewed=True)
                if event.name == "replaced":
                    _say.debug("Another process with this runtime's id has opened a channel")
                    return self._patience.after_replaced()
                self._heed(event)
        except (OSError, http.client.HTTPException, TooLongError, ValueError, AttributeError) as error:
            _say.debug("The channel ended: %r", error)
        return self._patience.after_end(time.monotonic() - began_s, renewed=False)

    def _heed(self, event: Event) -> None:
        if event.name == "hello":
            opened = self._socket
            if opened is not None and not self._stop.is_set():
                opened.settimeout(_SILENCES * _ping_s(event.data))
                self._address = opened.getpeername()[:2]
                _say.debug("The channel is open")
        elif event.name == "beat":
            self._listening.tell(0.0)
        elif event.name == "command":
            command = read_command(_json(event.data))
            if command is not None and not self._stop.is_set():
                self._listening.on_command(command)

    def _refused(self, response: http.client.HTTPResponse) -> float:
        refusal = _wire.read_refusal(response.read(_REFUSAL_LIMIT_BYTES))
        if response.status == 404 and refusal.code == "RUNTIME_UNKNOWN":  # noqa: PLR2004 - HTTP's own number
            self._listening.tell(READ_TIMEOUT_S)
            return max(FIRST_BACK_OFF_S, self._patience.after_failure())
        if 200 <= response.status < 300 or response.status in {404, 405, 501}:  # noqa: PLR2004 - as above
            _say.debug("This server has no channel; heartbeats bring the commands")
            return self._patience.after_no_channel()
        _say.debug("The channel is refused: %s %s", response.status, refusal.message)
        return self._patience.after_failure(retry_after_s(response.getheader("Retry-After"), time.time()))

    def _hang_up(self) -> None:
        self._address = None
        connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            connection.close()

    def _say_goodbye(self, address: tuple[str, int], until_s: float) -> None:
        # http.client and OSError, and at the end of an interpreter nearly anything: it is a courtesy.
        with contextlib.suppress(Exception):
            connection = self._line.open_at(address, max(0.05, (until_s - time.monotonic()) / 2))
            with contextlib.closing(connection):
                headers = {"Authorization": f"Bearer {self._token()}", "User-Agent": "pilothouse-bridge"}
                path = f"{self._line.server.prefix}{CHANNEL_PATH}{self._runtime_id}"
                connection.request("DELETE", path, headers=headers)
                connection.sock.settimeout(max(0.05, until_s - time.monotonic()))
                connection.getresponse().close()


def _ping_s(data: str) -> float:
    members = _json(data)
    value = cast("dict[str, object]", members).get("pingSeconds") if isinstance(members, dict) else None
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= ASK_AGAIN_S
    return float(cast("float", value)) if usable else READ_TIMEOUT_S


def _json(data: str) -> object:
    try:
        document: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document
