"""Results on their way to the control plane: kept in memory while it is away, bounded, the oldest dropped first."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final, final

from pilothouse_bridge import _native, _say
from pilothouse_bridge._answers import retry_after_s
from pilothouse_bridge._order import RESULT_PATH, Result, encode_result
from pilothouse_bridge._rhythm import Rhythm
from pilothouse_bridge._transport import Transport
from pilothouse_bridge.errors import DeliveryError

CAPACITY: Final = 256
#: The server understood and will never take it: another try is of no use. 404 and 405 are servers without commands.
_IN_VAIN: Final = frozenset({400, 404, 405, 413})


@final
class Outbox:
    """Posts results in their order, with back-off; ``add`` from any thread, the rest from one."""

    def __init__(
        self, transport: Transport, token: Callable[[], str], runtime_id: str, random: Callable[[], float]
    ) -> None:
        """Nothing is sent yet."""
        self._transport = transport
        self._token = token
        self._runtime_id = runtime_id
        self._lock = _native.lock()
        self._waiting: deque[Result] = deque()
        self._rhythm = Rhythm(1.0, random)
        self._next_at_s = 0.0

    def add(self, result: Result) -> None:
        """Send this with the next flush."""
        with self._lock:
            if len(self._waiting) >= CAPACITY:
                dropped = self._waiting.popleft()
                _say.warning("The result of command %s is dropped: too many wait for the server", dropped.command_id)
            self._waiting.append(result)

    def due_in(self, now_s: float) -> float | None:
        """Seconds until the next try; None when nothing waits."""
        with self._lock:
            return max(0.0, self._next_at_s - now_s) if self._waiting else None

    def flush(self) -> None:
        """Send what is due; what cannot be sent stays for the next time."""
        while self.due_in(time.monotonic()) == 0.0:
            with self._lock:
                result = self._waiting[0]
            if not self._deliver(result):
                return
            with self._lock:
                if self._waiting and self._waiting[0] is result:
                    self._waiting.popleft()

    def deliver_now(self, result: Result, patience_s: float) -> bool:
        """Send this one before anything else; answers whether the server took it in time."""
        until_s = time.monotonic() + patience_s
        while not self._deliver(result):
            pause_s = self._next_at_s - time.monotonic()
            if time.monotonic() + pause_s > until_s:
                return False
            _native.sleep(max(0.0, pause_s))
        return True

    def abort(self) -> None:
        """From another thread: send nothing any more, and end a wait for an answer at once."""
        self._transport.abort()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def abandon_in_child(self) -> None:
        """In a forked child: close our copy of the parent's connection."""
        self._transport.abandon_in_child()

    def _deliver(self, result: Result) -> bool:
        """Whether this result needs no more care."""
        try:
            reply = self._transport.post(RESULT_PATH, self._token(), encode_result(self._runtime_id, result))
        except DeliveryError as error:
            _say.debug("The result of command %s waits: %s", result.command_id, error)
            self._next_at_s = time.monotonic() + self._rhythm.after_unreachable()
            return False
        if 200 <= reply.status < 300 or reply.status in _IN_VAIN:  # noqa: PLR2004 - HTTP's own numbers
            _say.debug("The result of command %s was answered %s", result.command_id, reply.status)
            self._rhythm.after_success(None)
            self._next_at_s = 0.0
            return True
        wish_s = retry_after_s(reply.retry_after, time.time())
        self._next_at_s = time.monotonic() + self._rhythm.after_unreachable(wish_s)
        return False
