"""SQL statements per idle beat over HTTP; the reference is a statement for every beat. Target: under 0.1.

Method: the control plane in a process of its own; runtimes that have nothing to say send deltas at a ten-second beat,
spread evenly; statements are counted while nothing else asks. What is left is the flush of last-seen, which is one write
every few seconds however many runtimes there are: small fleets pay the most per beat.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from fleet.homes import Kind, make_homes
from fleet.plane import Api, own_plane
from fleet.python_runtime import PythonRuntime
from fleet.runtimes import Runtime, Tally
from fleet.tokens import Secret
from fleet.wires import Target
from load import Load, run

INTERVAL_S = 10.0


async def measure(count: int, seconds: float) -> None:
    """Let a fleet be idle for a while; print a row."""
    with tempfile.TemporaryDirectory() as folder, own_plane(Path(folder) / "home") as plane:
        api = Api(plane.console_url, "admin", plane.password)
        await asyncio.to_thread(api.sign_in)
        homes = make_homes(Kind.PY, max(1, count // 50), 7)
        for home in homes:
            home.secret = Secret(await asyncio.to_thread(api.generate_secret, home.environment))
        fleet: list[Runtime] = [
            PythonRuntime(homes[n % len(homes)], f"6f1d2c9a-0b7e-4a55-9c1e-{n:012x}", None, INTERVAL_S, Tally(), random.Random(n))  # noqa: S311
            for n in range(count)
        ]  # fmt: skip
        target, now = Target.of(plane.runtime_url), time.time()
        fulls = [(send.path, runtime.token(now), send.body(now)) for runtime in fleet for send in (runtime.full(),)]
        await Load(target, 32).send(fulls)
        deltas = [(send.path, runtime.token(now), send.body(now)) for runtime in fleet for send in (runtime.delta(),)]
        beats = [deltas[n % count] for n in range(max(1, int(count / INTERVAL_S * seconds)))]
        await Load(target, 32).send(deltas)
        await asyncio.sleep(6)  # what registering left to flush
        load = Load(target, 32)
        sql, cpu_s = plane.sql_statements(), plane.cpu_s()
        took_s = await load.send(beats, per_s=count / INTERVAL_S)
        sql, cpu_s = plane.sql_statements() - sql, plane.cpu_s() - cpu_s
        assert set(load.statuses) == {200}, load.statuses
        assert not any(b'"fullHeartbeatRequired":true' in answer for answer in load.answers)
        print(
            f"| {count:,} | {len(beats):,} | {sql} | **{sql / len(beats):.4f}** | {sql / took_s:.1f} | "
            f"{cpu_s / took_s * 100:.1f} |",
            flush=True,
        )


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--runtimes", type=int, nargs="+", default=[100, 1_000, 10_000])
    wanted = parser.parse_args()
    print(
        "| runtimes | idle beats | SQL statements | SQL a beat | SQL a second | server CPU % |\n|---|---|---|---|---|---|"
    )
    for count in wanted.runtimes:
        await measure(count, wanted.seconds)
    print("| reference: one statement a beat | | | 1.0 | | |")


if __name__ == "__main__":
    run(main)
