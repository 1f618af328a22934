"""Carries what runtimes send: one loop, timers, connections of their own or a pool, channels, and the end of processes."""

import asyncio
import random
import time
import uuid
from array import array
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from .channels import Channel
from .runtimes import DELTA_PATH, Runtime, Send, read_loosely
from .truth import Life
from .wires import Dialer, Line, Target

ANSWER_TIMEOUT_S: Final = 60.0
_SWEEP_S: Final = 1.0


@dataclass(slots=True)
class Figures:
    """What the driver measured."""

    deltas_s: "array[float]" = field(default_factory=lambda: array("d"))
    """From the first byte written to the last byte of the answer."""
    fulls_s: "array[float]" = field(default_factory=lambda: array("d"))
    failures: Counter[str] = field(default_factory=Counter)
    """Requests without an answer, by cause."""
    failures_starting: Counter[str] = field(default_factory=Counter)
    """The same, before the fleet was up."""
    acked: int = 0
    late_s: float = 0.0
    """How late a round of ours began at worst: our own loop, not the server."""
    channels: Counter[str] = field(default_factory=Counter)

    def reset(self) -> None:
        """Begin anew with the latencies, after the fleet is up."""
        self.deltas_s, self.fulls_s, self.late_s = array("d"), array("d"), 0.0
        self.failures_starting, self.failures = self.failures, Counter()


class Member:
    """A runtime, with what carries it."""

    __slots__ = ("busy", "channel", "epoch", "life", "line", "queue", "runtime", "sending_since", "timer")

    def __init__(self, runtime: Runtime, life: Life) -> None:
        self.runtime = runtime
        self.life = life
        self.epoch = 0
        """Grows when its process ends: what was begun for an earlier one is dropped."""
        self.line: Line | None = None
        self.queue: deque[Send] = deque()
        self.busy = False
        self.sending_since = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.channel: Channel | None = None


