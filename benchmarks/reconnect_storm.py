"""A fleet reconnects after a restart of the control plane: time until all are acknowledged, SQL statements, database size.

Method: the control plane in a process of its own, over TLS; the runtimes share 256 connections, or have one each
(`--connections 0`: then each request after a restart pays a handshake). Four storms, each but the first after a restart:
registering; deltas with known hashes; full heartbeats that say what is stored already; full heartbeats with artifact
sets that nobody reported before. The last row is the reference: the same full heartbeats once more, answered from memory.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fleet.homes import Kind, make_homes
from fleet.plane import Api, Plane, own_plane
from fleet.python_runtime import PythonRuntime
from fleet.report import latencies
from fleet.runtimes import Runtime, Tally
from fleet.tokens import Secret
from fleet.wires import Target, raise_open_files
from load import Load, Request, run

INTEGRATIONS = 200


@dataclass(slots=True)
class Storm:
    """Everything that stays over restarts."""

    fleet: list[Runtime]
    connections: int
    home: Path

    async def strike(self, name: str, plane: Plane, requests: list[Request], connections: int | None = None) -> None:
        """Send all at once; print a row."""
        connections = self.connections if connections is None else connections
        load = Load(Target.of(plane.runtime_url), connections or len(requests))
        sql, cpu_s = plane.sql_statements(), plane.cpu_s()
        took_s = await load.send(requests)
        sql, cpu_s = plane.sql_statements() - sql, plane.cpu_s() - cpu_s
        assert set(load.statuses) <= {200, 503}, load.statuses
        wanting = sum(b'"fullHeartbeatRequired":true' in answer for answer in load.answers)
        _, p99_ms, _ = latencies(load.taken_s)
        database_mb, log_mb = plane.database_mb()
        print(
            f"| {name} | {took_s:.1f} | {len(requests) / took_s:,.0f} | {p99_ms:,.0f} | {cpu_s:.1f} | {sql:,} | "
            f"{sql / len(requests):.2f} | {database_mb:.1f} + {log_mb:.1f} | {load.lost} | {load.statuses[503]} | {wanting} |",
            flush=True,
        )

    def requests(self, *, full: bool, variant: int = 0) -> list[Request]:
        """Make what every runtime sends."""
        now = time.time()
        made: list[Request] = []
        for number, runtime in enumerate(self.fleet):
            send = runtime.full() if full else runtime.delta()
            body = send.body(now)
            if variant:
                document = json.loads(body)
                document["artifacts"]["services"][0]["basePath"] = f"/new/{variant}/{number}"
                document["runtimeHash"] = f"{variant}-{number}"
                body = json.dumps(document).encode()
            made.append((send.path, runtime.token(now), body))
        random.Random(7).shuffle(made)  # noqa: S311 - repeatable, nothing secret
        return made


async def prepare(wanted: argparse.Namespace, plane: Plane, home: Path) -> Storm:
    """Make the runtimes and their secrets."""
    api = Api(plane.console_url, "admin", plane.password)
    await asyncio.to_thread(api.sign_in)
    homes = make_homes(Kind.PY, INTEGRATIONS, 7)
    for each in homes:
        each.secret = Secret(await asyncio.to_thread(api.generate_secret, each.environment))
    fleet: list[Runtime] = [
        PythonRuntime(homes[n % INTEGRATIONS], f"6f1d2c9a-0b7e-4a55-9c1e-{n:012x}", f"node-{n}", 10.0, Tally(), random.Random(n))  # noqa: S311
        for n in range(wanted.runtimes)
    ]  # fmt: skip
    return Storm(fleet, wanted.connections, home)


async def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtimes", type=int, default=25_000)
    parser.add_argument("--connections", type=int, default=256, help="0: one each")
    wanted = parser.parse_args()
    if not wanted.connections and wanted.runtimes > raise_open_files() - 500:
        parser.error("so many connections do not fit into this process's limit of open files")
    print(f"{wanted.runtimes:,} runtimes reconnect over {wanted.connections or 'their own'} connections, TLS")
    print(
        "| storm | s | beats/s | p99 ms | server CPU s | SQL | SQL/beat | database MB | cut off | 503 | full wanted |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with own_plane(home) as plane:
            storm = await prepare(wanted, plane, home)
            await storm.strike("first registration", plane, storm.requests(full=True), storm.connections or 256)
        with own_plane(home) as plane:
            await storm.strike("deltas after a restart", plane, storm.requests(full=False))
        with own_plane(home) as plane:
            await storm.strike("full, known artifact sets, after a restart", plane, storm.requests(full=True))
        with own_plane(home) as plane:
            await storm.strike("full, new artifact sets, after a restart", plane, storm.requests(full=True, variant=1))
            again = storm.requests(full=True, variant=1)
            await storm.strike("reference: the same again, no restart", plane, again)


if __name__ == "__main__":
    run(main)
