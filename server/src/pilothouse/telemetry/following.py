"""Following log lines as they arrive: one question for all who follow the same, and a bounded part kept for each of them."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from weakref import WeakKeyDictionary, proxy

import msgspec

from pilothouse.base.errors import InvalidInput, PilothouseError, Refused, Unavailable
from pilothouse.observe.requests import apart
from pilothouse.telemetry.model import LogLine
from pilothouse.telemetry.questions import ArrivalQuestion, Arrivals, LogFilter, Scope
from pilothouse.telemetry.store import TelemetryStore

LINES_A_SECOND = 500
"""Lines that one follower is given in a second; what is beyond is counted."""
CHARACTERS_MAX = 4_000_000
"""Characters of the messages that wait for one follower; what is beyond is counted."""
CATCH_UP_MAX = 5_000
"""Lines of a gap that are given one by one, at the pace above; what is beyond is counted."""
GAP_MAX = 200_000
"""Lines of a gap that are counted; a greater one cannot be bridged."""
READ_AT_ONCE = 1_000
"""Lines of one question: few enough that others have their turn while they are decoded."""
LOOK_S_MIN, LOOK_S_MAX = 0.1, 0.4
"""Units: seconds between two looks for something new; more where a look is dear."""
_LOOKS_SHARE = 20
PATIENCE_S = 30.0
"""How long followers wait for a store that is away before they hear of it. Nothing is lost meanwhile."""
_AGAIN_S = 1.0
_AT_ONCE = 4
"""Questions of followers that a store is asked at the same time."""

_NOTHING = Scope(places=())


class GapTooGreat(Refused):
    """More lines came meanwhile than can be caught up with."""

    code = "TAIL_GAP_TOO_GREAT"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is new to a follower."""

    arrival: int
    """Up to where was looked: where a follower whose connection broke goes on."""
    lines: Sequence[LogLine]
    skipped: int
    """Lines that matched and were left out."""


class Tail:
    """One follower: what it was not given yet, and how far it has come.

    Cap: LINES_A_SECOND lines, CHARACTERS_MAX characters. It is emptied by `take`; what finds no room is counted as skipped.
    """

    def __init__(self, tails: "Tails", question: ArrivalQuestion) -> None:
        self._tails = tails
        self.question = question
        self.arrival = question.after
        self._lines: list[LogLine] = []
        self._characters = 0
        self._skipped = 0
        self._caught_up = 0
        self._joined = False
        self._window_began_s = float("-inf")
        self._window_lines = 0
        self._wake = asyncio.Event()
        self._failure: PilothouseError | None = None

    async def take(self, wait_s: float) -> Part:
        """Give what is new; nothing when nothing came for a while.

        Raises: InvalidInput, GapTooGreat, Unavailable
        """
        if not self._joined:
            return await self._catch_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        self._wake.clear()
        if self._failure is not None:
            raise self._failure
        return self._part()

    def offer(self, lines: Sequence[LogLine], looked_until: int) -> None:
        """Put lines that arrived where they are taken from; those that it was given already are left out."""
        for line in lines:
            if line.number > self.arrival:
                self._admit(line)
        self.arrival = max(self.arrival, looked_until)
        if self._lines or self._skipped:
            self._wake.set()

    def fail(self, error: PilothouseError) -> None:
        """Let it hear of trouble."""
        self._failure = error
        self._wake.set()

    def close(self) -> None:
        """Stop following."""
        self._tails.leave(self)

    def _admit(self, line: LogLine) -> None:
        now_s = time.monotonic()
        if now_s - self._window_began_s >= 1.0:
            self._window_began_s, self._window_lines = now_s, 0
        size = len(line.record.message)
        has_room = len(self._lines) < LINES_A_SECOND and self._characters + size <= CHARACTERS_MAX
        if not has_room or self._window_lines >= LINES_A_SECOND:
            self._skipped += 1
            return
        self._window_lines += 1
        self._characters += size
        self._lines.append(line)

    def _part(self) -> Part:
        part = Part(arrival=self.arrival, lines=self._lines, skipped=self._skipped)
        self._lines, self._characters, self._skipped = [], 0, 0
        return part

    async def _catch_up(self) -> Part:
        """Give the next lines of a gap at the pace of a tail, and skip none; joins the others where it ends."""
        if self._caught_up:
            await asyncio.sleep(max(0.0, self._window_began_s + 1.0 - time.monotonic()))
        found = await self._tails.ask(self._question(LINES_A_SECOND))
        lines, looked_until = _as_much_as_fits(found)
        self._caught_up += len(lines)
        self._window_began_s, self._window_lines = time.monotonic(), len(lines)
        self._lines, self.arrival = lines, looked_until
        if looked_until == found.looked_until and len(lines) < LINES_A_SECOND:
            self._joined = self._tails.join(self)
        elif self._caught_up >= CATCH_UP_MAX:
            await self._count_the_rest()
        return self._part()

    async def _count_the_rest(self) -> None:
        counted = 0
        while not self._joined:
            found = await self._tails.ask(self._question(READ_AT_ONCE))
            counted += len(found.lines)
            self._skipped += len(found.lines)
            self.arrival = found.looked_until
            if counted > GAP_MAX:
                raise GapTooGreat(
                    f"More than {GAP_MAX:,} lines that match came since then.",
                    field="after",
                    fix="Begin anew without `after`; read what lies between with `logs`, or download it.",
                )
            if len(found.lines) < READ_AT_ONCE:
                self._joined = self._tails.join(self)
            await asyncio.sleep(0)

    def _question(self, limit: int) -> ArrivalQuestion:
        return msgspec.structs.replace(self.question, after=self.arrival, limit=limit)