class Driver:
    """A fleet on one loop."""

    def __init__(self, target: Target, *, pool: int, offline_after_s: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.dialer = Dialer(target)
        self.figures = Figures()
        self.members: list[Member] = []
        self.lives: dict[str, Life] = {}
        self._offline_after_s = offline_after_s
        self._pool_size = pool
        """0: each runtime has a connection of its own."""
        self._lines = 0
        self._idle: list[Line] = []
        self._waiting: deque[tuple[Member, Send, int]] = deque()
        self._in_flight: dict[Line, tuple[Member, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper = self.loop.call_later(_SWEEP_S, self._sweep)
        self.stopped = False

    # -- processes

    def add(self, runtime: Runtime) -> Member:
        """Take a runtime on; it is started by `start`."""
        member = Member(runtime, self._life_of(runtime))
        self.members.append(member)
        return member

    def _life_of(self, runtime: Runtime) -> Life:
        life = Life(
            runtime_id=runtime.runtime_id,
            interval_s=runtime.interval_s,
            reports_interval=runtime.has_channel,
            offline_after_s=self._offline_after_s,
        )
        self.lives[runtime.runtime_id] = life
        return life

    def start(self, member: Member, after_s: float) -> None:
        """Start a process after a while."""
        self._at(member, time.monotonic() + after_s + member.runtime.first_beat_after_s())

    def crash(self, member: Member) -> None:
        """End a process without a word."""
        life = member.life
        life.ended_at = time.monotonic()
        life.had_channel = member.channel is not None and member.channel.is_open
        self._drop(member)

    async def say_goodbye(self, member: Member) -> None:
        """End a process in order, where it has a channel to say so."""
        if member.channel is not None:
            epoch = member.epoch
            life = member.life
            self._drop(member)
            life.ended_at = time.monotonic()
            life.said_goodbye = await Channel(self, member).say_goodbye()
            assert member.epoch == epoch + 1

    def restart(self, member: Member, *, keeps_identity: bool) -> None:
        """Start the process again, as itself or, where its identity was in a container that is gone, as another."""
        runtime = member.runtime
        if keeps_identity:
            member.life.start_again()
        else:
            member.life.replaced = True
            runtime.runtime_id = str(uuid.UUID(int=runtime.dice.getrandbits(128), version=4))
            member.life = self._life_of(runtime)
        runtime.start()
        self.start(member, 0.0)

    def _drop(self, member: Member) -> None:
        member.epoch += 1
        member.queue.clear()
        member.busy = False
        if member.timer is not None:
            member.timer.cancel()
            member.timer = None
        if member.line is not None:
            self._in_flight.pop(member.line, None)
            member.line.abandon()
            member.line = None
        if member.channel is not None:
            member.channel.abandon()
            member.channel = None

    async def stop(self) -> None:
        """End all, without a word."""
        self.stopped = True
        self._sweeper.cancel()
        for member in self.members:
            self._drop(member)
        for line in [*self._idle, *self._in_flight]:
            line.abandon()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.1)

    # -- rounds

    def _at(self, member: Member, when: float) -> None:
        if member.timer is not None:
            member.timer.cancel()
        member.timer = self.loop.call_at(when, self._round, member, member.epoch, when)

    def _round(self, member: Member, epoch: int, due_at: float) -> None:
        """Begin a round, unless the process ended or still is at the last one."""
        if epoch != member.epoch or self.stopped or member.runtime.lost is not None:
            return
        now = time.monotonic()
        self.figures.late_s = max(self.figures.late_s, now - due_at)
        if not member.busy:
            member.queue.append(member.runtime.beat(now))
            self._next(member)

    def enqueue(self, member: Member, sends: Sequence[Send]) -> None:
        """Send something outside of a round, e.g. the result of a command that came over the channel."""
        member.queue.extend(sends)
        if not member.busy:
            self._next(member)

    def _next(self, member: Member) -> None:
        runtime = member.runtime
        if runtime.lost is not None:
            member.queue.clear()
            member.busy = False
        elif member.queue:
            member.busy = True
            self._write(member, member.queue.popleft())
        else:
            member.busy = False
            self._at(member, runtime.next_beat_at(time.monotonic()))

    def _write(self, member: Member, send: Send) -> None:
        if self._pool_size:
            if self._idle:
                self._send(member, send, self._idle.pop())
                return
            self._waiting.append((member, send, member.epoch))
            if self._lines < self._pool_size:
                self._lines += 1
                self.spawn(self._open_for_pool())
        elif member.line is not None:
            self._send(member, send, member.line)
        else:
            self.spawn(self._open_for(member, send))

    def _send(self, member: Member, send: Send, line: Line) -> None:
        now, target = time.monotonic(), self.dialer.target
        wall_s = time.time()
        body = send.body(wall_s)
        epoch = member.epoch
        if send.is_beat:
            member.life.written_at = now
        self._in_flight[line] = (member, now)

        def answered(status: int, content: bytes) -> None:
            self._release(line)
            if epoch == member.epoch:
                self._answered(member, send, now, status, content)

        def failed(cause: str) -> None:
            self._in_flight.pop(line, None)
            if epoch == member.epoch:
                self._failed(member, send, cause)

        line.send(target.head(send.path, member.runtime.token(wall_s), len(body)) + body, answered, failed)

    def _answered(self, member: Member, send: Send, sent_at: float, status: int, content: bytes) -> None:
        now = time.monotonic()
        if send.is_beat:
            is_delta = send.path is DELTA_PATH
            (self.figures.deltas_s if is_delta else self.figures.fulls_s).append(now - sent_at)
            if 200 <= status < 300:
                answer = read_loosely(content)
                if answer.get("acknowledged") is True:
                    self.figures.acked += 1
                    if not (is_delta and answer.get("fullHeartbeatRequired")):
                        member.life.note_beat(sent_at, now)
        member.queue.extendleft(reversed(member.runtime.answered(send, status, content, now)))
        if member.runtime.has_channel and send.is_beat:
            self._see_to_the_channel(member)
        self._next(member)

    def _failed(self, member: Member, send: Send, cause: str) -> None:
        self.figures.failures[cause] += 1
        again_s = member.runtime.unreachable(send, time.monotonic())
        if again_s is not None:
            member.timer = self.loop.call_later(again_s, self._again, member, send, member.epoch)
        else:
            member.queue.clear()
            self._next(member)

    def _again(self, member: Member, send: Send, epoch: int) -> None:
        if epoch == member.epoch and not self.stopped:
            self._write(member, send)

    # -- connections

    async def _open_for(self, member: Member, send: Send) -> None:
        epoch = member.epoch
        line = await self._open(self._lost_own(member))
        if epoch != member.epoch:
            if isinstance(line, Line):
                line.abandon()
        elif isinstance(line, Line):
            member.line = line
            self._send(member, send, line)
        else:
            self._failed(member, send, line)

    def _lost_own(self, member: Member) -> Callable[[Line], None]:
        def lost(line: Line) -> None:
            if member.line is line:
                member.line = None

        return lost

    async def _open_for_pool(self) -> None:
        line = await self._open(self._lost_pooled)
        if isinstance(line, Line):
            self._release(line)
            return
        self._lines -= 1
        waiting, self._waiting = self._waiting, deque()
        for member, send, epoch in waiting:
            if epoch == member.epoch:
                self._failed(member, send, line)

    def _lost_pooled(self, line: Line) -> None:
        self._lines -= 1
        if line in self._idle:
            self._idle.remove(line)
        if self._waiting and self._lines < self._pool_size and not self.stopped:
            self._lines += 1
            self.spawn(self._open_for_pool())

    async def _open(self, lost: Callable[[Line], None]) -> Line | str:
        try:
            return cast("Line", await self.dialer.open(lambda: Line(lost)))
        except (OSError, TimeoutError) as error:
            return f"cannot connect: {type(error).__name__}"

    def _release(self, line: Line) -> None:
        """Give a pooled connection to who waits."""
        self._in_flight.pop(line, None)
        if not self._pool_size or line.transport.is_closing():
            return
        while self._waiting:
            member, send, epoch = self._waiting.popleft()
            if epoch == member.epoch:
                self._send(member, send, line)
                return
        self._idle.append(line)

    def _see_to_the_channel(self, member: Member) -> None:
        if member.channel is None and getattr(member.runtime, "wants_channel", False):
            member.channel = Channel(self, member)
        if member.channel is not None:
            member.channel.beat_was_answered()

    def _sweep(self) -> None:
        """Give up what takes too long."""
        now = time.monotonic()
        for line, (_, since) in list(self._in_flight.items()):
            if now - since > ANSWER_TIMEOUT_S:
                line.transport.abort()
        for member in self.members:
            if member.channel is not None:
                member.channel.sweep(now)
        self._sweeper = self.loop.call_later(_SWEEP_S, self._sweep)

    def spawn(self, work: "asyncio.Future[None] | object") -> None:
        """Do something beside."""
        task = self.loop.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Chaos:
    """Ends processes and starts them again, at random, as hosts do."""

    def __init__(self, driver: Driver, share_per_minute: float, dice: random.Random, longest_s: float) -> None:
        self.counts: Counter[str] = Counter()
        self._driver = driver
        self._share = share_per_minute
        self._dice = dice
        self._longest_s = longest_s

    async def run(self) -> None:
        """Go on until cancelled."""
        dice, owed = self._dice, 0.0
        while True:
            await asyncio.sleep(1.0)
            owed += self._share * len(self._driver.members) / 60
            while owed >= 1:
                owed -= 1
                member = dice.choice(self._driver.members)
                if member.life.ended_at == 0.0 and member.life.acked and member.runtime.lost is None:
                    self._driver.spawn(self._end_and_start(member))

    async def _end_and_start(self, member: Member) -> None:
        dice = self._dice
        if member.channel is not None and member.channel.is_open and dice.random() < 0.3:
            self.counts["orderly ends"] += 1
            await self._driver.say_goodbye(member)
        else:
            self.counts["crashes"] += 1
            self._driver.crash(member)
        is_quick = dice.random() < 0.5
        await asyncio.sleep(dice.uniform(1, 10) if is_quick else dice.uniform(10, self._longest_s))
        keeps = dice.random() < 0.7
        self.counts["restarts" if keeps else "restarts under another identity"] += 1
        self._driver.restart(member, keeps_identity=keeps)
