"""Storing when so many runtimes were last seen, and what heartbeats notice of it.

The control plane runs in a process of its own over a database with so many runtimes; it marks them all as seen and flushes when it
is told to, and says what that took. Meanwhile this process sends it heartbeats at a steady pace and notes when each was answered.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import uvloop
from fleet.wires import Target
from load import Load
from many_places import fill
from pilothouse.alerting import worker
from pilothouse.app import control_plane
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.process import begin_start, end, end_start
from pilothouse.config import Settings
from pilothouse.observe.logs import configure
from pilothouse.protocol.exchange import Exchange, ExchangeSettings
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.settings import CarrierSettings
from real_databases import Running
from requests_of_runtimes import delta_body, full_request, sign
from secrets_of_runtimes import new_secret

BEATING = 100
"""Runtimes that send heartbeats meanwhile."""
PER_S = 300.0
FLUSHES = 3
"""In a round, one behind the other: what heartbeats notice is noted meanwhile."""
_NEVER_S = 86_400.0
_WAKE_S = 0.002
_REST_S = 2.0


@contextlib.contextmanager
def left_alone() -> Generator[None]:
    """Let control planes that begin meanwhile do no periodic work that would be measured with what is asked.

    Alerts are not judged either: where nobody beats and nobody watches for mass silence, one would be written for every runtime.
    """
    never = dict.fromkeys(("FLUSH_EVERY_S", "FLUSH_SHARED_EVERY_S", "WATCH_EVERY_S"), _NEVER_S)
    with patch.multiple(control_plane, **never), patch.object(worker, "JUDGE_EVERY_S", _NEVER_S):
        yield


class Held:
    """How long the event loop was held at a time, as one notices who wants to be woken every two milliseconds.

    Of the clock's time only what this process computed meanwhile counts: neighbours hold it, too.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._look())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.sleep(0)
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking

    async def _look(self) -> None:
        while True:
            asleep_s, cpu_s = time.perf_counter(), time.process_time()
            await asyncio.sleep(_WAKE_S)
            late_s = time.perf_counter() - asleep_s - _WAKE_S
            self.longest_s = max(self.longest_s, min(late_s, time.process_time() - cpu_s))


async def rest(seconds: float) -> dict[str, float]:
    """Do nothing for a while, and tell how long the loop was held."""
    async with Held() as held:
        await asyncio.sleep(seconds)
    return {"held_ms": held.longest_s * 1e3}


async def flush_all(plane: ControlPlane) -> dict[str, float]:
    """Mark every runtime as seen, and store that."""
    now = plane.clock.now()
    for number, entry in enumerate(plane.board.list_all()):
        plane.board.touch(entry, now, entry.address)
        if number % 500 == 0:
            await asyncio.sleep(0)
    cpu_s, began = time.process_time(), time.perf_counter()
    async with Held() as held:
        await plane.flush()
    return {
        "took_ms": (time.perf_counter() - began) * 1e3,
        "cpu_ms": (time.process_time() - cpu_s) * 1e3,
        "held_ms": held.longest_s * 1e3,
    }


async def serve(url: str, count: int) -> None:
    """Serve until standard input ends; each line of it asks for a flush, or for so many seconds of rest."""
    configure("ERROR", "text")
    with left_alone(), tempfile.TemporaryDirectory() as folder:  # it flushes when we say so, and nobody falls silent
        begin_start()
        plane = await open_control_plane(Settings(home=Path(folder) / "home", database_url=url))
        await plane.store.write(lambda tx: fill(tx.connection, plane.clock.now(), count - BEATING))
        token = sign(await new_secret(plane), plane.clock.now())
        names = [f"runtime-{number:05}" for number in range(BEATING)]
        for name in names:
            answer: Any = plane.runtime_handler(full_request(name, token))  # Any: an answer, or what becomes one
            assert (await answer).status == 200
        await plane.start()
        app = Exchange(plane.runtime_handler, ExchangeSettings())
        carrier = Carrier(
            (Listener(name="runtimes", app=app, host="127.0.0.1", port=0, setting="-"),), CarrierSettings()
        )
        await carrier.start()
        end_start()
        _say({"port": carrier.ports["runtimes"], "token": token.removeprefix("Bearer "), "names": names})
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            _say(await (flush_all(plane) if line == "flush" else rest(float(line))))
        await carrier.stop()
        await plane.stop()
        end()


