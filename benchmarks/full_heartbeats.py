"""Full heartbeats per second, durable when acknowledged: group commit against one transaction each, in one run.

Method: in process, without HTTP; 8 kB bodies, 400 runtimes with 20 secrets report something new each time, 256 wait at once.
`same` sends what is known already, as in a reconnect storm: it is answered from memory;
`new` brings an artifact set that nobody reported before.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import uvloop
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.people import LOCAL
from pilothouse.config import Settings
from pilothouse.observe.logs import configure
from pilothouse.operations.secrets import generate
from pilothouse.storage import unit
from requests_of_runtimes import full_request, sign

RUNTIMES = 400
SECRETS = 20
AT_ONCE = 256
ROUNDS = 3


async def storm(plane: ControlPlane, tokens: list[str], variant: Callable[[int], int]) -> tuple[float, float]:
    """Let every runtime report once; gives heartbeats a second, and the 99th percentile of an answer in ms."""
    gate = asyncio.Semaphore(AT_ONCE)
    took_s: list[float] = []

    async def report(number: int) -> None:
        async with gate:
            began = time.perf_counter()
            request = full_request(f"runtime-{number:05}", tokens[number % SECRETS], variant=variant(number))
            answer = plane.runtime_handler(request)
            assert isinstance(answer, Awaitable)
            assert (await answer).status == 200
            took_s.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(report(number) for number in range(RUNTIMES)))
    per_s = RUNTIMES / (time.perf_counter() - began)
    return per_s, statistics.quantiles(took_s, n=100)[98] * 1000


async def main() -> None:
    """Measure and print the table."""
    configure("ERROR", "text")
    together = unit.BATCH_MAX
    print(f"full heartbeats: {RUNTIMES} runtimes, {AT_ONCE} at once, median of {ROUNDS} rounds")
    print("| | same/s | p99 ms | new/s | p99 ms |\n|---|---|---|---|---|")
    figures: dict[int, list[float]] = {}
    for batch, name in ((1, "one transaction each"), (together, "group commit")):
        unit.BATCH_MAX = batch
        with tempfile.TemporaryDirectory() as folder:
            plane = await open_control_plane(Settings(home=Path(folder) / "home"))
            making = partial(
                generate,
                subject=LOCAL,
                organization=await plane.organization(),
                vault=plane.vault,
                environment_handle="dev",
                project_handle=None,
                integration_handle=None,
                now=plane.clock.now(),
            )
            tokens = [sign((await plane.store.write(making)).secret, plane.clock.now()) for _ in range(SECRETS)]
            await storm(plane, tokens, lambda _number: 0)
            same = [await storm(plane, tokens, lambda _number: 0) for _ in range(ROUNDS)]
            fresh = [await storm(plane, tokens, partial(_unheard_of, turn)) for turn in range(1, ROUNDS + 1)]
            await plane.stop()
        row = [statistics.median(values) for kind in (same, fresh) for values in zip(*kind, strict=True)]
        figures[batch] = row
        print(f"| {name} | {row[0]:,.0f} | {row[1]:.0f} | {row[2]:,.0f} | {row[3]:.0f} |")
    alone, grouped = figures[1], figures[together]
    print(f"| **ratio** | **{grouped[0] / alone[0]:.1f}** | | **{grouped[2] / alone[2]:.1f}** | |")


def _unheard_of(turn: int, number: int) -> int:
    return turn * 1_000_000 + number


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