def _as_much_as_fits(found: Arrivals) -> tuple[list[LogLine], int]:
    """Take lines from the first on, one at least, and tell up to where they are."""
    lines: list[LogLine] = []
    room = CHARACTERS_MAX
    for line in found.lines:
        room -= len(line.record.message)
        if lines and room < 0:
            return lines, lines[-1].number
        lines.append(line)
    return lines, found.looked_until


class _Topic:
    """One question, asked for all who follow it."""

    def __init__(self, tails: "Tails", question: ArrivalQuestion) -> None:
        self._tails = tails
        self._question = question
        self.position = question.after
        self.followers: set[Tail] = set()
        self._poked = asyncio.Event()
        self._failing_since_s: float | None = None
        self._task = asyncio.create_task(self._run(), context=apart())

    def poke(self) -> None:
        """Say that there may be something new."""
        self._poked.set()

    def stop(self) -> None:
        """Ask no more."""
        self._task.cancel()

    async def _run(self) -> None:
        failure: PilothouseError = Unavailable("The tail broke off.", fix="Follow again with the last `arrival`.")
        try:
            while True:
                await self._poked.wait()
                self._poked.clear()
                await self._read_on()
        except PilothouseError as error:
            failure = error
        finally:
            self._tails.end(self._question, self)
            for follower in self.followers:
                follower.fail(failure)

    async def _read_on(self) -> None:
        """Hand out everything that arrived since the last look.

        Raises: PilothouseError when asking again would not help, or did not for long
        """
        is_more = True
        while is_more:
            asked = msgspec.structs.replace(self._question, after=self.position, limit=READ_AT_ONCE)
            try:
                found = await self._tails.ask(asked)
            except Unavailable:
                now_s = time.monotonic()
                self._failing_since_s = self._failing_since_s or now_s
                if now_s - self._failing_since_s >= PATIENCE_S:
                    raise
                await asyncio.sleep(_AGAIN_S)
                continue
            self._failing_since_s = None
            self.position = max(self.position, found.looked_until)
            for follower in self.followers:
                follower.offer(found.lines, self.position)
            is_more = len(found.lines) == READ_AT_ONCE
            if is_more:
                await asyncio.sleep(0)  # a store that answers at once leaves nobody else a turn