def _say(told: dict[str, Any]) -> None:  # Any: what JSON has
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def measure(run: Running, count: int, rounds: int) -> float:
    """Print a row; gives the milliseconds of the quickest flush."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        run.fresh().url,
        str(count),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    ready = await _told(process)
    load = Load(Target.of(f"http://127.0.0.1:{ready['port']}"), 8)
    beats = [("/icp/deltaHeartbeat", ready["token"], delta_body(name).encode()) for name in ready["names"]]
    told: list[dict[str, float]] = []
    rested: list[dict[str, float]] = []
    server_ms: list[float] = []
    quiet: list[list[float]] = []
    busy: list[list[float]] = []
    await load.send(list(beats))  # what is made at the first of them is no matter of flushes

    async def rests() -> None:
        rested.append(await _told(process, str(_REST_S)))

    async def flushes() -> None:
        for _ in range(FLUSHES):
            server_s = run.cpu_s()
            told.append(await _told(process, "flush"))
            server_ms.append((run.cpu_s() - server_s) * 1e3)

    for _ in range(rounds):
        quiet.append(await _noticed(load, beats, rests()))
        busy.append(await _noticed(load, beats, flushes()))
    assert process.stdin
    process.stdin.close()
    await process.wait()
    assert set(load.statuses) == {200}, load.statuses
    best = min(told, key=lambda one: one["took_ms"])
    with_flush, without = min(busy, key=max), min(quiet, key=max)
    ratios = " / ".join(f"{ours / theirs:.1f}" for ours, theirs in zip(_cuts(with_flush), _cuts(without), strict=True))
    held_ms, rested_ms = (min(one["held_ms"] for one in some) for some in (told, rested))
    print(
        f"| {run.kind} | {count:,} | **{best['took_ms']:,.0f}** | {min(one['cpu_ms'] for one in told):,.0f} | "
        f"{min(server_ms):,.0f} | **{held_ms:,.0f}** | {rested_ms:,.0f} | {_shown(with_flush)} | {_shown(without)} | **{ratios}** |",
        flush=True,
    )
    return best["took_ms"]


async def _told(process: asyncio.subprocess.Process, line: str = "") -> dict[str, Any]:  # Any: what JSON has
    """Ask the control plane's process; it tells of itself when it is ready."""
    assert process.stdin
    assert process.stdout
    if line:
        process.stdin.write(f"{line}\n".encode())
    told = await process.stdout.readline()
    if not told:
        sys.exit(f"database_flush: the control plane ended with {await process.wait()}; what it said stands above")
    return json.loads(told)


async def _noticed(load: Load, beats: list[tuple[str, str, bytes]], meanwhile: Any) -> list[float]:  # Any: a coroutine
    """Send heartbeats until something has ended; gives the seconds that each answer took."""
    load.taken_s.clear()
    sending = asyncio.create_task(_keep_sending(load, beats))
    await meanwhile
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sending
    return list(load.taken_s)


async def _keep_sending(load: Load, beats: list[tuple[str, str, bytes]]) -> None:
    while True:
        await load.send(list(beats), per_s=PER_S)


def _cuts(taken_s: list[float]) -> tuple[float, float, float]:
    cuts = statistics.quantiles(taken_s, n=100)
    return cuts[49] * 1e3, cuts[98] * 1e3, max(taken_s) * 1e3


def _shown(taken_s: list[float]) -> str:
    return "{:.1f} / {:.1f} / {:.0f}".format(*_cuts(taken_s))


def main() -> None:
    """Serve, for the process that measures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("count", type=int)
    wanted = arguments.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(wanted.url, wanted.count))


if __name__ == "__main__":
    main()
