"""Delta heartbeats per second on one core, against the same HTTP edge doing nothing: a ratio in one run.

Method: server on one core, wrk on another (one thread, 64 kept-alive connections), 2,000 runtimes, 20 secrets, tokens signed
beforehand. Bare and real runs alternate; the medians are compared. CPU per request is the server process's own.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
from wrk_load import answered, serving, write_script

SECONDS = 4
ROUNDS = 3
CONNECTIONS = 64
SERVER_CORE, LOAD_CORE = 0, 1


def measure(mode: str, *, tls: bool) -> dict[str, float]:
    """Run one server under load once; gives requests a second, CPU µs a request, and latencies in ms."""
    arguments = (mode, "--core", str(SERVER_CORE), *(["--tls"] if tls else []))
    with serving(*arguments) as (server_id, ready), tempfile.TemporaryDirectory() as folder:
        script = write_script(Path(folder), Path(ready["runtimes"]))
        process = psutil.Process(server_id)
        url = f"{'https' if tls else 'http'}://127.0.0.1:{ready['port']}"
        load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(script), url]
        subprocess.run([*load[:3], "-d1s", *load[4:]], check=True, capture_output=True, preexec_fn=_pin)
        before = sum(process.cpu_times()[:2])
        told = subprocess.run(load, check=True, capture_output=True, text=True, preexec_fn=_pin).stdout
        cpu_s = sum(process.cpu_times()[:2]) - before
    count = answered(told)
    return {
        "per_s": float(re.search(r"Requests/sec: +([\d.]+)", told)[1]),
        "cpu_us": cpu_s / count * 1e6,
        "p50_ms": _milliseconds(re.search(r"50% +(\S+)", told)[1]),
        "p99_ms": _milliseconds(re.search(r"99% +(\S+)", told)[1]),
    }


def _pin() -> None:
    os.sched_setaffinity(0, {LOAD_CORE})


def _milliseconds(text: str) -> float:
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def main() -> None:
    """Measure and print the table."""
    if shutil.which("wrk") is None:
        sys.exit("delta_heartbeats: wrk is not on this machine; install the package `wrk`")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("delta_heartbeats: two cores are needed, one for the server and one for the load")
    print(f"delta heartbeats: {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s, server on one core")
    print("| | requests/s | CPU µs | p50 ms | p99 ms |\n|---|---|---|---|---|")
    for tls in (False, True):
        rounds = {mode: [] for mode in ("bare", "edge")}
        for _ in range(ROUNDS):
            for mode, taken in rounds.items():
                taken.append(measure(mode, tls=tls))
        median = {
            mode: {name: statistics.median(one[name] for one in taken) for name in taken[0]}
            for mode, taken in rounds.items()
        }
        label = "TLS" if tls else "plain"
        for mode, name in (("bare", "bare HTTP edge"), ("edge", "delta heartbeat")):
            m = median[mode]
            print(
                f"| {name}, {label} | {m['per_s']:,.0f} | {m['cpu_us']:.1f} | {m['p50_ms']:.2f} | {m['p99_ms']:.2f} |"
            )
        ratio = median["edge"]["per_s"] / median["bare"]["per_s"]
        work_us = median["edge"]["cpu_us"] - median["bare"]["cpu_us"]
        print(f"| **ratio, {label}** | **{ratio:.2f}** | +{work_us:.1f} | | |", flush=True)


if __name__ == "__main__":
    main()
