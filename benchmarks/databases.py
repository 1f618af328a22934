"""What each database costs, as ratios in one run: heartbeats, flushes of last-seen, and what a heartbeat notices of a flush.

Method: servers are started here with their writes synced, and end with the run. CPU times of our process and of the database's
server together, the cheapest of several rounds: neighbours only ever add. `small_writes.py` and `console_pages.py` do
the same for writes and pages.
"""

import argparse
import asyncio
import shutil
import sys

import database_beats
import database_flush
from real_databases import KINDS, installed, running


def beats(wanted: argparse.Namespace) -> None:
    """Print the table of heartbeats."""
    if shutil.which("wrk") is None:
        sys.exit("databases: wrk is not on this machine; install the package `wrk`")
    print(f"delta heartbeats of {wanted.runtimes:,} runtimes, {wanted.rounds} rounds of {wanted.seconds} s")
    print("| database | | a second | CPU µs each | of it ours | of it the server's | a second and core |")
    print("|---|---|---|---|---|---|---|")
    for kind in installed(wanted.database):
        with running(kind) as run:
            database_beats.measure(
                run,
                runtimes=wanted.runtimes,
                seconds=wanted.seconds,
                references=wanted.references,
                rounds=wanted.rounds,
            )


def flush(wanted: argparse.Namespace) -> None:
    """Print the table of flushes."""
    print(f"last-seen of all runtimes stored at once; the best of {wanted.rounds}; heartbeats at 300/s meanwhile")
    print(
        "| database | runtimes | flush ms | CPU ms, ours | CPU ms, server | loop held at most, ms | and without a flush | "
        "heartbeats meanwhile p50 / p99 / max ms | and without a flush | ratios |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for kind in installed(wanted.database):
        with running(kind) as run:
            for count in wanted.flushed:
                asyncio.run(database_flush.measure(run, count, wanted.rounds))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["beats", "flush"], nargs="+")
    parser.add_argument("--database", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtimes", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--references", type=int, default=3_000, help="heartbeats of a round of the reference")
    parser.add_argument("--flushed", type=int, nargs="+", default=[10_000, 100_000])
    wanted = parser.parse_args()
    for what in wanted.what:
        {"beats": beats, "flush": flush}[what](wanted)


if __name__ == "__main__":
    main()
