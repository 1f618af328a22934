"""Delta heartbeats over TLS with 1, 2, 3 and 4 workers on one machine over PostgreSQL; one worker is the reference.

Method: `pilothouse serve --workers N` as somebody runs it, 500 runtimes, wrk over 64 kept-alive connections. The load needs a core of its
own: on two cores two workers have what one had, so that the CPU of a heartbeat (all workers', and the database server's) is what
tells whether workers cost anything; requests a second tell more where there are more cores than workers.
"""

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from fleet.plane import Api, Plane, own_plane
from fleet.wires import Target
from load import Load
from real_databases import Running, installed, running
from requests_of_runtimes import full_request, sign
from wrk_load import answered, write_script

RUNTIMES = 500


def measure(run: Running, workers: int, seconds: int, base_us: float | None) -> float:
    """Print a row; gives the CPU of a heartbeat in microseconds."""
    os.environ |= {"PILOTHOUSE_DATABASE_URL": run.fresh().url, "PILOTHOUSE_WORKERS": str(workers)}
    with tempfile.TemporaryDirectory() as folder, own_plane(Path(folder) / "home") as plane:
        api = Api(plane.console_url, "admin", plane.password)
        api.sign_in()
        token = sign(api.generate_secret("dev"), time.time())
        names = [f"runtime-{number:05}" for number in range(RUNTIMES)]
        fulls = [("/icp/heartbeat", token.removeprefix("Bearer "), full_request(name, token).body) for name in names]
        load = Load(Target.of(plane.runtime_url), 8)
        asyncio.run(load.send(fulls))
        assert set(load.statuses) == {200}, load.statuses
        told = Path(folder) / "runtimes.json"
        told.write_text(json.dumps([(name, token) for name in names]))
        wrk = ["wrk", "-t1", "-c64", "-s", str(write_script(Path(folder), told))]
        subprocess.run([*wrk, "-d2s", plane.runtime_url], check=True, capture_output=True)
        side_s, server_s = _cpu_s(plane), run.cpu_s()
        said = subprocess.run(
            [*wrk, f"-d{seconds}s", plane.runtime_url], check=True, capture_output=True, text=True
        ).stdout
        side_s, server_s = _cpu_s(plane) - side_s, run.cpu_s() - server_s
    count = answered(said)
    side_us, server_us = side_s / count * 1e6, server_s / count * 1e6
    print(
        f"| {workers} | {count / seconds:,.0f} | {side_us:.1f} | {server_us:.1f} | "
        f"**{(side_us + server_us) / (base_us or side_us + server_us):.2f}** |",
        flush=True,
    )
    return side_us + server_us


def _cpu_s(plane: Plane) -> float:
    """Tell the CPU time of all its processes."""
    assert plane.process is not None
    family = [plane.process, *plane.process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seconds", type=int, default=10)
    wanted = parser.parse_args()
    for kind in installed(["postgresql"]):
        print(
            f"delta heartbeats over TLS, {RUNTIMES} runtimes; this machine has {psutil.cpu_count()} cores, of which the load takes one"
        )
        print(
            "| workers | a second | CPU µs, workers | CPU µs, database | CPU of one worker's |\n|---|---|---|---|---|"
        )
        base_us: float | None = None
        with running(kind) as run:
            for workers in wanted.workers:
                cost_us = measure(run, workers, wanted.seconds, base_us)
                base_us = base_us or cost_us


if __name__ == "__main__":
    main()
