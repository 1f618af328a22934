"""What a FastStream subscriber has in hand at this moment, observed by light wrappers around its own methods.

Source: FastStream 0.7.8. All of it happens on the subscriber's own event loop; other threads only read.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast, final

_KEY: Final = "_pilothouse_hand"
_POLL_S: Final = 0.002
_CUT_LIMIT_S: Final = 2.0
_listeners: Final[list[Callable[[], None]]] = []


@final
class Hand:
    """The messages of one subscriber between the broker and the end of their handler."""

    def __init__(self) -> None:
        """Empty, as of a subscriber that has not begun."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.draining = False
        self.refusing = False
        """Set: the wrapped reading methods fetch nothing any more."""
        self.held = False
        """Stopped by refusing alone: the library still runs, ready to go on at once."""
        self.reading = 0
        """Reads that are under way; where a reader handles what it read, that is part of the read."""
        self.ended = 0
        self.trouble: str | None = None
        """Why the last read failed; None after one that did not."""
        self.parked: object = None
        """What a broker's module needs from stop until start."""
        self.refused: list[Any] = []
        """Messages that the library brought while it was being stopped, and would have dropped."""
        self._handled: dict[object, tuple[asyncio.Task[Any] | None, Any]] = {}
        self._queued: dict[int, Any] = {}

    def handling(self, message: object) -> object:
        """A handler begins; answers the mark for ``handled``."""
        mark = object()
        self._handled[mark] = (asyncio.current_task(), message)
        return mark

    def handled(self, mark: object) -> None:
        """A handler ended, whichever way."""
        del self._handled[mark]
        self.ended += 1

    def queue(self, message: object) -> None:
        """A message was read, its handler has not begun."""
        self._queued[id(message)] = message

    def unqueue(self, message: object) -> None:
        """It is not waiting any more."""
        self._queued.pop(id(message), None)

    def busy(self) -> int:
        """How many messages are known to be in hand."""
        return len(self._handled) + len(self.unbegun())

    def handlers(self) -> int:
        """How many handlers run."""
        return len(self._handled)

    def unbegun(self) -> list[Any]:
        """Messages that were read and wait for a handler."""
        begun = {id(message) for _, message in list(self._handled.values())}
        return [message for key, message in list(self._queued.items()) if key not in begun]

    async def drained(self, grace_s: float, waiting: Callable[[], int]) -> bool:
        """Wait until nothing is in hand, three times in a row because a message may be between two tasks."""
        deadline = time.monotonic() + grace_s
        quiet = 0
        while True:
            quiet = 0 if self.busy() or self.reading or waiting() else quiet + 1
            if quiet > 2:  # noqa: PLR2004 - said above
                return True
            if time.monotonic() >= deadline and (quiet == 0):
                return False
            await asyncio.sleep(_POLL_S)

    async def cut(self) -> list[Any]:
        """End the handlers that still run; answers the messages of those that ended by it."""
        caught = dict(self._handled)
        for task, _ in caught.values():
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        deadline = time.monotonic() + _CUT_LIMIT_S
        while self._handled.keys() & caught.keys() and time.monotonic() < deadline:  # noqa: ASYNC110 - set by many
            await asyncio.sleep(_POLL_S)
        return [message for mark, (_, message) in caught.items() if mark not in self._handled]

    async def read_to_the_end(self) -> None:
        """Let the read under way bring what it has; it goes to ``refused``."""
        deadline = time.monotonic() + _CUT_LIMIT_S
        while self.reading and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
            await asyncio.sleep(_POLL_S)

    def forget(self) -> None:
        """The library threw its queue away."""
        self._queued.clear()
        self.refused.clear()


def hand_of(subscriber: Any) -> Hand:
    """The hand of a subscriber, kept on the subscriber itself so that it ends with it."""
    members: dict[str, Any] = subscriber.__dict__
    hand = members.get(_KEY)
    return cast("Hand", members.setdefault(_KEY, Hand()) if hand is None else hand)


