"""`python -m benchmarks.fleet --runtimes 25000 --minutes 10 --mix py=0.4,bi=0.4,mi=0.2`."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import uvloop

from .homes import Kind
from .plane import Api, Plane, own_plane
from .report import Report
from .run import Plan, run
from .wires import raise_open_files


def read_mix(text: str) -> dict[Kind, float]:
    """Read shares; `bi` and `mi` alone are half the old and half the new build."""
    given = {name.strip(): float(share) for name, _, share in (part.partition("=") for part in text.split(","))}
    mix: dict[Kind, float] = {}
    for name, share in given.items():
        newer = f"{name}+"
        if name in ("bi", "mi") and newer not in given:
            mix[Kind(name)] = mix[Kind(newer)] = share / 2
        else:
            mix[Kind(name)] = share
    total = sum(mix.values())
    return {kind: share / total for kind, share in mix.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.fleet", description=__doc__)
    parser.add_argument("--runtimes", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=0.5, help="after the fleet is up")
    parser.add_argument("--mix", type=read_mix, default=read_mix("py=0.4,bi=0.4,mi=0.2"))
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two heartbeats")
    parser.add_argument("--offline-after", type=float, default=30.0, help="the control plane's setting, in seconds")
    parser.add_argument("--replicas", type=int, default=20, help="runtimes of one integration, on average")
    parser.add_argument("--connections", choices=["auto", "own", "pooled"], default="auto")
    parser.add_argument("--pool", type=int, default=256, help="connections when they are pooled")
    parser.add_argument("--channels", type=float, default=0.5, help="share of Python runtimes that hold a channel")
    parser.add_argument("--busy-stores", type=float, default=0.1, help="share of MI whose message stores change")
    parser.add_argument("--crashes", type=float, default=0.02, help="share of the fleet that crashes each minute")
    parser.add_argument("--changes", type=float, default=0.0, help="desired states changed each minute")
    parser.add_argument("--starts-per-s", type=float, default=200.0, help="how steeply the fleet starts, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", help="address for runtimes of a control plane that runs; none: start one")
    parser.add_argument("--console", help="address of its API, with --server")
    parser.add_argument("--home", type=Path, help="home of the control plane that is started; none: a temporary one")
    parser.add_argument("--pin", action="store_true", help="the server on core 0, the fleet on core 1")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    return parser.parse_args()


def _pool(wanted: argparse.Namespace) -> int:
    """Decide how many connections there are; 0 is one for each runtime."""
    if wanted.connections == "pooled":
        return wanted.pool
    limit = raise_open_files() - 500
    needed = int(wanted.runtimes * (1 + wanted.channels * wanted.mix.get(Kind.PY, 0.0)))
    if needed <= min(limit, 15_000):
        return 0
    if wanted.connections == "own":
        sys.exit(f"fleet: {needed} connections do not fit: {limit} files may be open here, and a port takes 16,384")
    print(f"fleet: {needed} connections do not fit here, so {wanted.pool} are shared")
    return wanted.pool


def main() -> int:
    """Run a fleet and print what came of it; 1 when a runtime was lost or a verdict was false."""
    wanted = _arguments()
    if wanted.server and not wanted.console:
        sys.exit("fleet: --console is needed beside --server, and PILOTHOUSE_ADMIN_PASSWORD in the environment")
    plan = Plan(
        runtimes=wanted.runtimes, seconds=wanted.minutes * 60, mix=wanted.mix, interval_s=wanted.interval,
        offline_after_s=wanted.offline_after, replicas=wanted.replicas, pool=_pool(wanted), channels=wanted.channels,
        busy_stores=wanted.busy_stores, crashes=wanted.crashes, changes=wanted.changes, seed=wanted.seed,
        starts_per_s=wanted.starts_per_s,
    )  # fmt: skip
    if wanted.pin:
        os.sched_setaffinity(0, {1})
    if wanted.server:
        plane = Plane(wanted.server, wanted.console, os.environ.get("PILOTHOUSE_ADMIN_PASSWORD", ""))
        report = _run(plan, plane)
    else:
        os.environ["PILOTHOUSE_OFFLINE_AFTER_S"] = str(plan.offline_after_s)
        with own_plane(wanted.home, core=0 if wanted.pin else None) as plane:
            report = _run(plan, plane)
    print(report.text())
    if wanted.json:
        wanted.json.write_text(report.json())
    return 0 if report.is_good else 1


def _run(plan: Plan, plane: Plane) -> Report:
    api = Api(plane.console_url, "admin", plane.password)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(plan, plane, api))


if __name__ == "__main__":
    sys.exit(main())
