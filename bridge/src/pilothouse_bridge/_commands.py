"""The one door for commands: genuine ones only, each once, one at a time, and every one gets its result.

They come in the answers to heartbeats and over the channel; ``offer`` takes both. They are carried out on a thread of
their own, which is made by the first one, never on the program's.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, final

from pilothouse_bridge import _native, _say
from pilothouse_bridge._actions import Actions, Done
from pilothouse_bridge._order import Command, Result, is_genuine, printable
from pilothouse_bridge._outbox import Outbox
from pilothouse_bridge._steering import SteeringError

QUEUE_LIMIT: Final = 64
REMEMBERED: Final = 1000
TELL_PATIENCE_S: Final = 5.0
"""How long a result waits for the heartbeat that shows what has changed."""
_FAREWELL_PATIENCE_S: Final = 10.0


@final
class Commands:
    """What this process was told to do, and what came of it."""

    def __init__(
        self,
        runtime_id: str,
        key: Callable[[], bytes],
        actions: Actions,
        outbox: Outbox,
        tell: Callable[[float], object],
    ) -> None:
        """``tell(patience_s)`` sends a full heartbeat at once and waits for its answer. No thread is made yet."""
        self._runtime_id = runtime_id
        self._key = key
        self._actions = actions
        self._outbox = outbox
        self._tell = tell
        self._lock = _native.lock()
        self._queue: _native.SimpleQueue[Command | Result | None] = _native.SimpleQueue()
        self._results: OrderedDict[str, Result | None] = OrderedDict()
        self._forged: deque[str] = deque(maxlen=QUEUE_LIMIT)
        self._thread: _native.Thread | None = None
        self._closed = False

    def offer(self, command: Command) -> None:
        """Take a command from whichever way it came; returns at once."""
        if not is_genuine(self._key(), self._runtime_id, command):
            if command.command_id not in self._forged:  # a server repeats itself with every heartbeat
                self._forged.append(command.command_id)
                _say.warning("Command %s is refused: its signature does not fit. Fix: look at who sends it", command)
            # Not remembered: a forged command must not use up the id of a true one.
            self._answer(
                _failed(
                    command,
                    SteeringError(
                        "SIGNATURE_WRONG",
                        403,
                        "The signature of the command does not fit its content.",
                        "Look at who sends commands in the control plane's name.",
                    ),
                )
            )
            return
        with self._lock:
            known = command.command_id in self._results
            result = self._results.get(command.command_id)
            if not known:
                self._remember(command.command_id, None)
        if result is not None:
            self._answer(result)
        elif not known and not self._put(command):
            with self._lock:
                self._results.pop(command.command_id, None)  # may be offered again when there is room
            busy = SteeringError("BUSY", 409, f"{QUEUE_LIMIT} commands wait already.", "Send it again later.")
            self._outbox.add(_failed(command, busy))

    def close(self) -> None:
        """No more commands; the one in hand is finished in its own time."""
        self._closed = True
        self._outbox.abort()
        self._queue.put(None)  # the thread looks at `_closed` after each command

    def abandon_in_child(self) -> None:
        """In a forked child: let go of the parent's connection."""
        self._outbox.abandon_in_child()

    def _remember(self, command_id: str, result: Result | None) -> None:
        self._results[command_id] = result
        self._results.move_to_end(command_id)
        while len(self._results) > REMEMBERED:
            self._results.popitem(last=False)

    def _answer(self, result: Result) -> None:
        if not self._put(result):
            self._outbox.add(result)

    def _put(self, item: Command | Result) -> bool:
        if self._queue.qsize() >= QUEUE_LIMIT:
            return False
        self._queue.put(item)
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = _native.Thread(self._run, "pilothouse-commands")
                try:
                    self._thread.start()
                except RuntimeError as error:  # no threads any more: the interpreter is going down
                    _say.debug("No thread for commands: %s", error)
        return True

    def _run(self) -> None:
        try:
            while not self._closed:
                self._take_next()
        finally:
            self._outbox.close()

    def _take_next(self) -> None:
        try:
            item = self._queue.get(timeout=self._outbox.due_in(time.monotonic()))
        except _native.Empty:
            item = None
        if isinstance(item, Result):
            self._outbox.add(item)
        elif item is not None:
            self._carry_out(item)
        if not self._closed:
            self._outbox.flush()

    def _carry_out(self, command: Command) -> None:
        done: Done | None = None
        try:
            done = self._actions.carry_out(command)
            result = Result(command.command_id, succeeded=True, http_status=200, body=done.body)
        except SteeringError as error:
            result = _failed(command, error)
        except Exception as error:  # noqa: BLE001 - a defect of ours or of a framework: told, and the next command is taken
            message = f"The bridge itself failed: {error!r}"
            result = _failed(command, SteeringError("FAILED", 500, message, "Look at the program's log."))
        _say_result(command, result)
        with self._lock:
            self._remember(command.command_id, result)
        if Actions.changes(command.action):
            # What is observed goes first: whoever reads the result finds the state that it speaks of.
            self._tell(TELL_PATIENCE_S)
        if done is None or done.afterwards is None:
            self._outbox.add(result)
        elif self._outbox.deliver_now(result, _FAREWELL_PATIENCE_S):
            done.afterwards()
        else:
            # Else it would be offered to the next process, which would end itself, too, and so on for ever.
            _say.warning("Command %s is not carried out: its result cannot be told", command)
            untold = SteeringError("FAILED", 500, "The result could not be told first.", "Send it again.")
            with self._lock:
                self._remember(command.command_id, _failed(command, untold))
            self._outbox.add(_failed(command, untold))


def _failed(command: Command, error: SteeringError) -> Result:
    body: dict[str, object] = {"code": error.code, "message": error.message, "fix": error.fix}
    return Result(command.command_id, succeeded=False, http_status=error.http_status, body=body)


def _say_result(command: Command, result: Result) -> None:
    if result.succeeded:
        _say.info("Command %s: %s", command, printable(str(result.body.get("message"))))
    else:
        _say.warning(
            "Command %s failed: %s Fix: %s",
            command,
            printable(str(result.body["message"])),
            printable(str(result.body["fix"])),
        )