class Tails:
    """All who follow the lines of one store, in this process."""

    def __init__(self, store: TelemetryStore) -> None:
        self._store = proxy(store)  # else it would live as long as this does, which is forgotten with it
        self._topics: dict[ArrivalQuestion, _Topic] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._wake = asyncio.Event()
        self._look_s = LOOK_S_MIN

    @property
    def questions(self) -> int:
        """How many different questions are asked."""
        return len(self._topics)

    def __len__(self) -> int:
        return sum(len(topic.followers) for topic in self._topics.values())

    async def newest(self) -> int:
        """Tell the number of the newest line that can be seen by a look now, whoever may see it.

        Raises: Unavailable
        """
        return (await self._store.arrivals(ArrivalQuestion(scope=_NOTHING, after=-1, limit=1))).looked_until

    async def open(self, scope: Scope, filter_: LogFilter, after: int | None = None) -> Tail:
        """Begin to follow: from now on, or from behind an arrival.

        Raises: InvalidInput, Unavailable
        """
        newest = await self.newest()
        if after is not None and after > newest:  # another replica may have told it, and be a moment ahead
            await asyncio.sleep(_AGAIN_S)
            newest = await self.newest()
        if after is not None and after > newest:
            raise InvalidInput("So many lines never arrived here.", field="after", fix="Begin anew without `after`.")
        start = newest if after is None else after
        return Tail(self, ArrivalQuestion(scope=scope, filter=filter_, after=start))

    def wake(self) -> None:
        """Look at once: something was stored in this process."""
        self._wake.set()

    async def ask(self, question: ArrivalQuestion) -> Arrivals:
        """Ask the store, a few at a time."""
        async with self._turn:
            return await self._store.arrivals(question)

    def join(self, tail: Tail) -> bool:
        """Let a follower share its question with others; False when those have come further than it has."""
        key = _key(tail.question)
        topic = self._topics.get(key)
        if topic is None:
            asked = msgspec.structs.replace(tail.question, after=tail.arrival)
            topic = self._topics[key] = _Topic(self, asked)
        elif topic.position > tail.arrival:
            return False
        topic.followers.add(tail)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch(), context=apart())
        return True

    def leave(self, tail: Tail) -> None:
        """Follow no more; the last one ends the question."""
        key = _key(tail.question)
        topic = self._topics.get(key)
        if topic is None or tail not in topic.followers:
            return
        topic.followers.discard(tail)
        if not topic.followers:
            del self._topics[key]
            topic.stop()

    def end(self, question: ArrivalQuestion, topic: _Topic) -> None:
        """Forget a question that is asked no more."""
        if self._topics.get(_key(question)) is topic:
            del self._topics[_key(question)]

    async def _watch(self) -> None:
        """Ask one cheap question for all: whether anything arrived at all."""
        while self._topics:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._wake.wait()
            self._wake.clear()
            began_s = time.monotonic()
            try:
                newest = await self.newest()
            except Unavailable:
                newest = None  # each question finds out for itself, and has its patience
            self._look_s = min(max((time.monotonic() - began_s) * _LOOKS_SHARE, LOOK_S_MIN), LOOK_S_MAX)
            for topic in list(self._topics.values()):
                if newest is None or topic.position < newest:
                    topic.poke()


def _key(question: ArrivalQuestion) -> ArrivalQuestion:
    return msgspec.structs.replace(question, after=0, limit=1)


_tails: WeakKeyDictionary[TelemetryStore, Tails] = WeakKeyDictionary()


def tails_of(store: TelemetryStore) -> Tails:
    """Find who follows a store: everybody in this process shares it."""
    if store not in _tails:
        _tails[store] = Tails(store)
    return _tails[store]