def watch_subscribers(usecase: type[Any], on_change: Callable[[], None]) -> None:
    """Follow every subscriber: which messages its handlers have, on which loop it began, when it started or stopped."""
    _listeners.append(on_change)
    if is_watched(usecase):
        return
    if not usecase.__dictoffset__:
        raise TypeError("subscribers have no place for a note")
    process: Callable[[Any, Any], Awaitable[Any]] = usecase.process_message
    consume: Callable[[Any, Any], Awaitable[Any]] = usecase.consume
    post_start: Callable[[Any], None] = usecase._post_start  # noqa: SLF001
    stop: Callable[[Any], Awaitable[None]] = usecase.stop

    @functools.wraps(process)
    async def process_message(self: Any, msg: Any) -> Any:
        hand = hand_of(self)
        if hand.loop is None:
            hand.loop = asyncio.get_running_loop()
        mark = hand.handling(msg)
        try:
            return await process(self, msg)
        finally:
            hand.handled(mark)

    @functools.wraps(consume)
    async def consume_or_note(self: Any, msg: Any) -> Any:
        if not self.running:
            hand = hand_of(self)
            if hand.draining:
                hand.refused.append(msg)
        return await consume(self, msg)

    @functools.wraps(post_start)
    def _post_start(self: Any) -> None:
        post_start(self)
        with contextlib.suppress(Exception):  # the program's start must not fail because of us
            hand_of(self).loop = asyncio.get_running_loop()
            _changed()

    @functools.wraps(stop)
    async def stop_and_tell(self: Any) -> None:
        try:
            await stop(self)
        finally:
            _changed()

    usecase.process_message = process_message
    usecase.consume = consume_or_note
    usecase._post_start = _post_start  # noqa: SLF001
    usecase.stop = stop_and_tell
    usecase._pilothouse_watched = True  # noqa: SLF001


def is_watched(subscriber: Any) -> bool:
    """Whether what a subscriber, or every subscriber of a class, has in hand is known."""
    return bool(getattr(subscriber, "_pilothouse_watched", False))


def _changed() -> None:
    for listener in _listeners:
        listener()


def watch_queues(module: Any) -> None:
    """Follow subscribers with several workers: what they read and have not begun."""
    mixin: Any = module.ConcurrentMixin
    put: Callable[[Any, Any], Awaitable[None]] = mixin._put_msg  # noqa: SLF001
    if hasattr(put, _KEY):
        return
    consume: Callable[[Any, Any], Awaitable[None]] = mixin._consume_msg  # noqa: SLF001

    @functools.wraps(put)
    async def _put_msg(self: Any, msg: Any) -> None:
        hand = hand_of(self)
        hand.queue(msg)
        try:
            await put(self, msg)
        except BaseException:
            hand.unqueue(msg)
            raise

    @functools.wraps(consume)
    async def _consume_msg(self: Any, msg: Any) -> None:
        try:
            await consume(self, msg)
        finally:
            hand_of(self).unqueue(msg)

    setattr(_put_msg, _KEY, True)
    mixin._put_msg = _put_msg  # noqa: SLF001
    mixin._consume_msg = _consume_msg  # noqa: SLF001


def gate_reads(cls: type[Any], method: str, nothing: object) -> None:
    """Let a reading method answer ``nothing`` while its subscriber refuses, and note its reads and its trouble."""
    original: Callable[..., Awaitable[Any]] = getattr(cls, method)
    if hasattr(original, _KEY):
        return

    @functools.wraps(original)
    async def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        hand = hand_of(self)
        if hand.refusing:
            await asyncio.sleep(10 * _POLL_S)  # the loop around it asks again at once
            return nothing
        hand.reading += 1
        try:
            answer = await original(self, *args, **kwargs)
        except Exception as error:
            hand.trouble = f"Reading from the broker fails: {type(error).__name__}."
            raise
        else:
            hand.trouble = None
            return answer
        finally:
            hand.reading -= 1

    setattr(read, _KEY, True)
    setattr(cls, method, read)


def is_gated(subscriber: Any, method: str) -> bool:
    """Whether ``gate_reads`` holds this subscriber's reading method."""
    return hasattr(getattr(subscriber, method, None), _KEY)


def is_running(subscriber: Any) -> bool:
    """Whether a subscriber takes messages, as far as it says so itself."""
    return bool(subscriber.running) and not (is_watched(subscriber) and hand_of(subscriber).held)
