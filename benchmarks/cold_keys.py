"""A fleet that comes to a replica which has just started: until each runtime, under a secret of its own, has been answered once.

Method: in process, without HTTP; all known runtimes send a delta heartbeat at once to a control plane that has no key ready.
The reference reads the same secrets one by one and does nothing else. CPU is of this process and of the server.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable
from functools import partial
from pathlib import Path

import uvloop
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.people import LOCAL
from pilothouse.config import Settings
from pilothouse.observe.logs import configure
from pilothouse.protocol.exchange import Inbound
from pilothouse.storage import secrets
from pilothouse.storage.unit import Transaction
from real_databases import KINDS, Running, installed, running
from requests_of_runtimes import delta_body, full_request, sign
from secrets_of_runtimes import new_secret

AT_ONCE = 256


def name_of(number: int) -> str:
    """Name a runtime."""
    return f"runtime-{number:05}"


def make_secrets(count: int, first_key_id: str, plane: ControlPlane, tx: Transaction) -> list[str]:
    """Make many secrets like one that there is, in one transaction."""
    like = secrets.find(tx.connection, first_key_id)
    assert like is not None
    assert like[0].binding is not None
    made: list[str] = []
    for number in range(count):
        key_id, material = f"cold{number:05}", f"{number:043}"
        secrets.add(
            tx.connection,
            key_id=key_id,
            organization_id=like[0].organization_id,
            environment_id=like[0].environment_id,
            integration_id=like[0].binding.integration_id,
            sealed_material=plane.vault.seal(material, key_id=key_id),
            created_at=plane.clock.now(),
            created_by=LOCAL.username,
        )
        made.append(f"{key_id}.{material}")
    return made


async def send(plane: ControlPlane, request: Inbound) -> None:
    """Send a heartbeat that is acknowledged."""
    answer = plane.runtime_handler(request)
    answer = await answer if isinstance(answer, Awaitable) else answer
    assert answer.status == 200


async def register(plane: ControlPlane, runtimes: int) -> list[str]:
    """Have all runtimes report once, each under a secret of its own; gives their tokens."""
    first = await new_secret(plane)
    await send(plane, full_request("first", sign(first, plane.clock.now())))  # which binds it
    made = await plane.store.write(partial(make_secrets, runtimes, first.partition(".")[0], plane))
    tokens, gate = [sign(secret, plane.clock.now()) for secret in made], asyncio.Semaphore(AT_ONCE)

    async def report(number: int) -> None:
        async with gate:
            await send(plane, full_request(name_of(number), tokens[number]))

    await asyncio.gather(*(report(number) for number in range(runtimes)))
    return tokens


async def measure(run: Running, runtimes: int, rounds: int) -> None:
    """Measure on one database, and print its lines."""
    taken: dict[str, list[tuple[float, float]]] = {"keys one by one": [], "a cold replica": []}
    database = run.fresh()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = Settings(home=home) if database.is_embedded else Settings(home=home, database_url=database.url)
        plane = await open_control_plane(settings)
        tokens = await register(plane, runtimes)
        await plane.stop()
        beats = [
            Inbound(
                "POST", "/icp/deltaHeartbeat", token, "application/json", delta_body(name_of(n)).encode(), "127.0.0.1"
            )
            for n, token in enumerate(tokens)
        ]
        for _ in range(rounds):
            plane = await open_control_plane(settings)
            plane.store.free_within_s = 600.0  # else the reference gives up before it is done
            for way, asked in (
                ("a cold replica", [send(plane, beat) for beat in beats]),
                (
                    "keys one by one",
                    [plane.store.read(partial(secrets.find, key_id=f"cold{n:05}")) for n in range(runtimes)],
                ),
            ):
                began, ours_s, server_s = time.perf_counter(), time.process_time(), run.cpu_s()
                await asyncio.gather(*asked)
                took_s = time.perf_counter() - began
                taken[way].append((took_s, time.process_time() - ours_s + run.cpu_s() - server_s))
            await plane.stop()
    figures = {way: [statistics.median(values) for values in zip(*each, strict=True)] for way, each in taken.items()}
    for way, (took_s, cpu_s) in figures.items():
        print(f"| {run.kind}, {way} | {took_s:.2f} | {cpu_s:.2f} |")
    ratios = [cold / one for cold, one in zip(figures["a cold replica"], figures["keys one by one"], strict=True)]
    print(f"| **{run.kind}, ratio** | {ratios[0]:.2f} | {ratios[1]:.2f} |")


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", nargs="+", choices=KINDS, default=["sqlite"])
    parser.add_argument("--runtimes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    wanted = parser.parse_args()
    configure("ERROR", "text")
    print(f"a cold replica: {wanted.runtimes} runtimes at once, median of {wanted.rounds} rounds\n")
    print("| | s until all are answered | CPU s |\n|---|---|---|")
    for kind in installed(wanted.database):
        with running(kind) as run:
            await measure(run, wanted.runtimes, wanted.rounds)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
