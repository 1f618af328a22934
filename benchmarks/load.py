"""A plain load of requests over kept-alive connections, made with the fleet's own sockets."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fleet.wires import Dialer, Line, Target

Request = tuple[str, str, bytes]
"""Path, token, body."""


@dataclass(slots=True)
class Load:
    """Requests sent as fast as they are answered, or at a pace."""

    target: Target
    connections: int
    taken_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    answers: list[bytes] = field(default_factory=list)

    async def send(self, requests: list[Request], *, per_s: float | None = None) -> float:
        """Send all and wait for the answers, trying again what was cut off; gives the seconds that it took."""
        dialer, waiting = Dialer(self.target), deque(requests)
        began = time.monotonic()
        pace = _Pace(began, per_s)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.connections, len(requests))):
                    group.create_task(self._work(dialer, waiting, pace))
        finally:
            took_s = time.monotonic() - began
        return took_s

    async def _work(self, dialer: Dialer, waiting: deque[Request], pace: "_Pace") -> None:
        line: Line | None = None
        while waiting:
            request = waiting.popleft()
            await pace.wait()
            try:
                if line is None or line.transport.is_closing():
                    opened = await dialer.open(lambda: Line(lambda _line: None))
                    assert isinstance(opened, Line)
                    line = opened
                status, body = await self._exchange(line, request)
            except (OSError, TimeoutError):
                self.lost += 1
                line = None
                waiting.append(request)
                await asyncio.sleep(0.05)
                continue
            self.statuses[status] += 1
            self.answers.append(body)
        if line is not None:
            line.abandon()

    async def _exchange(self, line: Line, request: Request) -> tuple[int, bytes]:
        path, token, body = request
        done: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        began = time.monotonic()

        def answered(status: int, content: bytes) -> None:
            self.taken_s.append(time.monotonic() - began)
            if not done.done():
                done.set_result((status, content))

        def failed(cause: str) -> None:
            if not done.done():
                done.set_exception(ConnectionError(cause))

        line.send(self.target.head(path, token, len(body)) + body, answered, failed)
        return await asyncio.wait_for(done, 60)


class _Pace:
    """Lets so many a second pass."""

    def __init__(self, began: float, per_s: float | None) -> None:
        self._next = began
        self._step_s = 0.0 if per_s is None else 1 / per_s

    async def wait(self) -> None:
        """Wait for one's turn."""
        if self._step_s:
            self._next += self._step_s
            await asyncio.sleep(max(0.0, self._next - time.monotonic()))


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run on a fast loop."""
    import uvloop

    async def main() -> None:
        await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
