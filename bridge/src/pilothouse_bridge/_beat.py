"""The loop: a full heartbeat, then deltas, full again when asked or when something changed; it never gives up."""

import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, final

from pilothouse_bridge import _native, _say
from pilothouse_bridge._config import Settings
from pilothouse_bridge._rhythm import Reminder, Rhythm
from pilothouse_bridge._status import State, Status
from pilothouse_bridge.discover import Discovery
from pilothouse_bridge.errors import DeliveryError, HeartbeatRejectedError, ServerBusyError

if TYPE_CHECKING:
    from pilothouse_bridge._channel import Channel
    from pilothouse_bridge._commands import Commands
    from pilothouse_bridge._identity import Identity
    from pilothouse_bridge._order import Command
    from pilothouse_bridge._session import Session
    from pilothouse_bridge._wire import Answer, FullMessage

STARTUP_GRACE_S: Final = 0.3  # most programs have made their applications by then: one full heartbeat instead of two
FIRST_RECHECK_S: Final = 0.05
RECHECK_FOR_S: Final = 10.0
_LEAVING_PATIENCE_S: Final = 0.3
_FOREVER_S: Final = 86_400.0


@final
class Beat:
    """One process's heart; lives in a daemon thread that is made by ``start``."""

    def __init__(self, settings: Settings, discovery: Discovery) -> None:
        """Nothing happens before ``start``."""
        self._settings = settings
        self._discovery = discovery
        self._rhythm = Rhythm(settings.heartbeat_interval_s, random.random)
        self._reminder = Reminder()
        self._recheck = _Recheck()
        self._wake = _native.Event()
        self._stop = _native.Event()
        self._thread: _native.Thread | None = None
        self._identity: Identity | None = None
        self._session: Session | None = None
        self._acknowledged_hash: str | None = None
        self._full_due = True
        self._asked = _Asked()
        self._lock = _native.lock()
        self._commands: Commands | None = None
        self._channel: Channel | None = None
        self._state = State.CONNECTING
        self._last_error: str | None = None
        self._last_acknowledged_at: datetime | None = None

    @property
    def status(self) -> Status:
        """A snapshot."""
        identity = self._identity
        return Status(
            State.CLOSED if self._stop.is_set() else self._state,
            str(self._settings.server),
            None if identity is None else identity.runtime_id,
            self._last_error,
            self._last_acknowledged_at,
        )

    def start(self) -> None:
        """Begin to beat."""
        self._thread = _native.Thread(self._run, "pilothouse-bridge")
        try:
            self._thread.start()
        except RuntimeError as error:
            # No threads here: a subinterpreter without them, or an interpreter that is going down.
            _say.debug("No thread for the bridge: %s", error)

    def wake(self) -> None:
        """Something started or stopped just now: look again. Never blocks."""
        self._wake.set()

    def tell(self, patience_s: float) -> bool:
        """From another thread: a full heartbeat at once; answers whether it was acknowledged within the patience."""
        ticket = self._asked.ask()
        self._wake.set()
        return self._asked.wait_for(ticket, patience_s)

    def stop(self, patience_s: float) -> None:
        """End the loop, say goodbye where a channel is open, and give the identity back."""
        self._stop.set()
        self._wake.set()
        session, commands, channel = self._session, self._commands, self._channel
        if session is not None:
            session.abort()
        if commands is not None:
            commands.close()
        thread = self._thread
        if thread is not None and not thread.is_current and thread.is_alive():
            thread.join(patience_s)
        if channel is not None:
            # Last: a heartbeat after the goodbye would be a sign of life.
            channel.close()

    def leave(self) -> None:
        """The process ends: goodbye, where the server listens for it; nothing is waited for elsewhere."""
        if self._channel is not None and self._channel.is_open:
            self.stop(_LEAVING_PATIENCE_S)

    def abandon_in_child(self) -> None:
        """In a forked child: let go of what belongs to the parent, without touching it."""
        for one in (self._identity, self._session, self._commands, self._channel):
            if one is not None:
                one.abandon_in_child()

    def _run(self) -> None:
        try:
            # Also in time for a forked child that only executes another program or ends at once: it leaves no trace.
            self._wake.wait(STARTUP_GRACE_S)
            self._recheck.restart(time.monotonic())
            while not self._stop.is_set():
                self._pause(self._round())
        finally:
            if self._session is not None:
                self._session.close()
            if self._identity is not None:
                self._identity.release()

    def _round(self) -> float:
        """Beat once; answers the seconds until the next time."""
        try:
            answer = self._beat_once()
        except DeliveryError as error:
            return self._after_failure(error)
        except Exception as error:  # noqa: BLE001 - the loop's edge: a defect of ours must not end the connection for good
            return self._after_defect(error)
        self._state, self._last_error = State.CONNECTED, None
        self._last_acknowledged_at = datetime.now(UTC)
        return self._rhythm.after_success(answer.next_heartbeat_s)

    def _beat_once(self) -> "Answer":
        session = self._opened_session()
        asked = self._asked.asked
        message = session.look()
        if not self._full_due and not self._asked.is_open and message.hash == self._acknowledged_hash:
            answer = session.send_delta(message)
            self._heed(answer)
            if not answer.full_heartbeat_required:
                self._recover()
                return answer
            message = session.look()
        answer = self._send_full(session, message)
        self._asked.answer(asked)
        return answer

    def _send_full(self, session: "Session", message: "FullMessage") -> "Answer":
        self._full_due = True
        if self._reminder.has_trouble:
            _say.debug("Sending full heartbeat to ICP server again")
        else:
            _say.info("Sending full heartbeat to ICP server")
        answer = session.send_full(message)
        self._acknowledged_hash = message.hash
        # Asked for again in the very answer: next time, not at once, or the two of us would never stop.
        self._full_due = answer.full_heartbeat_required
        self._recover()
        _say.info("Full heartbeat acknowledged by ICP server")
        self._heed(answer)
        self._open_channel(session)
        self._open_telemetry(session)
        return answer

    def _opened_session(self) -> "Session":
        if self._session is None:
            # Here and not above: TLS, HTTP and UUIDs cost 30 ms to import, which the program's start need not pay.
            from pilothouse_bridge import _identity
            from pilothouse_bridge._session import Session

            if self._identity is None:
                self._identity = _identity.claim(self._settings.runtime_id_file, self._settings.runtime)
                if self._identity.trouble is not None:
                    _say.warning(
                        "This runtime gets a new id at each start: %s. Fix: run in a directory that can be written, "
                        "or set runtimeIdFile to a file in one",
                        self._identity.trouble,
                    )
            self._session = Session(self._settings, self._identity.runtime_id, self._discovery)
        return self._session

    def _after_failure(self, error: DeliveryError) -> float:
        self._state, self._last_error = State.FAILING, str(error)
        self._full_due = True
        rejected = isinstance(error, HeartbeatRejectedError)
        if self._reminder.is_worth_telling(str(error), time.monotonic()) and not self._stop.is_set():
            if rejected:
                _say.error("Full heartbeat rejected: %s. Fix: %s", error.message.rstrip("."), error.fix)
            else:
                _say.warning("%s. Fix: %s", error.message.rstrip("."), error.fix)
        if not isinstance(error, HeartbeatRejectedError):
            return self._rhythm.after_unreachable(error.retry_after_s if isinstance(error, ServerBusyError) else None)
        if self._session is not None:
            self._session.forget_token()
        return self._rhythm.after_not_yet() if error.is_not_yet else self._rhythm.after_rejection()

    def _after_defect(self, error: Exception) -> float:
        self._state, self._last_error = State.FAILING, repr(error)
        self._full_due = True
        if self._reminder.is_worth_telling(repr(error), time.monotonic()):
            _say.warning("The bridge itself failed and tries again: %r", error)
        return self._rhythm.after_rejection()

    def _recover(self) -> None:
        if self._reminder.has_trouble:
            self._reminder.recover()
            _say.info("Connection to ICP server restored: %s", self._settings.server)

    def _heed(self, answer: "Answer") -> None:
        for command in answer.commands:
            self._offer(command)

    def _offer(self, command: "Command") -> None:
        """The one way in, for heartbeats and the channel; from either's thread."""
        with self._lock:
            if self._commands is None and self._session is not None and not self._stop.is_set():
                self._commands = self._session.commands(self.tell, lambda: self.stop(_LEAVING_PATIENCE_S))
            commands = self._commands
        if commands is not None:
            commands.offer(command)

    def _open_channel(self, session: "Session") -> None:
        """Once, after the server has come to know us; it stays with us until the end."""
        if self._channel is None and not self._stop.is_set():
            from pilothouse_bridge._channel import Listening

            self._channel = session.channel(Listening(self._offer, self.tell))
            self._channel.start()

    def _open_telemetry(self, session: "Session") -> None:
        """Only now: what an unknown runtime sends would belong to nobody."""
        if not self._settings.telemetry.sends_nothing and not self._stop.is_set():
            from pilothouse_bridge.telemetry import _ignition

            _ignition.send_to(self._settings.telemetry, session.destination)

    def _pause(self, delay_s: float) -> None:
        """Wait, but not while something new is to be told."""
        until_s = time.monotonic() + delay_s
        while not self._stop.is_set():
            now_s = time.monotonic()
            if now_s >= until_s:
                return
            woken = self._wake.wait(min(until_s - now_s, self._recheck.due_in(now_s)))
            if woken:
                self._wake.clear()
                self._recheck.restart(time.monotonic())
            elif not self._recheck.is_due(time.monotonic()):
                continue
            # After a failure the back-off stands: a change is told with the next try.
            if self._state is State.CONNECTED and (self._asked.is_open or self._has_changed()):
                return

    def _has_changed(self) -> bool:
        return self._session is not None and self._session.look().hash != self._acknowledged_hash


