"""What 100 password attempts a second cost heartbeats; the reference is the same load of heartbeats without them.

Method: the control plane in a process of its own, with the hashes of production; deltas at a steady rate over TLS from this
process, a wrong and a right password in turn from many names at a steady rate. Target: the heartbeats' p99 stays within twice
the reference, and none is lost; attempts beyond what may be hashed are told to wait (429).
"""

import argparse
import asyncio
import random
import ssl
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiohttp
from fleet.homes import Kind, make_homes
from fleet.plane import Api, own_plane
from fleet.python_runtime import PythonRuntime
from fleet.runtimes import Runtime, Tally
from fleet.tokens import Secret
from fleet.wires import Target
from load import Load

ATTEMPTS_PER_S, BEATS_PER_S = 100, 500


async def attempt(session: aiohttp.ClientSession, url: str, number: int, password: str, seen: Counter[int]) -> None:
    """Try one sign-in: every tenth is right."""
    right = number % 10 == 0
    body = {"username": "admin" if right else f"user-{number % 2_000}", "password": password if right else "wrong" * 4}
    async with session.post(f"{url}/auth/sign-in", json=body) as answer:
        seen[answer.status] += 1


async def attack(url: str, password: str, seconds: float) -> Counter[int]:
    """Try passwords at a steady rate."""
    seen: Counter[int] = Counter()
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=unchecked, limit=64)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as session:
        began, tries = time.monotonic(), set[asyncio.Task[None]]()
        for number in range(round(seconds * ATTEMPTS_PER_S)):
            await asyncio.sleep(max(0.0, began + number / ATTEMPTS_PER_S - time.monotonic()))
            task = asyncio.create_task(attempt(session, url, number, password, seen))
            tries.add(task)
            task.add_done_callback(tries.discard)
        await asyncio.gather(*tries)
    return seen


def percentile(values: list[float], part: float) -> float:
    """Tell a percentile of latencies in milliseconds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * part))] * 1_000


async def measure(count: int, seconds: float) -> None:
    """Print the table."""
    print("| heartbeats | sent | p50 ms | p99 ms | max ms | sign-ins answered |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, own_plane(Path(folder) / "home") as plane:
        api = Api(plane.console_url, "admin", plane.password)
        await asyncio.to_thread(api.sign_in)
        homes = make_homes(Kind.PY, max(1, count // 50), 7)
        for home in homes:
            home.secret = Secret(await asyncio.to_thread(api.generate_secret, home.environment))
        fleet: list[Runtime] = [
            PythonRuntime(homes[n % len(homes)], f"6f1d2c9a-0b7e-4a55-9c1e-{n:012x}", None, 10.0, Tally(), random.Random(n))  # noqa: S311
            for n in range(count)
        ]  # fmt: skip
        target, now = Target.of(plane.runtime_url), time.time()
        fulls = [(send.path, runtime.token(now), send.body(now)) for runtime in fleet for send in (runtime.full(),)]
        await Load(target, 32).send(fulls)
        deltas = [(send.path, runtime.token(now), send.body(now)) for runtime in fleet for send in (runtime.delta(),)]
        beats = [deltas[n % count] for n in range(round(BEATS_PER_S * seconds))]
        for name in ("alone", "beside 100 attempts a second"):
            load = Load(target, 32)
            work = load.send(beats, per_s=BEATS_PER_S)
            seen: Counter[int] = Counter()
            if name == "alone":
                await work
            else:
                _, seen = await asyncio.gather(work, attack(plane.console_url, plane.password, seconds))
            assert set(load.statuses) == {200}, load.statuses
            figures = [percentile(load.taken_s, part) for part in (0.5, 0.99, 1.0)]
            told = ", ".join(f"{status}: {times}" for status, times in sorted(seen.items()))
            print(
                f"| {name} | {len(beats):,} | " + " | ".join(f"{ms:.1f}" for ms in figures) + f" | {told} |", flush=True
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtimes", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    asyncio.run(measure(options.runtimes, options.seconds))
