"""Results of commands per second, durable when acknowledged: what waits is taken in together, against each by itself, in one run.

Method: in process, without HTTP; each runtime has one stop that left, and all post at once what came of it, as after a stop of a
whole fleet. `by itself` shares the commit of all that wait and has a savepoint and statements of its own. The server's CPU counts.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import uvloop
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.ids import new_id
from pilothouse.base.place import Database
from pilothouse.config import Settings
from pilothouse.domain.commands import Command, CommandAction, CommandResult, CommandRoute, CommandState
from pilothouse.observe.logs import configure
from pilothouse.operations.outcomes import Posted, note_results
from pilothouse.storage import commands
from pilothouse.storage.jobs import alone
from real_databases import KINDS, Running, installed, running
from requests_of_runtimes import full_request, sign
from secrets_of_runtimes import new_secret

AT_ONCE = 256
Taking = Callable[[Posted], Awaitable[int | None]]


class Fleet:
    """Runtimes that were told to stop something."""

    def __init__(self, plane: ControlPlane, run: Running, runtimes: int) -> None:
        self._plane = plane
        self._run = run
        self._runtimes = runtimes

    async def register(self) -> None:
        """Have all of them report."""
        plane = self._plane
        secret = await new_secret(plane)
        token, gate = sign(secret, plane.clock.now()), asyncio.Semaphore(AT_ONCE)

        async def report(number: int) -> None:
            async with gate:
                answer = plane.runtime_handler(full_request(f"runtime-{number:05}", token))
                assert isinstance(answer, Awaitable)
                assert (await answer).status == 200

        await report(0)  # which binds the secret
        await asyncio.gather(*(report(number) for number in range(1, self._runtimes)))
        self._sender = (await plane.keyring.load(secret.partition(".")[0])).facts

    async def answer(self, way: Callable[[ControlPlane], Taking]) -> tuple[float, float]:
        """Give results a second, and CPU in µs a result, here and in the server."""
        plane, now = self._plane, self._plane.clock.now()
        entries = [plane.board.find(*self._place(), f"runtime-{number:05}") for number in range(self._runtimes)]
        told = [
            Command(
                id=new_id(),
                runtime_key=entry.runtime_key,
                action=CommandAction.STOP,
                name="listener_1",
                author="benchmark",
                state=CommandState.DELIVERED,
                route=CommandRoute.HEARTBEAT,
                attempts=1,
                queued_at=now,
                delivered_at=now,
                deadline=now + 600,
            )
            for entry in entries
            if entry is not None
        ]
        assert len(told) == self._runtimes
        await plane.store.write(lambda tx: commands.add(tx.connection, told))
        posted = [
            Posted(
                self._sender,
                CommandResult(
                    runtime_id=f"runtime-{number:05}",
                    command_id=command.id,
                    completed=True,
                    http_status=200,
                    body=msgspec.Raw(b'{"message":"The listener is stopped."}'),
                ),
                now,
            )
            for number, command in enumerate(told)
        ]
        take = way(plane)
        began, ours_s, server_s = time.perf_counter(), time.process_time(), self._run.cpu_s()
        keys = await asyncio.gather(*map(take, posted))
        per_s = self._runtimes / (time.perf_counter() - began)
        assert all(key is not None for key in keys)
        return per_s, (time.process_time() - ours_s + self._run.cpu_s() - server_s) / self._runtimes * 1e6

    def _place(self) -> tuple[str, str]:
        binding = self._sender.binding
        assert binding is not None
        return binding.integration_id, self._sender.environment_id


def by_itself(plane: ControlPlane) -> Taking:
    """Take each in with statements of its own."""
    note = partial(note_results, vault=plane.vault)
    return lambda posted: plane.store.write(partial(alone, note, posted))


def together(plane: ControlPlane) -> Taking:
    """Take in all that wait by a few statements."""
    note = partial(note_results, vault=plane.vault)
    return lambda posted: plane.store.write_together(note, posted)


async def measure(run: Running, database: Database, runtimes: int, rounds: int) -> None:
    """Measure both ways in turns on one database, and print their lines."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = Settings(home=home) if database.is_embedded else Settings(home=home, database_url=database.url)
        plane = await open_control_plane(settings)
        fleet = Fleet(plane, run, runtimes)
        await fleet.register()
        taken: dict[str, list[tuple[float, float]]] = {"by itself": [], "together": []}
        for _ in range(rounds):
            taken["by itself"].append(await fleet.answer(by_itself))
            taken["together"].append(await fleet.answer(together))
        await plane.stop()
    figures = {name: [statistics.median(values) for values in zip(*each, strict=True)] for name, each in taken.items()}
    for name, (per_s, cpu_us) in figures.items():
        print(f"| {run.kind}, {name} | {per_s:,.0f} | {cpu_us:,.0f} |")
    ratios = [much / little for much, little in zip(figures["together"], figures["by itself"], strict=True)]
    print(f"| **{run.kind}, ratio** | {ratios[0]:.2f} | {ratios[1]:.2f} |")


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", nargs="+", choices=KINDS, default=["sqlite"])
    parser.add_argument("--runtimes", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    configure("ERROR", "text")
    print(f"results of commands: {wanted.runtimes} runtimes at once, median of {wanted.rounds} rounds\n")
    print("| | results/s | CPU µs |\n|---|---|---|")
    for kind in installed(wanted.database):
        with running(kind) as run:
            await measure(run, run.fresh(), wanted.runtimes, wanted.rounds)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