@final
class _Asked:
    """Who asked for a full heartbeat, and who was answered: by counting."""

    def __init__(self) -> None:
        self.asked = 0
        self._answered = 0
        self._lock = _native.lock()
        self._waiting: list[tuple[int, _native.Event]] = []

    @property
    def is_open(self) -> bool:
        """Whether somebody waits."""
        return self.asked > self._answered

    def ask(self) -> int:
        with self._lock:
            self.asked += 1
            return self.asked

    def answer(self, ticket: int) -> None:
        """Whoever asked up to this ticket has been heard."""
        with self._lock:
            self._answered = max(self._answered, ticket)
            heard = [event for waited_for, event in self._waiting if waited_for <= self._answered]
            self._waiting = [one for one in self._waiting if one[0] > self._answered]
        for event in heard:
            event.set()

    def wait_for(self, ticket: int, patience_s: float) -> bool:
        waits = ticket, _native.Event()
        with self._lock:
            if self._answered >= ticket:
                return True
            self._waiting.append(waits)
        came = waits[1].wait(patience_s)
        with self._lock:
            if waits in self._waiting:
                self._waiting.remove(waits)
        return came


@final
class _Recheck:
    """Looks at the inventory often while things are starting: after 50 ms, then twice as long, for 10 s."""

    def __init__(self) -> None:
        self._step_s = FIRST_RECHECK_S
        self._next_at_s: float | None = None
        self._ends_at_s = 0.0

    def restart(self, now_s: float) -> None:
        self._step_s = FIRST_RECHECK_S
        self._next_at_s = now_s + FIRST_RECHECK_S
        self._ends_at_s = now_s + RECHECK_FOR_S

    def due_in(self, now_s: float) -> float:
        return _FOREVER_S if self._next_at_s is None else max(0.0, self._next_at_s - now_s)

    def is_due(self, now_s: float) -> bool:
        """Whether it is time; plans the next time when it is."""
        if self._next_at_s is None or now_s < self._next_at_s:
            return False
        self._step_s *= 2
        following_s = now_s + self._step_s
        self._next_at_s = following_s if following_s <= self._ends_at_s else None
        return True
