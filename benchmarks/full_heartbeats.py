"""Full heartbeats per second, durable when acknowledged: what waits is written together, against one transaction each, in one run.

Method: in process, without HTTP; 8 kB bodies, runtimes with 20 secrets, 256 wait at once, on each database, whose writes are synced.
`new` are runtimes that nobody heard of; `same` sends what is known already, as in a reconnect storm: it is answered from memory;
`changed` brings an artifact set that nobody reported before. The server runs beside this process, and its CPU counts.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import uvloop
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.place import Database
from pilothouse.config import Settings
from pilothouse.observe.logs import configure
from pilothouse.storage import unit
from real_databases import KINDS, Running, installed, running
from requests_of_runtimes import full_request, sign
from secrets_of_runtimes import new_secret

SECRETS = 20
AT_ONCE = 256


class Storm:
    """Every runtime reports once."""

    def __init__(self, plane: ControlPlane, run: Running, tokens: list[str], runtimes: int) -> None:
        self._plane = plane
        self._run = run
        self._tokens = tokens
        self._runtimes = runtimes

    async def rage(self, whose: Callable[[int], str], variant: Callable[[int], int], kind: str) -> tuple[float, ...]:
        """Give heartbeats a second, the 99th percentile of an answer in ms, and CPU in µs a heartbeat, here and in the server."""
        gate = asyncio.Semaphore(AT_ONCE)
        took_s: list[float] = []

        async def report(number: int) -> None:
            async with gate:
                began = time.perf_counter()
                token = self._tokens[number % SECRETS]
                request = full_request(whose(number), token, variant=variant(number), runtime_type=kind)
                answer = self._plane.runtime_handler(request)
                assert isinstance(answer, Awaitable)
                assert (await answer).status == 200
                took_s.append(time.perf_counter() - began)

        began, ours_s, server_s = time.perf_counter(), time.process_time(), self._run.cpu_s()
        await asyncio.gather(*(report(number) for number in range(self._runtimes)))
        per_s = self._runtimes / (time.perf_counter() - began)
        cpu_us = (time.process_time() - ours_s + self._run.cpu_s() - server_s) / self._runtimes * 1e6
        return per_s, statistics.quantiles(took_s, n=100)[98] * 1000, cpu_us


async def figures_of(run: Running, database: Database, runtimes: int, rounds: int, kind: str) -> list[float]:
    """Measure one way on one database."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = Settings(home=home) if database.is_embedded else Settings(home=home, database_url=database.url)
        plane = await open_control_plane(settings)
        tokens = [sign(await new_secret(plane), plane.clock.now()) for _ in range(SECRETS)]
        storm = Storm(plane, run, tokens, runtimes)
        await storm.rage(partial(_named, 0), _nothing_new, kind)
        new = [await storm.rage(partial(_named, turn), _nothing_new, kind) for turn in range(1, rounds + 1)]
        same = [await storm.rage(partial(_named, 0), _nothing_new, kind) for _ in range(rounds)]
        changed = [
            await storm.rage(partial(_named, 0), partial(_unheard_of, turn), kind) for turn in range(1, rounds + 1)
        ]
        await plane.stop()
    return [statistics.median(values) for kinds in (new, same, changed) for values in zip(*kinds, strict=True)]


def _named(turn: int, number: int) -> str:
    return f"runtime-{turn}-{number:05}"


def _nothing_new(_number: int) -> int:
    return 0


def _unheard_of(turn: int, number: int) -> int:
    return turn * 1_000_000 + number


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", nargs="+", choices=KINDS, default=["sqlite"])
    parser.add_argument("--runtimes", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", choices=("BI", "MI", "PY"), default="BI", help="what kind of runtime reports")
    wanted = parser.parse_args()
    configure("ERROR", "text")
    together = unit.BATCH_MAX
    print(f"full heartbeats: {wanted.runtimes} runtimes, {AT_ONCE} at once, median of {wanted.rounds} rounds")
    print("| | new/s | p99 ms | CPU µs | same/s | p99 ms | CPU µs | changed/s | p99 ms | CPU µs |")
    print(f"|---|{'---|' * 9}")
    for kind in wanted.database:
        if not installed(kind):
            print(f"| {kind} is not installed |")
            continue
        with running(kind) as run:
            figures: dict[int, list[float]] = {}
            for batch, name in ((1, "one transaction each"), (together, "together")):
                unit.BATCH_MAX = batch
                figures[batch] = await figures_of(run, run.fresh(), wanted.runtimes, wanted.rounds, wanted.kind)
                print(f"| {kind}, {name} | {' | '.join(f'{value:,.0f}' for value in figures[batch])} |")
        ratios = [f"{much / little:.2f}" for much, little in zip(figures[together], figures[1], strict=True)]
        print(f"| **{kind}, ratio** | {' | '.join(ratios)} |")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
